import { assert, assertEquals, assertMatch } from "@std/assert";
import { type ProxyHeader, readProxyHeader, writeProxyHeader } from "../../src/protocols/proxy_protocol.ts";
import type { ByteBuffer } from "../../src/streams/byte_buffer.ts";
import { toOctets } from "../../src/protocols/http/syntax.ts";
import type { Address } from "../../src/runtime/contract.ts";
import {
  assertFaults,
  assertReads,
  assertWaits,
  concat,
  fuzz,
  octets,
  transcribe,
} from "../support/codec.ts";
import { CORPUS_EXISTS, readCases } from "../support/corpus.ts";
import { Random, SEED } from "../support/random.ts";

/** A connection has one header. */
class Once {
  #header: ProxyHeader | undefined;

  read(buffer: ByteBuffer): ProxyHeader | undefined {
    if (this.#header) return undefined;
    return this.#header = readProxyHeader(buffer);
  }
}

const SUBJECT = { make: () => new Once() };

const IPV4 = {
  source: { host: "192.0.2.1", port: 56324 },
  destination: { host: "198.51.100.2", port: 443 },
};
const IPV6 = {
  source: { host: "2001:db8::1", port: 65535 },
  destination: { host: "::1", port: 0 },
};

const SIGNATURE = "0d0a0d0a000d0a515549540a";
const V4_ENDS = "c0000201 c6336402 dc04 01bb";
const V6_ENDS = "20010db8000000000000000000000001 00000000000000000000000000000001 ffff 0000";

const UNDERSTOOD: [name: string, bytes: Uint8Array, header: ProxyHeader][] = [
  ["v1 TCP4", line("PROXY TCP4 192.0.2.1 198.51.100.2 56324 443"), { version: 1, ends: IPV4 }],
  ["v1 TCP6", line("PROXY TCP6 2001:db8::1 ::1 65535 0"), { version: 1, ends: IPV6 }],
  ["v1 TCP6 in full", line("PROXY TCP6 2001:0DB8:0:0:0:0:0:1 ::1 65535 0"), { version: 1, ends: IPV6 }],
  ["v1 UNKNOWN", line("PROXY UNKNOWN"), { version: 1 }],
  ["v1 UNKNOWN with anything behind it", line("PROXY UNKNOWN ffff::1 nonsense 1 2 3"), { version: 1 }],
  ["v1 of 107 bytes", line(`PROXY UNKNOWN ${"x".repeat(91)}`), { version: 1 }],
  ["v2 TCP4", octets(`${SIGNATURE} 21 11 000c ${V4_ENDS}`), { version: 2, ends: IPV4 }],
  ["v2 TCP6", octets(`${SIGNATURE} 21 21 0024 ${V6_ENDS}`), { version: 2, ends: IPV6 }],
  ["v2 TCP4 with TLVs", octets(`${SIGNATURE} 21 11 0013 ${V4_ENDS} 04 0004 00000000`), {
    version: 2,
    ends: IPV4,
  }],
  ["v2 with 300 bytes of TLVs", v2("21 11 0138", octets(V4_ENDS), new Uint8Array(300)), {
    version: 2,
    ends: IPV4,
  }],
  ["v2 LOCAL", octets(`${SIGNATURE} 20 00 0000`), { version: 2 }],
  ["v2 LOCAL, whose addresses do not count", octets(`${SIGNATURE} 20 11 000c ${V4_ENDS}`), { version: 2 }],
  ["v2 LOCAL of a family that nobody knows", octets(`${SIGNATURE} 20 ff 0001 00`), { version: 2 }],
  ["v2 UNSPEC", octets(`${SIGNATURE} 21 00 0003 ffffff`), { version: 2 }],
  ["v2 from a Unix socket", v2("21 31 00d8", new Uint8Array(216)), { version: 2 }],
];

function line(text: string): Uint8Array {
  return toOctets(`${text}\r\n`);
}

function v2(rest: string, ...parts: Uint8Array[]): Uint8Array {
  return concat(octets(`${SIGNATURE} ${rest}`), ...parts);
}

for (const [name, bytes, header] of UNDERSTOOD) {
  Deno.test(`PROXY protocol: reads ${name}`, () => assertReads(SUBJECT, bytes, [header]));
}

const REFUSED: [name: string, bytes: Uint8Array][] = [
  ["another protocol", toOctets("GET / HTTP/1.1\r\n\r\n")],
  ["a first byte of another protocol", octets("05")],
  ["an empty line", octets("0d0a 47")],
  ["v1 in lower case", toOctets("proxy TCP4")],
  ["v1 without fields", line("PROXY")],
  ["v1 of an unknown family", line("PROXY UDP4 192.0.2.1 192.0.2.2 1 2")],
  ["v1 of a family in lower case", line("PROXY tcp4 192.0.2.1 192.0.2.2 1 2")],
  ["v1 with two spaces", line("PROXY TCP4  192.0.2.1 192.0.2.2 1 2")],
  ["v1 with a tab", line("PROXY TCP4\t192.0.2.1 192.0.2.2 1 2")],
  ["v1 with a space at its end", line("PROXY TCP4 192.0.2.1 192.0.2.2 1 2 ")],
  ["v1 with a field too few", line("PROXY TCP4 192.0.2.1 192.0.2.2 1")],
  ["v1 with a field too many", line("PROXY TCP4 192.0.2.1 192.0.2.2 1 2 3")],
  ["v1 with leading zeros in an address", line("PROXY TCP4 192.0.02.1 192.0.2.2 1 2")],
  ["v1 with leading zeros in a port", line("PROXY TCP4 192.0.2.1 192.0.2.2 01 2")],
  ["v1 with a port that is too high", line("PROXY TCP4 192.0.2.1 192.0.2.2 1 65536")],
  ["v1 with a negative port", line("PROXY TCP4 192.0.2.1 192.0.2.2 1 -2")],
  ["v1 with a name", line("PROXY TCP4 example.com 192.0.2.2 1 2")],
  ["v1 with IPv6 addresses in TCP4", line("PROXY TCP4 ::1 ::1 1 2")],
  ["v1 with IPv4 addresses in TCP6", line("PROXY TCP6 192.0.2.1 192.0.2.2 1 2")],
  ["v1 with a zone", line("PROXY TCP6 fe80::1%eth0 ::1 1 2")],
  ["v1 that ends with LF alone", toOctets("PROXY TCP4 192.0.2.1 192.0.2.2 1 2\n")],
  ["v1 with a CR inside", line("PROXY TCP4 192.0.2.1 192.0.2.2 1\r 2")],
  ["v1 UNKNOWN with a CR inside", line("PROXY UNKNOWN \r x")],
  ["v1 UNKNOWN that ends with LF alone", toOctets("PROXY UNKNOWN\n")],
  ["v1 of 108 bytes", line(`PROXY UNKNOWN ${"x".repeat(92)}`)],
  ["v1 without end", toOctets(`PROXY UNKNOWN ${"x".repeat(100)}`)],
  ["v2 with a broken signature", octets("0d0a0d0a000d0a515549540b 21 11 000c")],
  ["v2 of version 1", octets(`${SIGNATURE} 11 11 000c ${V4_ENDS}`)],
  ["v2 of version 3", octets(`${SIGNATURE} 31 11 000c ${V4_ENDS}`)],
  ["v2 with an unknown command", octets(`${SIGNATURE} 22 11 000c ${V4_ENDS}`)],
  ["v2 with an unknown family", octets(`${SIGNATURE} 21 41 000c ${V4_ENDS}`)],
  ["v2 with an unknown transport", octets(`${SIGNATURE} 21 13 000c ${V4_ENDS}`)],
  ["v2 of datagrams", octets(`${SIGNATURE} 21 12 000c ${V4_ENDS}`)],
  ["v2 that is too short for IPv4", octets(`${SIGNATURE} 21 11 000b c0000201 c6336402 dc04 01`)],
  ["v2 that is too short for IPv6", octets(`${SIGNATURE} 21 21 000c ${V4_ENDS}`)],
  ["v2 that is too short for paths", octets(`${SIGNATURE} 21 31 0001 00`)],
];

for (const [name, bytes] of REFUSED) {
  Deno.test(`PROXY protocol: refuses ${name}`, () => {
    for (const { fault } of assertFaults(SUBJECT, bytes)) {
      assertEquals(fault.code, "http_request_error");
      assertMatch(fault.message, /^The PROXY protocol header is not valid: /);
    }
  });
}

Deno.test("PROXY protocol: half a header is waited for", () => {
  for (const [, bytes] of UNDERSTOOD) {
    for (const length of [0, 1, 6, 12, 13, 14, bytes.length - 1]) {
      if (length < bytes.length) assertWaits(SUBJECT, bytes.subarray(0, length));
    }
  }
});

const WRITTEN: [name: string, source: Address, destination: Address, text: string, binary: string][] = [
  [
    "IPv4",
    IPV4.source,
    IPV4.destination,
    "PROXY TCP4 192.0.2.1 198.51.100.2 56324 443",
    `21 11 000c ${V4_ENDS}`,
  ],
  ["IPv6", IPV6.source, IPV6.destination, "PROXY TCP6 2001:db8::1 ::1 65535 0", `21 21 0024 ${V6_ENDS}`],
  [
    "both",
    IPV4.source,
    IPV6.destination,
    "PROXY TCP6 ::ffff:192.0.2.1 ::1 56324 0",
    "21 21 0024 00000000000000000000ffffc0000201 00000000000000000000000000000001 dc04 0000",
  ],
  ["a Unix socket", { path: "" }, { path: "/run/s" }, "PROXY UNKNOWN", "20 00 0000"],
  ["a name", { host: "localhost", port: 1 }, IPV4.destination, "PROXY UNKNOWN", "20 00 0000"],
];

for (const [name, source, destination, text, binary] of WRITTEN) {
  Deno.test(`PROXY protocol: writes a header for ${name}, which it reads again`, () => {
    const v1 = writeProxyHeader({ version: 1, source, destination });
    const v2 = writeProxyHeader({ version: 2, source, destination });
    assertEquals(v1, line(text));
    assertEquals(v2, octets(`${SIGNATURE} ${binary}`));
    const [first] = transcribe(SUBJECT, [v1]).events;
    const [second] = transcribe(SUBJECT, [v2]).events;
    assertEquals(first.ends, second.ends);
  });
}

interface CorpusCase {
  readonly id: string;
  readonly kind: string;
  readonly request: string;
  readonly source_verdict: string;
}

Deno.test({
  name: "PROXY protocol: the corpus's verdicts hold where the protocol is expected",
  ignore: !CORPUS_EXISTS,
  fn() {
    const cases = readCases<CorpusCase>("http1-requests.jsonl")!.filter(({ kind }) =>
      kind === "proxy-protocol"
    );
    assert(cases.length > 0);
    for (const { id, request, source_verdict } of cases) {
      const bytes = Uint8Array.from(atob(request), (char) => char.charCodeAt(0));
      const { events, fault } = transcribe(SUBJECT, [bytes]);
      if (source_verdict.startsWith("accept")) assert(events[0]?.ends, id);
      else assert(fault, id);
    }
  },
});

Deno.test(`PROXY protocol: no input breaks it or depends on how it is cut (seed ${SEED})`, () => {
  const samples = [...UNDERSTOOD, ...REFUSED].map(([, bytes]) => bytes);
  const tally = fuzz(SUBJECT, { samples });
  assert(Math.min(tally.events, tally.faults, tally.waits) > 100, JSON.stringify(tally));
});

Deno.test(`PROXY protocol: whatever addresses are written are read (seed ${SEED})`, () => {
  const random = new Random();
  for (let round = 0; round < 500; round++) {
    const end = () => ({ host: Array.from(random.bytes(4)).join("."), port: random.below(65536) });
    const ends = { source: end(), destination: end() };
    for (const version of [1, 2] as const) {
      const header = { version, ends };
      assertEquals(transcribe(SUBJECT, [writeProxyHeader({ version, ...ends })]).events, [header]);
    }
  }
});
