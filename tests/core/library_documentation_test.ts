import { assert, assertEquals } from "@std/assert";
import { readFileSync } from "node:fs";
import * as library from "../../src/lib.ts";
import { ROOT } from "../../scripts/toolchain.ts";
import { LIMIT_OPTIONS } from "../../src/settings/limits.ts";
import type { Option } from "../../src/settings/option.ts";
import { TIMEOUT_OPTIONS } from "../../src/settings/timeouts.ts";

/** The comment before a declaration. */
function commentOf(path: string, declaration: RegExp): string {
  const source = readFileSync(`${ROOT}/${path}`, "utf8");
  const before = source.slice(0, source.search(declaration));
  const [comment = ""] = /\/\*\*(?:(?!\*\/)[^])*\*\/\s*$/.exec(before) ?? [];
  return comment.replace(/\s+\*?\s*/g, " ");
}

/** A time as prose has it. */
function inWords(milliseconds: number): string {
  const [count, unit] = milliseconds % 60_000 === 0
    ? [milliseconds / 60_000, "minute"]
    : [milliseconds / 1_000, "second"];
  return `${count} ${unit}${count === 1 ? "" : "s"} by default`;
}

for (const { setting, default: value } of Object.values<Option>(TIMEOUT_OPTIONS)) {
  Deno.test(`documentation: ${setting} tells its default`, () => {
    const comment = commentOf(
      "src/settings/timeouts.ts",
      new RegExp(`readonly ${setting!.split(".")[1]}: number`),
    );
    assert(comment.includes(inWords(value as number)), comment);
  });
}

for (const { setting, default: value } of Object.values<Option>(LIMIT_OPTIONS)) {
  Deno.test(`documentation: ${setting} tells its default`, () => {
    const comment = commentOf(
      "src/settings/limits.ts",
      new RegExp(`readonly ${setting!.split(".")[1]}: number`),
    );
    const told = value === Infinity
      ? "No limit by default"
      : `${(value as number).toLocaleString("en")} by default`;
    assert(comment.includes(told), comment);
  });
}

Deno.test("documentation: every function and class of the library has an example", () => {
  const exported = [
    ...readFileSync(`${ROOT}/src/lib.ts`, "utf8").matchAll(/^export \{ (.+) \} from "\.\/(.+)";$/gm),
  ];
  const values = exported.flatMap(([, names, path]) =>
    names.split(", ").filter((name) => !name.startsWith("type ")).map((name) => [name, `src/${path}`])
  );
  assertEquals(values.map(([name]) => name).sort(), Object.keys(library).sort());
  for (const [name, path] of values) {
    assert(
      commentOf(path, new RegExp(`^export (?:async )?(?:function|class) ${name}\\b`, "m")).includes(
        "@example",
      ),
      name,
    );
  }
});
