import { assert, assertEquals } from "@std/assert";
import { ByteBuffer } from "../../src/streams/byte_buffer.ts";
import { detect } from "../../src/protocols/detection.ts";
import { PROTOCOLS } from "../../src/protocols/client_protocols.ts";
import { CLIENT_PROTOCOLS } from "../../src/protocols/table.ts";
import { octets } from "../support/codec.ts";
import { settingsWith } from "../support/settings.ts";

const OPTIONS = {
  credentialsRequired: false,
  settings: settingsWith(),
  reference: "7-1",
  date: () => new Date(0),
};

function verdict(first: number): string {
  if (first === 4) return "socks4";
  if (first === 5) return "socks5";
  if (first === 0x16) return "tls";
  return /[!#$%&'*+.^_`|~0-9A-Za-z\r\n-]/.test(String.fromCharCode(first)) ? "http" : "unknown";
}

Deno.test("detect() judges every first byte", () => {
  for (let first = 0; first < 256; first++) {
    assertEquals(detect(ByteBuffer.of(Uint8Array.of(first))), verdict(first), `byte ${first}`);
  }
});

Deno.test("detect() knows what clients begin with", () => {
  const openings = [
    ['"GET http://example.com/ HTTP/1.1"', "http"],
    ['"CONNECT example.com:443 HTTP/1.1"', "http"],
    ['0d0a "GET http://example.com/ HTTP/1.1"', "http"],
    ["04 01 0050 7f000001 00", "socks4"],
    ["05 01 00", "socks5"],
    ["16 0301 0200 01", "tls"],
    ['"<policy-file-request/>" 00', "unknown"],
    ["00 00 00 85 ff 53 4d 42", "unknown"],
    ['" GET / HTTP/1.1"', "unknown"],
    ["80 2e 01 03 01", "unknown"],
  ] as const;
  for (const [bytes, protocol] of openings) {
    assertEquals(detect(ByteBuffer.of(octets(bytes))), protocol, bytes);
  }
});

Deno.test("detect() waits for the first byte and needs no second", () => {
  assertEquals(detect(new ByteBuffer(16)), undefined);
  assertEquals(detect(ByteBuffer.of(octets("05"))), "socks5");
});

Deno.test("detect() takes nothing off the buffer", () => {
  const buffer = ByteBuffer.of(octets("05 01 00"));
  detect(buffer);
  assertEquals(buffer.bytes, octets("05 01 00"));
});

Deno.test("detect() looks at the first byte that was not used", () => {
  const buffer = ByteBuffer.of(octets("05 04"));
  buffer.skip(1);
  assertEquals(detect(buffer), "socks4");
});

Deno.test("detect() does not know a protocol that the listener does not accept", () => {
  const firsts = {
    http: octets('"G"'),
    socks4: octets("04"),
    socks5: octets("05"),
  } as const;
  const protocols = Object.keys(firsts) as (keyof typeof firsts)[];
  for (const accepted of protocols) {
    for (const spoken of protocols) {
      const expected = spoken === accepted ? spoken : "unknown";
      assertEquals(detect(ByteBuffer.of(firsts[spoken]), [accepted]), expected);
    }
    assertEquals(detect(ByteBuffer.of(octets("16")), [accepted]), "tls");
  }
  assertEquals(detect(ByteBuffer.of(octets("04")), ["http", "socks5"]), "unknown");
  assertEquals(detect(ByteBuffer.of(octets("05")), ["http", "socks5"]), "socks5");
  assertEquals(detect(ByteBuffer.of(octets("05")), []), "unknown");
});

Deno.test("detect() takes whatever comes for a line where nothing else is spoken, and nothing elsewhere", () => {
  for (let first = 0; first < 256; first++) {
    assertEquals(detect(ByteBuffer.of(Uint8Array.of(first)), ["line"]), "line");
  }
});

Deno.test("no first byte belongs to two protocols that are told apart", () => {
  for (let first = 0; first < 256; first++) {
    const claimed = CLIENT_PROTOCOLS.filter(({ begins, detected }) => detected && begins(first));
    assert(claimed.length <= 1, `byte ${first}`);
  }
});

Deno.test("every protocol has the handshake that speaks it", () => {
  for (const [protocol, { Handshake }] of Object.entries(PROTOCOLS)) {
    assertEquals(new Handshake(OPTIONS).protocol, protocol);
  }
});
