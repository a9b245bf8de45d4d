import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { COMMANDS } from "../../src/cli/flags/commands.ts";
import { FLAGS } from "../../src/cli/flags/flags.ts";
import { describeDefault, formatHelp } from "../../src/cli/help/command_help.ts";
import { parseCommandLine } from "../../src/cli/flags/options.ts";
import { type CommandName, commandsOf, type Option } from "../../src/settings/option.ts";
import { VERSION } from "../../src/version.ts";
import deno from "../../deno.json" with { type: "json" };

const NAMES = Object.keys(COMMANDS) as CommandName[];

function flagsOf(command: CommandName): [name: string, flag: Option][] {
  return Object.entries<Option>(FLAGS).filter(([, flag]) => commandsOf(flag)?.includes(command) ?? true);
}

for (const command of NAMES) {
  Deno.test(`help: that of "${command}" shows every flag of it on a line of its own, and no other`, () => {
    const shown = formatHelp(command).split("\n").flatMap((line) =>
      /^ {2}(?:-\S, | {4})--\S.*?(?= {2}|$)/.exec(line) ?? []
    );
    const expected = flagsOf(command).map(([name, { short, value }]) =>
      `  ${short ? `-${short}, ` : "    "}--${name}${value ? ` ${value}` : ""}`
    );
    assertEquals(shown, expected);
  });

  Deno.test(`help: that of "${command}" explains every flag, and shows the default of those with a value`, () => {
    const words = formatHelp(command).replace(/\s+/g, " ");
    for (const [, option] of flagsOf(command)) {
      const otherwise = describeDefault(option);
      assertStringIncludes(words, otherwise ? `${option.help} (${otherwise})` : option.help);
    }
  });

  Deno.test(`help: that of "${command}" fits 80 columns, in printable ASCII, without stray spaces`, () => {
    for (const line of formatHelp(command).split("\n")) assertMatch(line, /^(?!.* $)[\x20-\x7E]{0,80}$/);
  });

  Deno.test(`help: the examples of "${command}" can be parsed`, () => {
    const examples = formatHelp(command).split("\n").flatMap((line) =>
      /^ {2}sluice\b(.*)$/.exec(line)?.[1] ?? []
    );
    assert(examples.length > 0);
    for (const example of examples) {
      const words = example.replace(/[>|].*/, "").split(" ").filter((word) => word !== "");
      assertEquals(parseCommandLine(words).command, command);
    }
  });

  Deno.test(`help: each group of "${command}" stands together`, () => {
    const groups = flagsOf(command).map(([, { group }]) => group);
    const runs = groups.filter((group, i) => group !== groups[i - 1]);
    assertEquals(runs.length, new Set(groups).size);
    for (const group of runs) assert(formatHelp(command).includes(`\n\n${group}:\n`), group);
  });
}

Deno.test("help: every command is listed with its words and its summary", () => {
  const help = formatHelp("serve");
  for (const [name, { words, summary }] of Object.entries(COMMANDS)) {
    assertMatch(
      help,
      new RegExp(`^ {2}${[name, ...words].join(" ")} +${summary.replaceAll("*", "\\*")}$`, "m"),
    );
  }
});

Deno.test("version: it is that of deno.json", () => {
  assertEquals(VERSION, deno.version);
});
