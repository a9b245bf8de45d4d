/**
 * What is installed beside the program, in the hands of the programs that read it: completions, the manual page, and files
 * for a service.
 *
 * @module
 */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { run } from "./real_clients.ts";
import { testRows } from "./suite.ts";
import { COMMANDS, PRINTED } from "../../src/cli/flags/commands.ts";
import { FLAGS } from "../../src/cli/flags/flags.ts";
import { folder } from "../support/folder.ts";
import { shellWords } from "../support/shell_words.ts";
import type { Row } from "../support/toolchain.ts";

/** Runs a program that must succeed, and returns what it has written. */
async function use(command: readonly string[], environment: Record<string, string> = {}): Promise<string> {
  const { exit, output, errors } = await run(command, { environment: { NO_COLOR: "1", ...environment } });
  assertEquals(exit, 0, `${command.join(" ")}: ${errors}${output}`);
  return `${errors}${output}`;
}

/** Writes what a command prints to a file of a folder. */
async function printed({ command }: Row, words: readonly string[], file: string): Promise<string> {
  const text = await use([...command, ...words]);
  await writeFile(file, text);
  return text;
}

testRows("print: systemd takes the units, and what they start is this program", async (row) => {
  using place = folder();
  for (const name of PRINTED.filter((name) => name.endsWith(".service"))) {
    const file = join(place.path, name);
    const text = await printed(row, ["print", name], file);
    assertEquals(await use(["systemd-analyze", "verify", "--man=no", file]), "");
    // The exposure, in tenths. systemd calls 1.5 "OK", and a unit without any of these lines 9.6 "UNSAFE".
    await use(["systemd-analyze", "security", "--offline=true", "--threshold=15", file]);
    const start = shellWords(/^ExecStart=(.*)$/m.exec(text)![1]);
    assertEquals(start[0][0], "/");
    assertMatch(await use(["env", "--chdir=/", ...start, "--version"]), /^sluice \d/);
  }
}, { programs: ["systemd-analyze"] });

testRows("print: logrotate takes its file", async (row) => {
  using place = folder();
  const file = join(place.path, "logrotate.conf");
  const text = await printed(row, ["print", "logrotate"], file);
  const told = await use(["logrotate", "--debug", "--state", join(place.path, "state"), file]);
  assert(!/error/i.test(told), told);
  assertStringIncludes(text, "USR1");
}, { programs: ["logrotate"] });

testRows("print: what it does not have is told with what is meant", async ({ command }) => {
  const { exit, output, errors } = await run([...command, "print", "sluice.servce"], {
    environment: { NO_COLOR: "1" },
  });
  assertEquals([exit, String(output)], [2, ""]);
  assertEquals(
    errors,
    'sluice: Unknown word "sluice.servce" behind "print": did you mean "sluice.service"?\n',
  );
});

testRows("man: the page is right for mandoc and groff, and has every command and flag", async (row) => {
  using place = folder();
  const file = join(place.path, "sluice.1");
  await printed(row, ["man"], file);
  assertEquals(await use(["mandoc", "-Tlint", "-Wwarning", file]), "");
  const page = await use(["man", "--warnings", "-E", "ascii", "-l", file], {
    MANWIDTH: "500",
    LC_ALL: "C.UTF-8",
  });
  for (const name of Object.keys(COMMANDS)) assertMatch(page, new RegExp(`^ +sluice ${name}\\b`, "m"));
  for (const name of Object.keys(FLAGS)) assertMatch(page, new RegExp(`^ +(?:-\\w, )?--${name}\\b`, "m"));
}, { programs: ["man", "mandoc"] });

/** What has been typed, and what is offered. */
const OFFERED: readonly (readonly [typed: string, offered: readonly string[]])[] = [
  ["sluice --log-f", ["--log-format"]],
  ["sluice --log-format ", ["combined", "ecs", "json", "squid", "text"]],
  ["sluice --log-level=", ["debug", "error", "info", "warn"]],
  ["sluice remote --clie", ["--client-ca"]],
  ["sluice local --clie", []],
  ["sluice print l", ["logrotate"]],
  ["sluice help ru", ["rules", "runtimes"]],
  ["sluice pas", ["passwd"]],
];

/** Completes the words of its arguments by $1, with "=" a word of its own as in bash. */
const ASK_BASH = `source "$1"; shift
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _sluice 2>/dev/null; printf '%s\\n' "\${COMPREPLY[@]}"`;

testRows("completion bash: it offers commands, flags and values", async (row) => {
  using place = folder();
  const file = join(place.path, "sluice.bash");
  await printed(row, ["completion", "bash"], file);
  for (const [typed, offered] of OFFERED) {
    const words = typed.replace("=", " = ").split(" ").filter((word, i, all) =>
      word !== "" || i === all.length - 1
    );
    const told = await use(["bash", "-c", ASK_BASH, "bash", file, ...words]);
    assertEquals(told.split("\n").filter((word) => word !== "").sort(), offered, typed);
  }
}, { programs: ["bash"] });

testRows("completion fish: it offers commands, flags and values", async (row) => {
  using place = folder();
  const file = join(place.path, "sluice.fish");
  await printed(row, ["completion", "fish"], file);
  for (const [typed, offered] of OFFERED) {
    const told = await use([
      "fish",
      "--no-config",
      "-c",
      `source $argv[1]; complete -C $argv[2]`,
      file,
      typed,
    ], {
      HOME: place.path,
    });
    const words = told.split("\n").map((line) => line.split("\t")[0].replace(/^--.*=/, ""));
    assertEquals(words.filter((word) => word !== "").sort(), offered, typed);
  }
}, { programs: ["fish"] });

/** Types $2 and a tab into a zsh that has sourced $1, and prints what the terminal shows up to the pattern $3. */
const ASK_ZSH = `zmodload zsh/zpty
zpty z zsh -f -i
zpty -w z 'PROMPT=; autoload -Uz compinit; compinit -u -D; source '$1'; bindkey "^I" list-choices; LISTMAX=99; echo REA""DY'
zpty -r z shown '*READY*'
zpty -n -w z $2$'\\t'
zpty -r z shown $3
print -r -- $shown
zpty -d z`;

testRows("completion zsh: it offers commands, flags and values", async (row) => {
  using place = folder();
  const file = join(place.path, "_sluice");
  await printed(row, ["completion", "zsh"], file);
  for (const [typed, offered] of OFFERED.filter(([, offered]) => offered.length > 0)) {
    // zsh lists them in order, so the last one is there when all are.
    const shown = await use([
      "zsh",
      "-f",
      "-c",
      ASK_ZSH,
      "zsh",
      file,
      typed,
      `*[[:space:]]${offered.at(-1)}*`,
    ], {
      TERM: "dumb",
      HOME: place.path,
    });
    for (const word of offered) assertStringIncludes(shown, word);
  }
}, { programs: ["zsh"] });
