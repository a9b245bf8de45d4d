import { assert, assertEquals } from "@std/assert";
import { FLAGS } from "../../src/cli/flags/flags.ts";
import { OPTIONS } from "../../src/options/options.ts";
import { LIMIT_OPTIONS } from "../../src/settings/limits.ts";
import { commandsOf, type Option, RUNS_PROXY } from "../../src/settings/option.ts";
import { completeSettings } from "../../src/settings/settings.ts";
import { TIMEOUT_OPTIONS } from "../../src/settings/timeouts.ts";

const ROWS = Object.entries<Option>({ ...OPTIONS, ...FLAGS });

Deno.test("options: every row has help, and says what holds where nothing is given", () => {
  for (const [name, option] of ROWS) {
    assert(option.help.length > 0, name);
    if (option.shorthand) continue;
    assert((option.default === undefined) === (option.unset !== undefined), name);
  }
});

Deno.test("options: every row that a running proxy takes says whether it can be reloaded", () => {
  for (const [name, option] of ROWS) {
    const commands = commandsOf(option) ?? [];
    const isRunning = option.setting !== undefined ||
      commands.some((command) => RUNS_PROXY.includes(command));
    assertEquals(option.reload !== undefined, isRunning && option.shorthand === undefined, name);
  }
});

Deno.test("options: no two rows stand for the same option of the library", () => {
  const settings = ROWS.flatMap(([, { setting }]) => setting ?? []);
  assertEquals(new Set(settings).size, settings.length);
});

Deno.test("options: every default is a value that the row's own parser makes of the text in the help", () => {
  for (const [name, { default: otherwise, repeatable, format, read, accepts, value }] of ROWS) {
    if (otherwise === undefined || otherwise === Infinity || value === undefined) continue;
    for (const one of repeatable ? otherwise as unknown[] : [otherwise]) {
      const text = format?.(one) ?? String(one);
      assertEquals(read(text, `--${name}`), one, name);
      if (name !== "workers") assert(accepts(one), name);
    }
  }
});

const WORDS: Record<string, number> = { second: 1_000, minute: 60_000 };

/** The default that a docstring states, such as "10 seconds by default", as a number. */
function statedDefault(docs: string): number | undefined {
  if (/\bNo limit by default/.test(docs)) return Infinity;
  const [, amount, unit] = /([\d,]+)(?: (second|minute)s?)? by default\./.exec(docs) ?? [];
  return amount === undefined ? undefined : Number(amount.replaceAll(",", "")) * (WORDS[unit] ?? 1);
}

for (const [file, rows] of [["timeouts", TIMEOUT_OPTIONS], ["limits", LIMIT_OPTIONS]] as const) {
  Deno.test(`options: the documentation of ${file} states the default of each row`, async () => {
    const source = await Deno.readTextFile(new URL(`../../src/settings/${file}.ts`, import.meta.url));
    for (const { setting, default: otherwise } of Object.values<Option>(rows)) {
      const member = setting!.split(".")[1];
      const [, docs] = new RegExp(`/\\*\\*((?:(?!\\*/)[^])*)\\*/\\s+readonly ${member}: `).exec(source) ?? [];
      assertEquals(statedDefault(docs.replaceAll(/\s*\*\s*/g, " ")), otherwise, setting);
    }
  });
}

Deno.test("settings: what is left out or undefined has its default, and nothing else is taken over", () => {
  const given = {
    name: "a",
    privateDestinations: "deny",
    timeouts: { idle: 1, dns: undefined },
    listen: "x",
  };
  const settings = completeSettings(given as unknown as Parameters<typeof completeSettings>[0]);
  assertEquals([settings.timeouts.idle, settings.timeouts.dns, settings.limits.attempts], [1, 5_000, 20]);
  assertEquals(Object.keys(settings).sort(), [
    "contact",
    "disguised",
    "forwarded",
    "limits",
    "name",
    "privateDestinations",
    "timeouts",
    "traceContext",
  ]);
});
