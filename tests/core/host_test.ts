import { assert, assertEquals, assertFalse } from "@std/assert";
import { isIPv4, isIPv6 } from "node:net";
import {
  formatAuthority,
  formatIpv4,
  formatIpv6,
  isLoopback,
  parseHost,
  parseIp,
  parseIpv4,
  parseIpv6,
} from "../../src/addresses/host.ts";
import { octets } from "../support/codec.ts";
import { Random, SEED } from "../support/random.ts";

const NAMES = [
  "a",
  "localhost",
  "example.com",
  "Example.COM",
  "example.com.",
  "xn--bcher-kva.example",
  "_dmarc.example.com",
  "my_host",
  "-a-.-b-",
  "1.2.3.4",
  "1.2.3.4.",
  "1.2.3",
  "256.1.1.1",
  "01.02.03.04",
  "0x7f.1",
  "2130706433",
  "0",
  "a".repeat(63),
  "a.".repeat(127) + "b",
  "a.".repeat(127),
];

Deno.test("parseHost() keeps a name as it was given", () => {
  for (const name of NAMES) assertEquals(parseHost(name), name);
});

const NO_HOSTS = [
  "",
  ".",
  "..",
  ".a",
  "a..",
  "a..b",
  "a".repeat(64),
  "a." + "b".repeat(64) + ".c",
  "a.".repeat(127) + "bc",
  "a.".repeat(128),
  "example.com\n",
  "example.com\r\nX: y",
  "[::1]",
  "::1]",
  "[::1",
  "a:80",
  "1.2.3.4:80",
  "::1%eth0",
  "fe80::1%25eth0",
  "user@host",
  "host/path",
  "bücher.example",
  "*.example.com",
  "１２７.0.0.1",
];

Deno.test("parseHost() refuses what is no host", () => {
  for (const text of NO_HOSTS) assertEquals(parseHost(text), undefined, JSON.stringify(text));
});

Deno.test("parseHost() allows letters, digits, hyphens, underscores and dots in a name, and no more", () => {
  for (let code = 0; code <= 0x250; code++) {
    const char = String.fromCharCode(code);
    const allowed = /[A-Za-z0-9_.-]/.test(char);
    assertEquals(parseHost(`a${char}b`) !== undefined, allowed, `character ${code}`);
  }
});

Deno.test("parseHost() gives an IPv6 address in its canonical text", () => {
  assertEquals(parseHost("0:0:0:0:0:0:0:1"), "::1");
  assertEquals(parseHost("2001:DB8::0:1"), "2001:db8::1");
  assertEquals(parseHost("::ffff:7f00:1"), "::ffff:127.0.0.1");
});

Deno.test("parseHost() does not take long over hostile text", () => {
  const length = 65536;
  const texts = ["a", "a.", "-", ".", ":", "::", "1:", "0.", "a-", "1."].map((part) => part.repeat(length));
  for (const text of texts) assertEquals(parseHost(text), undefined);
});

Deno.test("parseIpv4() reads four plain decimal octets", () => {
  assertEquals(parseIpv4("0.0.0.0"), octets("00000000"));
  assertEquals(parseIpv4("192.0.2.255"), octets("c00002ff"));
  const others = [
    "",
    "1.2.3",
    "1.2.3.4.5",
    "1.2.3.256",
    "1.2.3.04",
    "00.0.0.0",
    "1.2.3.",
    "1.2.3.4.",
    " 1.2.3.4",
    "1.2.3.4\n",
  ];
  for (const text of [...others, "0x1.2.3.4", "1.2.3.+4", "1.2.3.1e1", "1..2.3", "::1"]) {
    assertEquals(parseIpv4(text), undefined, JSON.stringify(text));
  }
});

Deno.test("formatIpv4() is the way back from parseIpv4()", () => {
  for (const text of ["0.0.0.0", "127.0.0.1", "255.255.255.255"]) {
    const bytes = parseIpv4(text);
    assert(bytes);
    assertEquals(formatIpv4(bytes), text);
  }
});

/** Text → canonical text; the first rows are examples of RFC 4291 section 2.2 and RFC 5952. */
const IPV6: [text: string, canonical: string][] = [
  ["ABCD:EF01:2345:6789:ABCD:EF01:2345:6789", "abcd:ef01:2345:6789:abcd:ef01:2345:6789"],
  ["2001:DB8:0:0:8:800:200C:417A", "2001:db8::8:800:200c:417a"],
  ["FF01:0:0:0:0:0:0:101", "ff01::101"],
  ["0:0:0:0:0:0:0:1", "::1"],
  ["0:0:0:0:0:0:0:0", "::"],
  ["::", "::"],
  ["0:0:0:0:0:0:13.1.68.3", "::d01:4403"],
  ["::FFFF:129.144.52.38", "::ffff:129.144.52.38"],
  ["2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"],
  ["2001:0db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"],
  ["2001:db8::1:0:0:1", "2001:db8::1:0:0:1"],
  ["2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"],
  ["2001:db8::1:1:1:1:1", "2001:db8:0:1:1:1:1:1"],
  ["2001:0:0:1:0:0:0:1", "2001:0:0:1::1"],
  ["1::", "1::"],
  ["1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"],
  ["::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8"],
  ["1:2:3:4:5:6::", "1:2:3:4:5:6::"],
  ["64:ff9b::192.0.2.33", "64:ff9b::c000:221"],
  ["1:2:3:4:5:6:7.8.9.10", "1:2:3:4:5:6:708:90a"],
  ["::1.2.3.4", "::102:304"],
  ["::fffe:1.2.3.4", "::fffe:102:304"],
  ["::1:ffff:1.2.3.4", "::1:ffff:102:304"],
];

