import { assertEquals, assertThrows } from "@std/assert";
import { describe, needRead } from "../../src/policy/rule.ts";
import { parseRules } from "../../src/policy/rules_file.ts";
import { UsageError } from "../../src/text/usage_error.ts";

Deno.test("parseRules() reads a rule a line, and leaves comments out", () => {
  const text = [
    "# The rules",
    "deny *:25 # no mail",
    "",
    "   \t ",
    "\tallow  .example.com\tport=443   ",
    "#deny *",
    "route .corp.example via http://a:1/#x\t# the tunnel",
    "allow user=ann#1",
  ];
  const expected = [
    "deny *:25 (rules.txt:2)",
    "allow .example.com port=443 (rules.txt:5)",
    "route .corp.example via http://a:1/#x (rules.txt:7)",
    "allow user=ann#1 (rules.txt:8)",
  ];
  for (const file of [text.join("\n"), text.join("\r\n") + "\r\n", `\uFEFF${text.join("\n")}\n`]) {
    const rules = parseRules(file, "rules.txt");
    assertEquals(rules.map(describe), expected);
    assertEquals(rules.map(needRead).map((rule) => rule.kind === "route" ? rule.via : ""), [
      "",
      "",
      "http://a:1/#x",
      "",
    ]);
  }
});

Deno.test("parseRules() reads files with nothing in them", () => {
  for (const text of ["", "\n", "\uFEFF", "\r\n\r\n", "# nothing", "\uFEFF# nothing"]) {
    assertEquals(parseRules(text, "rules.txt"), []);
  }
});

Deno.test("parseRules() complains about all bad lines at once", () => {
  const text =
    "deny port=70000\nallow *\n\ndney *.example.com\r\nblock *\ndeny # all\nroute * http://ann:secret@a:1";
  const { message } = assertThrows(() => parseRules(text, "rules.txt"), UsageError);
  assertEquals(message.split("\n"), [
    'rules.txt:1: Invalid rule "deny port=70000": port 70000 does not exist; ports are 1 to 65535',
    'rules.txt:4: A rule begins with "allow", "deny", "route", "limit" or "bind", not with "dney": did you mean "deny"?',
    'rules.txt:5: A rule begins with "allow", "deny", "route", "limit" or "bind", not with "block"',
    'rules.txt:6: Invalid rule "deny": what it is about is missing; write "*" for everything',
    'rules.txt:7: Invalid rule "route * http://...@a:1": where to is missing; write "route *.example.com via ENDPOINT"',
  ]);
});

Deno.test("parseRules() complains about ten lines at most", () => {
  const cases: [bad: number, last: string][] = [
    [10, 'f:10: Invalid rule "deny .": "." is neither a host name nor an IP address'],
    [11, "f: 1 more line is invalid"],
    [30, "f: 20 more lines are invalid"],
  ];
  for (const [bad, last] of cases) {
    const { message } = assertThrows(() => parseRules("deny .\n".repeat(bad), "f"), UsageError);
    const lines = message.split("\n");
    assertEquals([lines.length, lines.at(-1)], [Math.min(bad, 11), last]);
  }
});
