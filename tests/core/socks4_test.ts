import { assert, assertEquals, assertThrows } from "@std/assert";
import { Fault, type FaultCode } from "../../src/faults.ts";
import { FAULTS } from "../../src/fault_table.ts";
import type { HandshakeEvent } from "../../src/protocols/common/handshake.ts";
import { Socks4Handshake } from "../../src/protocols/socks/socks4.ts";
import { assertFaults, assertReads, assertWaits, fuzz, octets, transcribe } from "../support/codec.ts";
import { SEED } from "../support/random.ts";
import { settingsWith } from "../support/settings.ts";

const OPTIONS = { settings: settingsWith(), reference: "7-1", date: () => new Date(0) };

/** A proxy without users. */
const OPEN = { make: () => new Socks4Handshake({ ...OPTIONS, credentialsRequired: false }) };

/** A proxy with users. */
const GUARDED = { make: () => new Socks4Handshake({ ...OPTIONS, credentialsRequired: true }) };

/** A proxy with users that lets in who says nothing. */
const TRUSTING = {
  make: GUARDED.make,
  answer(codec: Socks4Handshake, event: HandshakeEvent) {
    if (event.type === "credentials") assertEquals(codec.accepted(), new Uint8Array(0));
  },
};

const NO_LOGIN: HandshakeEvent = { type: "credentials", credentials: undefined };

function tunnel(host: string, port: number): HandshakeEvent {
  return { type: "request", request: { kind: "tunnel", target: { host, port } } };
}

const UNDERSTOOD: [name: string, bytes: string, host: string, port: number][] = [
  ["an address", "04 01 01bb 7f000001 00", "127.0.0.1", 443],
  ["a user id, and forgets it", '04 01 0050 08080808 "alice" 00', "8.8.8.8", 80],
  ["a user id of 255 bytes", `04 01 0050 08080808 "${"u".repeat(255)}" 00`, "8.8.8.8", 80],
  ["a user id of any bytes but NUL", "04 01 0050 08080808 0d0aff2201 00", "8.8.8.8", 80],
  ["a name", '04 01 0050 00000001 00 "example.com" 00', "example.com", 80],
  ["a name behind a user id", '04 01 0050 00000001 "alice" 00 "example.com" 00', "example.com", 80],
  ["a name after any address of 0.0.0.x", '04 01 ffff 000000ff 00 "a" 00', "a", 65535],
  [
    "a name of 255 bytes",
    `04 01 0050 00000001 00 "${"a.".repeat(127)}b" 00`,
    "a.".repeat(127) + "b",
    80,
  ],
  ["an IPv6 address sent as a name", '04 01 0050 00000001 00 "0:0::01" 00', "::1", 80],
  ["0.0.0.0 as an address and not as the mark of a name", "04 01 0050 00000000 00", "0.0.0.0", 80],
  ["0.0.1.1 as an address", "04 01 0050 00000101 00", "0.0.1.1", 80],
  ["0.1.0.1 as an address", "04 01 0050 00010001 00", "0.1.0.1", 80],
  ["1.0.0.1 as an address", "04 01 0050 01000001 00", "1.0.0.1", 80],
];

for (const [name, bytes, host, port] of UNDERSTOOD) {
  Deno.test(`socks4: reads ${name}`, () => assertReads(OPEN, octets(bytes), [tunnel(host, port)]));
}

const REJECTED = octets("00 5b 0000 00000000");

const REFUSED: [name: string, bytes: string][] = [
  ["another version", "03 01 0050 7f000001 00"],
  ["the command 0", "04 00 0050 7f000001 00"],
  ["BIND", "04 02 0050 7f000001 00"],
  ["an unknown command", "04 f0 0050 7f000001 00"],
  ["port 0 of an address", "04 01 0000 7f000001 00"],
  ["port 0 of a name", '04 01 0000 00000001 00 "a" 00'],
  ["a user id of 256 bytes", `04 01 0050 7f000001 "${"u".repeat(256)}" 00`],
  ["a user id without end", `04 01 0050 7f000001 "${"u".repeat(256)}"`],
  ["an empty name", "04 01 0050 00000001 00 00"],
  ["a name of 256 bytes", `04 01 0050 00000001 00 "${"a.".repeat(128)}" 00`],
  ["a name without end", `04 01 0050 00000001 00 "${"a.".repeat(128)}"`],
  ["a name with a line end", '04 01 0050 00000001 00 "a" 0d0a "b" 00'],
  ["a name with a space", '04 01 0050 00000001 00 "a b" 00'],
  ["a name with a percent sign", '04 01 0050 00000001 00 "a%2eb" 00'],
  ["a name with user information", '04 01 0050 00000001 00 "a@b" 00'],
  ["a name with a port", '04 01 0050 00000001 00 "a:80" 00'],
  ["a name with a backslash", '04 01 0050 00000001 00 "a\\b" 00'],
  ["a name that is not ASCII", '04 01 0050 00000001 00 "zö" 00'],
  ["an IPv6 address in brackets", '04 01 0050 00000001 00 "[::1]" 00'],
];

