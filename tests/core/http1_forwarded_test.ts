import { assertEquals } from "@std/assert";
import { Fields } from "../../src/protocols/http1_fields.ts";
import { forwardedFor, type ForwardedMode } from "../../src/protocols/http1_forwarded.ts";
import type { Address } from "../../src/runtime.ts";

const IPV4: Address = { host: "192.0.2.7", port: 4711 };
const IPV6: Address = { host: "2001:db8::1", port: 4711 };
const UNIX: Address = { path: "" };

function result(mode: ForwardedMode, client: Address, sent: [string, string][] = []): [string, string][] {
  const fields = new Fields(sent.map(([name, value]) => ({ name, value })));
  return [...forwardedFor(fields, { mode, client })].map(({ name, value }) => [name, value]);
}

const SENT: [string, string][] = [
  ["Forwarded", "for=10.0.0.1"],
  ["Accept", "*/*"],
  ["x-forwarded-for", "10.0.0.1"],
  ["FORWARDED", "for=_b"],
];

Deno.test("D6: forwardedFor() adds nothing and drops nothing in the mode keep", () => {
  assertEquals(result("keep", IPV4, SENT), SENT);
});

Deno.test("D6: forwardedFor() drops what the client wrote in the modes delete and replace", () => {
  assertEquals(result("delete", IPV4, SENT), [["Accept", "*/*"]]);
  assertEquals(result("replace", IPV4, SENT), [
    ["Accept", "*/*"],
    ["Forwarded", "for=192.0.2.7;proto=http"],
    ["X-Forwarded-For", "192.0.2.7"],
  ]);
});

Deno.test("D6: forwardedFor() adds the client as the last element in the mode append", () => {
  assertEquals(result("append", IPV4, SENT), [
    ["Accept", "*/*"],
    ["Forwarded", "for=10.0.0.1, for=_b, for=192.0.2.7;proto=http"],
    ["X-Forwarded-For", "10.0.0.1, 192.0.2.7"],
  ]);
});

Deno.test("D6: forwardedFor() quotes an IPv6 address, and calls what has none unknown", () => {
  assertEquals(result("append", IPV6)[0], ["Forwarded", 'for="[2001:db8::1]";proto=http']);
  assertEquals(result("append", IPV6)[1], ["X-Forwarded-For", "2001:db8::1"]);
  assertEquals(result("append", UNIX)[0], ["Forwarded", "for=unknown;proto=http"]);
});
