import { assert, assertEquals } from "@std/assert";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { ROOT } from "../../scripts/toolchain.ts";
import { COMMANDS } from "../../src/cli/flags/commands.ts";
import { parseCommandLine } from "../../src/cli/flags/options.ts";
import { TOPICS } from "../../src/cli/help/topics.ts";
import { codeBlocks, localLinks, quotedPaths } from "../support/documents.ts";
import { shellWords } from "../support/shell_words.ts";
import config from "../../deno.json" with { type: "json" };

/** Every document of the project. */
const DOCUMENTS = [
  "README.md",
  ...["src", "adapters", "tests", "bench", ".github"].flatMap((folder) =>
    readdirSync(`${ROOT}/${folder}`, { recursive: true })
      .map((path) => `${folder}/${path}`).filter((path) => path.endsWith(".md"))
  ),
];

/** Names of all files, for those that a document names without their folder. */
const NAMES = new Set(
  ["src", "adapters", "tests", "bench", "scripts"].flatMap((folder) =>
    readdirSync(`${ROOT}/${folder}`, { recursive: true }).map((path) => basename(String(path)))
  ),
);

for (const document of DOCUMENTS) {
  const text = readFileSync(`${ROOT}/${document}`, "utf8");

  Deno.test(`${document}: what it links to and names is there`, () => {
    for (const link of localLinks(text)) assert(existsSync(join(ROOT, dirname(document), link)), link);
    for (const path of quotedPaths(text)) {
      const known = path.includes("/")
        ? existsSync(`${ROOT}/${path}`)
        : NAMES.has(path) || existsSync(`${ROOT}/${path}`);
      assert(known, path);
    }
  });

  Deno.test(`${document}: its shell lines name commands, flags, topics, tasks and files that there are`, () => {
    for (const { code } of codeBlocks(text).filter(({ language }) => language === "sh")) {
      for (const line of code.split("\n").filter((line) => line !== "")) tryLine(line);
    }
    for (const [, topic] of text.matchAll(/`sluice help ([a-z]+)`/g)) {
      assert(Object.hasOwn(TOPICS, topic) || Object.hasOwn(COMMANDS, topic), topic);
    }
  });
}

/** Looks at a line of a shell block without running it. */
function tryLine(line: string): void {
  const words = shellWords(line).filter((word) => !/^[A-Z_]+=/.test(word));
  const [program, ...args] = words[0] === "npx" ? ["deno", ...words.slice(3)] : words;
  if (program === "sluice") parseCommandLine(args);
  if (program !== "deno" && program !== "bun") return;
  const [verb, ...rest] = args;
  if (verb === "task") assert(Object.hasOwn(config.tasks, rest[0]), line);
  for (const path of rest.filter((word) => /^(?:src|tests|mod)\b/.test(word))) {
    assert(existsSync(`${ROOT}/${path}`), path);
  }
}

Deno.test("README.md: the top level has no document beside it, and it names every folder's", () => {
  const named = localLinks(readFileSync(`${ROOT}/README.md`, "utf8"));
  const folders = DOCUMENTS.filter((path) => path.endsWith("/README.md"));
  assertEquals(folders.filter((path) => !named.includes(path)), []);
  assertEquals(readdirSync(ROOT).filter((name) => name.endsWith(".md")), ["README.md"]);
});