Deno.test("parseIpv6() and formatIpv6() give every spelling its one canonical text", () => {
  for (const [text, canonical] of IPV6) {
    const bytes = parseIpv6(text);
    assert(bytes, text);
    assertEquals(formatIpv6(bytes), canonical, text);
    assertEquals(parseIpv6(canonical), bytes, text);
  }
});

const NO_IPV6 = [
  "",
  ":",
  ":::",
  "::::",
  "1",
  "1:2:3:4:5:6:7",
  "1:2:3:4:5:6:7:8:9",
  "1:2:3:4:5:6:7:",
  ":2:3:4:5:6:7:8",
  "1:2:3:4:5:6:7:8::",
  "::1:2:3:4:5:6:7:8",
  "1:2:3:4::5:6:7:8",
  "1::2::3",
  "1:::2",
  "::1:",
  ":1::",
  "12345::",
  "g::",
  "::-1",
  ":: 1",
  " ::1",
  "::1\n",
  "::0x1",
  "1.2.3.4::",
  "1.2.3.4:5:6:7:8:9:a",
  "::1.2.3.4:5",
  "::1.2.3",
  "::1.2.3.256",
  "::1.2.3.04",
  "1:2:3:4:5:6:7:1.2.3.4",
  "1:2:3:4:5:6::1.2.3.4",
  "::1%eth0",
  "[::1]",
  "1.2.3.4",
];

Deno.test("parseIpv6() refuses what is no address", () => {
  for (const text of NO_IPV6) assertEquals(parseIpv6(text), undefined, JSON.stringify(text));
});

Deno.test("parseIp() reads both families", () => {
  assertEquals(parseIp("127.0.0.1"), octets("7f000001"));
  assertEquals(parseIp("::1"), octets("00000000000000000000000000000001"));
  for (const text of ["", "localhost", "2130706433", "[::1]", "127.1"]) {
    assertEquals(parseIp(text), undefined, text);
  }
});

Deno.test(`parseIp() and the system's own reader agree on what an address is (seed ${SEED})`, () => {
  const random = new Random();
  const parts = [
    "0",
    "1",
    "f",
    "ff",
    "0f0f",
    "12345",
    "g",
    ":",
    ":",
    ":",
    ":",
    "::",
    ".",
    ".",
    ".",
    "255",
    "256",
    "01",
    "1.2.3.4",
  ];
  const known = [...IPV6.map(([text]) => text), ...NO_IPV6, "1.2.3.4", "255.255.255.255"];
  // The system's reader takes zones, which no client of a proxy can know.
  const addresses = known.filter((text) => !text.includes("%"));
  let seen = 0;
  for (let round = 0; round < 50_000; round++) {
    const text = round % 2
      ? Array.from({ length: random.below(18) }, () => random.pick(parts)).join("")
      : random.pick(addresses).replace(random.pick([":", "::", ".", "0", "1"]), () => random.pick(parts));
    assertEquals(parseIpv4(text) !== undefined, isIPv4(text), text);
    assertEquals(parseIpv6(text) !== undefined, isIPv6(text), text);
    if (parseIp(text)) seen++;
  }
  assert(seen > 1000, `Only ${seen} addresses were among the texts`);
});

Deno.test(`formatIpv6() and the URL parser agree on the canonical text (seed ${SEED})`, () => {
  const random = new Random();
  for (let round = 0; round < 20_000; round++) {
    const bytes = Uint8Array.from({ length: 16 }, () => random.pick([0, 0, 0, random.below(256)]));
    const text = formatIpv6(bytes);
    assertEquals(parseIpv6(text), bytes);
    // The URL parser knows no dotted form in its output.
    if (!text.includes(".")) assertEquals(`[${text}]`, new URL(`http://[${text}]`).hostname);
  }
});

Deno.test("formatAuthority() puts an IPv6 address in brackets", () => {
  assertEquals(formatAuthority({ host: "example.com", port: 443 }), "example.com:443");
  assertEquals(formatAuthority({ host: "127.0.0.1", port: 80 }), "127.0.0.1:80");
  assertEquals(formatAuthority({ host: "::1", port: 8080 }), "[::1]:8080");
});

Deno.test("isLoopback() knows loopback in every spelling", () => {
  for (
    const host of ["127.0.0.1", "127.255.255.254", "::1", "0:0:0:0:0:0:0:1", "::ffff:127.0.0.1", "localhost"]
  ) {
    assert(isLoopback(host), host);
  }
});

Deno.test("isLoopback() takes nothing else for loopback", () => {
  const others = [
    "0.0.0.0",
    "::",
    "128.0.0.1",
    "10.0.0.1",
    "::2",
    "1::1",
    "::ffff:10.0.0.1",
    "::127.0.0.1",
    "127.1",
    "",
  ];
  for (const host of others) assertFalse(isLoopback(host), host);
});