for (const [name, bytes] of REFUSED) {
  Deno.test(`socks4: refuses ${name}`, () => {
    for (const { codec, fault } of assertFaults(OPEN, octets(bytes))) {
      assertEquals(fault.code, "http_request_error");
      assertEquals(codec.refused(fault), { bytes: REJECTED, retryable: false });
    }
  });
}

Deno.test("socks4: where credentials are required it has none to give", () => {
  const bytes = octets('04 01 0050 7f000001 "alice" 00');
  for (const { codec, rest } of assertWaits(GUARDED, bytes, [NO_LOGIN])) {
    assertEquals(rest, bytes);
    const denied = codec.refused(new Fault("proxy_authentication_required"));
    assertEquals(denied, { bytes: REJECTED, retryable: false });
  }
});

Deno.test("socks4: where credentials are required nothing is said before the first byte", () => {
  assertWaits(GUARDED, new Uint8Array(0), []);
});

Deno.test("socks4: a client that is accepted without credentials may go on", () => {
  assertReads(TRUSTING, octets("04 01 0050 7f000001 00"), [NO_LOGIN, tunnel("127.0.0.1", 80)]);
});

Deno.test("socks4: credentials can be accepted only while they are judged", () => {
  assertThrows(() => OPEN.make().accepted(), Error, "Cannot accept credentials");
  assertThrows(() => GUARDED.make().accepted(), Error, "Cannot accept credentials");
  const { codec } = transcribe(TRUSTING, [octets("04 01 0050 7f000001 00")]);
  assertThrows(() => codec.accepted(), Error, "Cannot accept credentials");
});

Deno.test("socks4: half a request is waited for", () => {
  const whole = octets('04 01 0050 00000001 "alice" 00 "example.com" 00');
  for (let length = 0; length < whole.length; length++) assertWaits(OPEN, whole.subarray(0, length));
});

Deno.test("socks4: the reply to a request names the bound address where it is IPv4", () => {
  const codec = OPEN.make();
  assertEquals(
    codec.established({ local: { host: "192.0.2.1", port: 0xABCD } }),
    octets("00 5a abcd c0000201"),
  );
  assertEquals(
    codec.established({ local: { host: "2001:db8::1", port: 80 } }),
    octets("00 5a 0000 00000000"),
  );
  assertEquals(codec.established({ local: { path: "/run/upstream.sock" } }), octets("00 5a 0000 00000000"));
});

Deno.test("socks4: every fault is told in the same way", () => {
  const codec = OPEN.make();
  for (const code of Object.keys(FAULTS)) {
    assertEquals(codec.refused(new Fault(code as FaultCode)).bytes, REJECTED, code);
  }
});

const SAMPLES = [...UNDERSTOOD, ...REFUSED].map(([, bytes]) => octets(bytes));

Deno.test(`socks4: no input breaks it or depends on how it is cut (seed ${SEED})`, () => {
  const tally = fuzz(OPEN, { samples: SAMPLES });
  assert(Math.min(tally.events, tally.faults, tally.waits) > 1000, JSON.stringify(tally));
});

Deno.test(`socks4: no input gets a request past a judgement that is never made (seed ${SEED})`, () => {
  const tally = fuzz(GUARDED, {
    samples: SAMPLES,
    check: ({ events }) => assertEquals(events.filter(({ type }) => type === "request"), []),
  });
  assert(tally.events > 1000, JSON.stringify(tally));
});
