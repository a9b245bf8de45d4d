import { assertEquals } from "@std/assert";
import { readUdpRequest, writeUdpReply } from "../../src/protocols/socks/socks5_udp.ts";
import { concat, octets } from "../support/codec.ts";
import { FUZZ_ROUNDS, Random, SEED } from "../support/random.ts";

const UNDERSTOOD: readonly (readonly [name: string, header: string, host: string, port: number])[] = [
  ["an IPv4 address", "0000 00 01 7f000001 0035", "127.0.0.1", 53],
  ["an IPv6 address", "0000 00 04 20010db8000000000000000000000001 ffff", "2001:db8::1", 65535],
  [
    "an IPv4 address mapped into IPv6",
    "0000 00 04 00000000000000000000ffff7f000001 0001",
    "::ffff:127.0.0.1",
    1,
  ],
  ["a name", '0000 00 03 0b "example.com" 0035', "example.com", 53],
  ["a name of one byte", '0000 00 03 01 "a" 0035', "a", 53],
  ["a name of 255 bytes", `0000 00 03 ff "${"a.".repeat(127)}b" 0035`, "a.".repeat(127) + "b", 53],
  ["an IPv6 address sent as a name", '0000 00 03 07 "0:0::01" 0035', "::1", 53],
];

for (const [name, header, host, port] of UNDERSTOOD) {
  Deno.test(`socks5_udp: reads ${name}, whatever follows, and no part of it`, () => {
    const bytes = octets(header);
    for (const payload of ["", "00", "0000 00 01 7f000001 0035", "ff".repeat(65507 - bytes.length)]) {
      const request = readUdpRequest(concat(bytes, octets(payload)));
      assertEquals(request, { target: { host, port }, payload: octets(payload) });
    }
    for (let length = 0; length < bytes.length; length++) {
      assertEquals(readUdpRequest(bytes.subarray(0, length)), undefined, `${length} bytes`);
    }
  });
}

const DROPPED: readonly (readonly [name: string, bytes: string])[] = [
  ["a first fragment", '0000 01 01 7f000001 0035 "data"'],
  ["a last fragment", '0000 81 01 7f000001 0035 "data"'],
  ["reserved octets that are not 0", '0100 00 01 7f000001 0035 "data"'],
  ["a second reserved octet that is not 0", '0001 00 01 7f000001 0035 "data"'],
  ["the address type 0", '0000 00 00 7f000001 0035 "data"'],
  ["the address type 2", '0000 00 02 7f000001 0035 "data"'],
  ["the address type 255", '0000 00 ff 7f000001 0035 "data"'],
  ["port 0", '0000 00 01 7f000001 0000 "data"'],
  ["an empty name", '0000 00 03 00 0035 "data"'],
  ["a name that is none", '0000 00 03 03 "a b" 0035 "data"'],
  ["a name with NUL in it", '0000 00 03 03 "a" 00 "b" 0035 "data"'],
  ["a name longer than the datagram", '0000 00 03 ff "a" 0035 "data"'],
];

for (const [name, bytes] of DROPPED) {
  Deno.test(`socks5_udp: drops ${name}`, () => assertEquals(readUdpRequest(octets(bytes)), undefined));
}

Deno.test(`socks5_udp: no input breaks it (seed ${SEED})`, () => {
  const random = new Random();
  const samples = [...UNDERSTOOD, ...DROPPED].map(([, bytes]) => octets(bytes));
  let understood = 0;
  for (let round = 0; round < 2 * FUZZ_ROUNDS; round++) {
    const bytes = round % 2 === 0 ? random.bytes(random.below(32)) : random.mutate(random.pick(samples));
    if (readUdpRequest(bytes)) understood++;
  }
  assertEquals(understood > 100, true, `${understood} were understood`);
});

Deno.test("socks5_udp: a reply says where it comes from, and is read back as it was", () => {
  const written: [host: string, header: string][] = [
    ["192.0.2.1", "0000 00 01 c0000201 0035"],
    ["2001:db8::1", "0000 00 04 20010db8000000000000000000000001 0035"],
  ];
  for (const [host, header] of written) {
    for (const payload of [octets(""), octets('"answer"')]) {
      const bytes = writeUdpReply({ host, port: 53 }, payload);
      assertEquals(bytes, concat(octets(header), payload));
      assertEquals(readUdpRequest(bytes), { target: { host, port: 53 }, payload });
    }
  }
});
