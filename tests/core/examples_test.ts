import { assertEquals } from "@std/assert";
import { execFile } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { posix } from "node:path";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { ROOT } from "../../scripts/toolchain.ts";
import { page } from "../../src/cli/help/pages/library.ts";
import { type Block, codeBlocks, commentBlocks } from "../support/documents.ts";

/** An example and where it stands. */
interface Example extends Block {
  readonly path: string;
}

/** Every example in TypeScript: of documents, of comments, and of the help. */
function examples(): Example[] {
  const found: Example[] = [];
  const add = (path: string, blocks: readonly Block[]) =>
    found.push(...blocks.filter(({ language }) => language === "ts").map((block) => ({ ...block, path })));
  const files = ["src", "adapters"].flatMap((folder) =>
    readdirSync(`${ROOT}/${folder}`, { recursive: true }).map((path) => `${folder}/${path}`)
  );
  for (const path of ["mod.ts", ...files.filter((path) => path.endsWith(".ts"))]) {
    add(path, commentBlocks(readFileSync(`${ROOT}/${path}`, "utf8")));
  }
  for (const path of ["README.md", ...files.filter((path) => path.endsWith(".md"))]) {
    add(path, codeBlocks(readFileSync(`${ROOT}/${path}`, "utf8")));
  }
  const imported = 'import { createProxy } from "sluice";\n';
  for (const part of page.parts) {
    if (typeof part === "string" || !("lines" in part)) continue;
    const code = part.lines.startsWith("import") ? part.lines : imported + part.lines;
    add("src/cli/help/pages/library.ts", [{ language: "ts", code, line: 0 }]);
  }
  return found;
}

/** What a comment behind an expression may promise. */
const PROMISE = /^(?!import|const|\s)(.+); \/\/ (true|false|undefined|\d+|"[^"]*"|\[.*\]|\{.*\})$/gm;

/**
 * An example as a module. It may use what its own file exports without an import. A comment that is a value behind an
 * expression is held to it, as far as it goes.
 */
function asModule({ path, code }: Example): string {
  const source = readFileSync(`${ROOT}/${path}`, "utf8");
  const exported = [...source.matchAll(/^export (?:async )?(?:function|class|const) (\w+)/gm)].map((
    [, name],
  ) => name);
  const used = [...new Set(exported)].filter((name) =>
    new RegExp(`\\b${name}\\b`).test(code) && !new RegExp(`import[^;]*\\b${name}\\b`).test(code)
  );
  const url = (path: string) => JSON.stringify(String(pathToFileURL(`${ROOT}/${path}`)));
  const tried = code
    .replace(/from "sluice"/g, `from ${url("mod.ts")}`)
    .replace(/from "(\.[^"]+)"/g, (_, target) => `from ${url(posix.join(posix.dirname(path), target))}`)
    .replace(PROMISE, "promised($1, $2);");
  return [
    used.length > 0 ? `import { ${used.join(", ")} } from ${url(path)};` : "",
    `import { promised } from ${url("tests/support/promise.ts")};`,
    tried,
    "export { promised };",
  ].join("\n");
}

Deno.test("every example of the documentation passes the type checks, runs, and gives what it says", async (t) => {
  const folder = mkdtempSync(`${tmpdir()}/sluice-examples-`);
  try {
    const all = examples().map((example, i) => ({ ...example, file: `${folder}/example_${i}.ts` }));
    assertEquals(all.length > 12, true);
    for (const example of all) writeFileSync(example.file, asModule(example));
    await promisify(execFile)(Deno.execPath(), ["check", "--quiet", ...all.map(({ file }) => file)], {
      cwd: folder,
    })
      .catch(({ stderr }) => assertEquals(stderr, ""));
    for (const { path, line, file } of all) {
      await t.step(`${path}:${line}`, async () => {
        await import(String(pathToFileURL(file)));
      });
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});
