import { assert, assertEquals } from "@std/assert";
import { lookup } from "node:dns/promises";
import { platform } from "node:os";
import { parseIp } from "../../src/addresses/host.ts";
import { spelledAddresses } from "../../src/addresses/spelled_addresses.ts";

const LOOPBACKS = ["127.0.0.1", "::1"];

/** What getaddrinfo(3) of glibc takes for an address, seen on glibc 2.36. */
const NUMBERS: Readonly<Record<string, string[]>> = {
  "127.0.0.1": ["127.0.0.1"],
  "127.1": ["127.0.0.1"],
  "127.0.1": ["127.0.0.1"],
  "127.0.256": ["127.0.1.0"],
  "127.65536": ["127.1.0.0"],
  "1.0xffffff": ["1.255.255.255"],
  "0x7f.1": ["127.0.0.1"],
  "0X7F000001": ["127.0.0.1"],
  "0x7f.0x0.0x0.0x1": ["127.0.0.1"],
  "2130706433": ["127.0.0.1"],
  "4294967295": ["255.255.255.255"],
  "0": ["0.0.0.0", "127.0.0.1"],
  "00": ["0.0.0.0", "127.0.0.1"],
};

/** Leading zeros mean octal to it, and nothing to others. */
const LEADING_ZEROS: Readonly<Record<string, string[]>> = {
  "0177.0.0.1": ["127.0.0.1", "177.0.0.1"],
  "0300.0250.0.1": ["192.168.0.1"],
  "017700000001": ["127.0.0.1", "31.0.145.1"],
  "010.8": ["8.0.0.8", "10.0.0.8"],
  "00000000127.1": ["87.0.0.1", "127.0.0.1"],
  "127.0.0.010": ["127.0.0.8", "127.0.0.10"],
  "0x7f.010": ["127.0.0.8", "127.0.0.10"],
};

/** What other resolvers take for one. */
const ELSEWHERE: Readonly<Record<string, string[]>> = {
  // URLs, and what reads them.
  "127.1.": ["127.0.0.1"],
  "127.0.0.1.": ["127.0.0.1"],
  "0x": ["0.0.0.0", "127.0.0.1"],
  "0x7f.0x.1": ["127.0.0.1"],
  "08.1": ["8.0.0.1"],
  "127.0.0.08": ["127.0.0.8"],
  // FreeBSD leaves out what does not fit into 32 bits.
  "6425673729": ["127.0.0.1"],
  "0x17f000001": ["127.0.0.1"],
  "4294967423.1": ["127.0.0.1"],
};

const NAMES: Readonly<Record<string, string[]>> = {
  "localhost": LOOPBACKS,
  "LocalHost.": LOOPBACKS,
  "x.localhost": LOOPBACKS,
  "a.b.localhost.": LOOPBACKS,
  "localhost.localdomain": LOOPBACKS,
  "localhost4.localdomain4": ["127.0.0.1"],
  "localhost6.localdomain6": ["::1"],
  "ip6-localhost": ["::1"],
  "IP6-Loopback": ["::1"],
  "_localdnsstub": ["127.0.0.53"],
  "metadata.google.internal.": ["169.254.169.254", "fd20:ce::254"],
};

const INSIDE: Readonly<Record<string, string[]>> = {
  "::1": [],
  "::": ["::1"],
  "2001:4860:4860::8888": [],
  "::ffff:127.0.0.1": ["127.0.0.1"],
  "::ffff:7f00:1": ["127.0.0.1"],
  "::127.0.0.1": ["127.0.0.1"],
  "::ffff:0:127.0.0.1": ["127.0.0.1"],
  "64:ff9b::a00:1": ["10.0.0.1"],
  "2002:a00:1::5": ["10.0.0.1"],
  "2001:0:808:808:8000:0:f5ff:fffe": ["10.0.0.1"],
  "2606:4700::5efe:10.0.0.1": ["10.0.0.1"],
  "fe80::200:5efe:a00:1": ["10.0.0.1"],
};

for (const [what, table] of Object.entries({ NUMBERS, LEADING_ZEROS, ELSEWHERE, NAMES })) {
  Deno.test(`spelledAddresses(): ${what.toLowerCase().replace("_", " ")}`, () => {
    for (const [host, addresses] of Object.entries(table)) {
      assertEquals(spelledAddresses(host), addresses, host);
    }
  });
}

Deno.test("spelledAddresses(): an IPv6 address, and the IPv4 address in it", () => {
  for (const [host, inside] of Object.entries(INSIDE)) {
    assertEquals(spelledAddresses(host), [host, ...inside], host);
  }
});

Deno.test("spelledAddresses(): other names spell nothing", () => {
  const names = [
    ...["", ".", "example.com", "notlocalhost", "localhost.example", "localhost.localdomain.example"],
    ...[
      "1.2.3.4.5",
      "127.0.0.256",
      "127.16777216",
      "256.1",
      "127..1",
      "127.1..",
      "0x7g",
      "1e3",
      "-1",
      "7f.1",
    ],
    ...["127.tracker.example", "1.example", "10.0.0.1.example"],
  ];
  for (const name of names) assertEquals(spelledAddresses(name), [], name);
});

Deno.test("spelledAddresses(): what the system reads as an address is among them", async () => {
  // Other systems read other numbers; those above are of glibc.
  if (platform() !== "linux") return;
  for (const host of Object.keys({ ...NUMBERS, ...LEADING_ZEROS })) {
    const { address } = await lookup(host, { family: 4 });
    assert(spelledAddresses(host).includes(address), `${host} is ${address} here`);
  }
});

Deno.test("spelledAddresses(): all of them are addresses, and long numbers take no time", () => {
  const long = [Array(4).fill("9".repeat(63)).join("."), `0x${"f".repeat(61)}`, `0${"7".repeat(62)}`];
  for (const host of [...Object.keys({ ...NUMBERS, ...LEADING_ZEROS, ...ELSEWHERE, ...NAMES }), ...long]) {
    for (const address of spelledAddresses(host)) assert(parseIp(address), `${host}: ${address}`);
  }
});
