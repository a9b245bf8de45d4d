import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { type Flag, FLAGS } from "../../src/cli/flags.ts";
import { formatHelp } from "../../src/cli/help.ts";
import { parseOptions } from "../../src/cli/options.ts";
import { VERSION } from "../../src/version.ts";
import deno from "../../deno.json" with { type: "json" };

Deno.test("help: it shows every flag of the table on a line of its own, and no other", () => {
  const shown = formatHelp().split("\n").flatMap((line) =>
    /^ {2}(?:-\S, | {4})--\S.*?(?= {2}|$)/.exec(line) ?? []
  );
  const expected = Object.entries<Flag>(FLAGS).map(([name, { short, value }]) =>
    `  ${short ? `-${short}, ` : "    "}--${name}${value ? ` ${value}` : ""}`
  );
  assertEquals(shown, expected);
});

Deno.test("help: it explains every flag, and shows the default of those that have a value", () => {
  const words = formatHelp().replace(/\s+/g, " ");
  for (const { help, value, fallback } of Object.values<Flag>(FLAGS)) {
    assertStringIncludes(words, value && fallback ? `${help} (${fallback})` : help);
  }
});

Deno.test("help: it fits a terminal of 80 columns, in printable ASCII, without stray spaces", () => {
  for (const line of formatHelp().split("\n")) assertMatch(line, /^(?!.* $)[\x20-\x7E]{0,80}$/);
});

Deno.test("help: its examples work", () => {
  const examples = formatHelp().split("\n").flatMap((line) => /^ {2}sluice\b(.*)$/.exec(line)?.[1] ?? []);
  assertEquals(examples.length, 3);
  for (const example of examples) parseOptions(example.split(" ").filter((word) => word !== ""));
});

Deno.test("help: each group stands together", () => {
  const groups = Object.values<Flag>(FLAGS).map(({ group }) => group);
  const runs = groups.filter((group, i) => group !== groups[i - 1]);
  assertEquals(runs.length, new Set(groups).size);
  for (const group of runs) assert(formatHelp().includes(`\n\n${group}:\n`), group);
});

Deno.test("version: it is that of deno.json", () => {
  assertEquals(VERSION, deno.version);
});
