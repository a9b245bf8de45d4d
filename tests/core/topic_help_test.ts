import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import { metricsPage } from "../../src/admin/metrics_page.ts";
import { Metrics } from "../../src/observe/metrics.ts";
import { VirtualClock } from "../support/virtual_clock.ts";
import { FLAGS } from "../../src/cli/flags/flags.ts";
import { parseCommandLine } from "../../src/cli/flags/options.ts";
import { formatTopic, readTopic } from "../../src/cli/help/topic_help.ts";
import { TOPICS } from "../../src/cli/help/topics.ts";
import { UPSTREAM_PROTOCOLS } from "../../src/dialing/upstream_schemes.ts";
import { RECORD_FIELDS, type RecordField } from "../../src/observe/record.ts";
import { parseRules } from "../../src/policy/rules_file.ts";
import { CLIENT_PROTOCOLS } from "../../src/protocols/table.ts";
import { commandsOf, type Option, RUNS_PROXY } from "../../src/settings/option.ts";
import { UsageError } from "../../src/text/usage_error.ts";
import { shellWords } from "../support/shell_words.ts";

const PAGES = await Promise.all(
  Object.keys(TOPICS).map(async (name) => [name, await formatTopic(name)] as const),
);
const ALL = Object.fromEntries(PAGES);

for (const [name, text] of PAGES) {
  Deno.test(`help ${name}: it fits 80 columns, in printable ASCII, without stray spaces`, () => {
    for (const line of text.split("\n")) assertMatch(line, /^(?!.* $)[\x20-\x7E]{0,80}$/);
    assertMatch(text, /^sluice help \w+ - \S/);
  });

  Deno.test(`help ${name}: its commands can be parsed, and the flags and topics that it names exist`, () => {
    for (const [, command] of text.matchAll(/^ {2}sluice (.*)$/gm)) parseCommandLine(shellWords(command));
    for (const [, flag] of text.matchAll(/(?<![\w-])--([a-z][a-z-]*)/g)) {
      assert(Object.hasOwn(FLAGS, flag) || flag === "proxy", flag);
    }
    for (const [, topic] of text.matchAll(/"sluice help\s+(\w+)"/g)) {
      assert(Object.hasOwn(TOPICS, topic), topic);
    }
    for (const [, variable] of text.matchAll(/SLUICE_([A-Z_]+)=/g)) {
      assert(Object.hasOwn(FLAGS, variable.toLowerCase().replaceAll("_", "-")), variable);
    }
  });
}

Deno.test("help: the options of a proxy are on the pages of topics, each on one of them", () => {
  for (const [name, option] of Object.entries<Option>(FLAGS)) {
    if (!commandsOf(option)?.some((command) => RUNS_PROXY.includes(command))) continue;
    const line = new RegExp(`^ {2}(?:-\\S, | {4})--${name}(?: |$)`, "m");
    assertEquals(PAGES.filter(([, text]) => line.test(text)).length, 1, name);
  }
});

Deno.test("help: the rules on the page of rules are rules", () => {
  const rules = ALL.rules.split("\n").filter((line) => /^ {2}(?:allow|deny|route) /.test(line));
  assertEquals(parseRules(rules.join("\n"), "the page").length, 5);
});

Deno.test("help: the pages of upstreams and listeners have every scheme", () => {
  for (const { name } of UPSTREAM_PROTOCOLS) {
    assertMatch(ALL.upstreams, new RegExp(`^ {2}(?:.*[ ,])?${name}\\b`, "m"));
  }
  for (const { name } of CLIENT_PROTOCOLS) assert(ALL.listeners.includes(`${name}://`), name);
});

Deno.test("help: the page of metrics has every metric, and no other", () => {
  const metrics = String(metricsPage({ totals: new Metrics(new VirtualClock()).totals() }, []).body);
  const names = (text: string) => [...new Set(text.match(/(?<=^|[ ,])sluice_\w+/gm))].sort();
  assertEquals(names(ALL.metrics), names(metrics));
});

Deno.test("help: the page of logs has every field of the record, by its names", () => {
  for (const { json, text = json } of Object.values<RecordField>(RECORD_FIELDS)) {
    const names = text === json ? text : `${text} [${json}]`;
    assert(ALL.logs.includes(`\n  ${names} `) || ALL.logs.includes(`\n  ${names}\n`), names);
  }
});

Deno.test("help: a word behind it is a topic, or a command, or a mistake", () => {
  assertEquals(readTopic(["help", "rules"]), "rules");
  for (const args of [[], ["help"], ["help", "explain"], ["help", "--version"], ["serve"], ["rules"]]) {
    assertEquals(readTopic(args), undefined);
  }
  const refusals = {
    "help ruels": 'Unknown topic "ruels": did you mean "rules"?',
    "help explian": 'Unknown topic "explian": did you mean "explain"?',
    "help constructor": 'Unknown topic "constructor": see "sluice help"',
    "help rules tls": 'Unexpected argument "tls": give one topic',
  };
  for (const [words, message] of Object.entries(refusals)) {
    assertThrows(() => readTopic(words.split(" ")), UsageError, message);
  }
});
