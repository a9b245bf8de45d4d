import { assert, assertEquals, assertThrows } from "@std/assert";
import { Fault } from "../../src/faults.ts";
import type { HandshakeEvent } from "../../src/protocols/common/handshake.ts";
import { LineHandshake } from "../../src/protocols/line/line.ts";
import { assertFaults, assertReads, assertWaits, fuzz, octets } from "../support/codec.ts";
import { SEED } from "../support/random.ts";
import { settingsWith } from "../support/settings.ts";

const OPTIONS = { settings: settingsWith(), reference: "t-1", date: () => new Date(0) };

/** A proxy without users. */
const OPEN = { make: () => new LineHandshake({ ...OPTIONS, credentialsRequired: false }) };

/** A proxy with users. */
const GUARDED = { make: () => new LineHandshake({ ...OPTIONS, credentialsRequired: true }) };

const NO_LOGIN: HandshakeEvent = { type: "credentials", credentials: undefined };

function tunnel(host: string, port: number): HandshakeEvent {
  return { type: "request", request: { kind: "tunnel", target: { host, port } } };
}

const LONGEST = `${"a.".repeat(127)}b`;

const UNDERSTOOD: [name: string, bytes: string, host: string, port: number][] = [
  ["a name", '"example.com:443" 0d0a', "example.com", 443],
  ["a name of 255 bytes", `"${LONGEST}:65535" 0d0a`, LONGEST, 65535],
  ["an address", '"127.0.0.1:80" 0d0a', "127.0.0.1", 80],
  ["an IPv6 address in brackets", '"[2001:db8:0::1]:80" 0d0a', "2001:db8::1", 80],
  ["an IPv6 address without brackets", '"::1:80" 0d0a', "::1", 80],
  ["a whole IPv6 address without brackets", '"1:2:3:4:5:6:7:8:80" 0d0a', "1:2:3:4:5:6:7:8", 80],
  ["a line that ends with LF alone", '"example.com:443" 0a', "example.com", 443],
];

for (const [name, bytes, host, port] of UNDERSTOOD) {
  Deno.test(`line: reads ${name}`, () => assertReads(OPEN, octets(bytes), [tunnel(host, port)]));
}

const REFUSED: [name: string, bytes: string][] = [
  ["an empty line", "0d0a"],
  ["a name without port", '"example.com" 0d0a'],
  ["an empty port", '"example.com:" 0d0a'],
  ["port 0", '"example.com:0" 0d0a'],
  ["port 65536", '"example.com:65536" 0d0a'],
  ["a port that is no number", '"example.com:https" 0d0a'],
  ["a signed port", '"example.com:+80" 0d0a'],
  ["an empty host", '":80" 0d0a'],
  ["a space in front", '" example.com:80" 0d0a'],
  ["a CR inside", '"example" 0d ".com:80" 0d0a'],
  ["a NUL", '"example.com" 00 ":80" 0d0a'],
  ["user information", '"ann@example.com:80" 0d0a'],
  ["a name in brackets", '"[example.com]:80" 0d0a'],
  ["brackets without address", '"[]:80" 0d0a'],
  ["an HTTP request", '"GET http://example.com:80/ HTTP/1.1" 0d0a'],
  ["a line that is too long", `"${"a.".repeat(128)}bbb:65535" 0d0a`],
  ["a line without end", `"${"a".repeat(265)}"`],
];

for (const [name, bytes] of REFUSED) {
  Deno.test(`line: refuses ${name}, and says nothing`, () => {
    for (const { codec, fault } of assertFaults(OPEN, octets(bytes))) {
      assertEquals(fault.code, "http_request_error");
      assertEquals(codec.refused(fault), { bytes: new Uint8Array(0), retryable: false });
    }
  });
}

Deno.test("line: where credentials are required it has none to give", () => {
  const bytes = octets('"example.com:80" 0d0a');
  for (const { codec, rest } of assertWaits(GUARDED, bytes, [NO_LOGIN])) {
    assertEquals(rest, bytes);
    const denied = codec.refused(new Fault("proxy_authentication_required"));
    assertEquals(denied, { bytes: new Uint8Array(0), retryable: false });
  }
  assertWaits(GUARDED, new Uint8Array(0), []);
});

Deno.test("line: a client that is accepted without credentials may go on", () => {
  const trusting = { make: GUARDED.make, answer: accept };
  assertReads(trusting, octets('"a:1" 0d0a'), [NO_LOGIN, tunnel("a", 1)]);
  assertThrows(() => OPEN.make().accepted(), Error, "Cannot accept credentials");
});

function accept(codec: LineHandshake, event: HandshakeEvent): void {
  if (event.type === "credentials") assertEquals(codec.accepted(), new Uint8Array(0));
}

Deno.test("line: nothing is said when the tunnel stands", () => {
  assertEquals(OPEN.make().established(), new Uint8Array(0));
});

Deno.test(`line: no input breaks it or depends on how it is cut (seed ${SEED})`, () => {
  const samples = [...UNDERSTOOD, ...REFUSED].map(([, bytes]) => octets(bytes));
  const tally = fuzz(OPEN, { samples });
  assert(Math.min(tally.events, tally.faults, tally.waits) > 100, JSON.stringify(tally));
});
