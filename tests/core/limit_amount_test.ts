import { assertEquals, assertThrows } from "@std/assert";
import { parseRule } from "../../src/policy/rule.ts";
import { parseTerms } from "../../src/policy/limit_amount.ts";
import { UsageError } from "../../src/text/usage_error.ts";

Deno.test("parseTerms() reads every kind of amount", () => {
  const amounts: [text: string, allowance: unknown][] = [
    ["100 connections", { kind: "connections", most: 100 }],
    ["1 connection", { kind: "connections", most: 1 }],
    ["50 requests/s", { kind: "rate", most: 50, time: 1_000 }],
    ["60 requests/minute", { kind: "rate", most: 60, time: 60_000 }],
    ["1 request/hour", { kind: "rate", most: 1, time: 3_600_000 }],
    ["1000 requests/day", { kind: "quota", of: "requests", most: 1_000, unit: "day" }],
    ["10MB/s", { kind: "bandwidth", most: 10_000_000 }],
    ["10MiB/s", { kind: "bandwidth", most: 10 * 1024 ** 2 }],
    ["64k/s", { kind: "bandwidth", most: 65_536 }],
    ["8Mbit/s", { kind: "bandwidth", most: 1_000_000 }],
    ["1500/s", { kind: "bandwidth", most: 1_500 }],
    ["1.5GB/week", { kind: "quota", of: "bytes", most: 1_500_000_000, unit: "week" }],
    ["2TiB/month", { kind: "quota", of: "bytes", most: 2 * 1024 ** 4, unit: "month" }],
  ];
  for (const [text, allowance] of amounts) assertEquals(parseTerms(text).allowance, allowance, text);
});

Deno.test("parseTerms() reads what may follow, in any order, and writes it in one", () => {
  const { way, per, shadow, text } = parseTerms("  10MB/s  shadow per  user up ");
  assertEquals({ way, per, shadow, text }, {
    way: "up",
    per: "user",
    shadow: true,
    text: "10MB/s up per user shadow",
  });
  assertEquals(parseTerms("20 connections").text, "20 connections");
  assertEquals(parseTerms("20 connections per client").per, "client");
});

Deno.test("parseTerms() says what is wrong, and what to write", () => {
  const wrong: [text: string, message: string][] = [
    ["", "how much is missing"],
    ["lots", '"lots" is no amount'],
    ["10MB", '"10MB" lacks a time; write "10MB/s" or "10MB/day"'],
    ["5 requests", "lacks a time"],
    ["5 connections/s", 'write "5 connections", or "5 requests/s"'],
    ["5 requests/dya", 'did you mean "day"'],
    ["1GB/hour", "by the second, or by the day"],
    ["0 connections", "is nothing"],
    ["5 connections up", '"up" is about bytes'],
    ["5MB/s per", 'behind "per" comes'],
    ["5MB/s per usr", 'and not "usr"'],
    ["5MB/s shaddow", 'did you mean "shadow"'],
    ["5MB/s up down", "stands twice"],
  ];
  for (const [text, message] of wrong) assertThrows(() => parseTerms(text), UsageError, message, text);
});

Deno.test("parseRule() reads a limit by its last to, and shows it in one line", () => {
  const rule = parseRule("limit", " to  port=443   to 10MB/s per user", "rules.txt", 3);
  assertEquals([rule.kind, rule.text, rule.origin], [
    "limit",
    "limit to port=443 to 10MB/s per user",
    "rules.txt:3",
  ]);
  assertThrows(() => parseRule("limit", "*", ""), UsageError, "how much is missing");
  assertThrows(() => parseRule("limit", "to 5MB/s", ""), UsageError, "what it is about is missing");
});
