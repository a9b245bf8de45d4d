/**
 * What strangers and origins feed costs what its length costs. A second step for each would take minutes here, where the
 * first takes milliseconds.
 */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { Fault } from "../../src/faults.ts";
import { proxyError } from "../../src/protocols/http1/connector.ts";
import { Fields } from "../../src/protocols/http/fields.ts";
import { forwardedResponse, lastChunk } from "../../src/protocols/http1/forwarding.ts";
import { fromLatin1, targetOf } from "../support/http1.ts";

const LENGTH = 2 ** 20;

function timed(name: string, run: () => void): void {
  Deno.test(`${name} takes linear time`, () => {
    const start = performance.now();
    run();
    assert(performance.now() - start < 10_000);
  });
}

timed("a Proxy-Status of quotes that do not end", () => {
  for (
    const value of ['"' + '\\"'.repeat(LENGTH), ";".repeat(LENGTH), "; ".repeat(LENGTH), '"'.repeat(LENGTH)]
  ) {
    assertEquals(proxyError(new Fields([{ name: "Proxy-Status", value }])), undefined);
  }
});

timed("a target that a fragment makes wrong", () => {
  assertThrows(() => targetOf(`http://${"a".repeat(LENGTH)}#`, "GET"), Fault);
  assertThrows(() => targetOf("a".repeat(LENGTH), "GET"), Fault);
  assertThrows(() => targetOf(`http://[${"]:1".repeat(LENGTH)}x`, "GET"), Fault);
});

const CROWDED = new Fields([
  { name: "Connection", value: Array.from({ length: 2 ** 17 }, (_, i) => `x${i}`).join(",") },
  ...Array.from({ length: 2 ** 17 }, (_, i) => ({ name: `Y${i}`, value: "" })),
]);

timed("a head with many fields whose Connection names many", () => {
  const head = { version: "1.1" as const, status: 200, reason: "OK", fields: CROWDED };
  forwardedResponse(head, {
    framing: { kind: "none" },
    persistent: true,
    name: "test",
    date: () => new Date(0),
  });
  const trailers = fromLatin1(lastChunk(CROWDED, { head: CROWDED, forwarded: "delete" }));
  assertEquals(trailers.split("\r\n").length, 1 + 2 ** 17 + 2);
});
