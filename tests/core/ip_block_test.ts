import { assert, assertEquals } from "@std/assert";
import { blockContains, parseIpAddress, parseIpBlock, suggestIpBlock } from "../../src/addresses/ip_block.ts";

/** Whether an address is in a block; throws for what is none. */
function contains(block: string, address: string): boolean {
  return blockContains(parseIpBlock(block)!, parseIpAddress(address)!);
}

Deno.test("parseIpBlock() reads addresses and prefix lengths of both families", () => {
  const cases: [text: string, version: number, bits: number][] = [
    ["0.0.0.0/0", 4, 0],
    ["10.0.0.0/8", 4, 8],
    ["192.0.2.1", 4, 32],
    ["192.0.2.1/32", 4, 32],
    ["::/0", 6, 0],
    ["2001:db8::/32", 6, 32],
    ["2001:DB8:0::/32", 6, 32],
    ["::1", 6, 128],
    ["::ffff:10.0.0.0/104", 4, 8],
    ["::ffff:0:0/96", 4, 0],
    ["::ffff:192.0.2.1", 4, 32],
  ];
  for (const [text, version, bits] of cases) {
    const block = parseIpBlock(text);
    assertEquals([block?.version, block?.bits], [version, bits], text);
  }
});

Deno.test("parseIpBlock() refuses what is no block", () => {
  const texts = ["", "/8", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/08", "10.0.0.0/-1", "10.0.0.0/8/8", "10/8"];
  const others = [
    "::/129",
    "[::1]",
    "[::]/0",
    "::1%eth0",
    "example.com/8",
    "10.0.0.0/8 ",
    "::ffff:10.0.0.0/8",
  ];
  for (const text of [...texts, ...others, "10.0.0.0/255.0.0.0", "1.2.3.4/1e1", "0x7f.1"]) {
    assertEquals(parseIpBlock(text), undefined, text);
    assertEquals(suggestIpBlock(text), undefined, text);
  }
});

Deno.test("suggestIpBlock() says which block was meant where bits are set beyond the prefix", () => {
  const cases: [text: string, meant: string][] = [
    ["10.1.2.3/8", "10.0.0.0/8"],
    ["192.0.2.255/31", "192.0.2.254/31"],
    ["128.0.0.1/0", "0.0.0.0/0"],
    ["2001:db8::1/33", "2001:db8::/33"],
    ["::ffff:10.0.0.1/104", "10.0.0.0/8"],
  ];
  for (const [text, meant] of cases) {
    assertEquals(parseIpBlock(text), undefined, text);
    assertEquals(suggestIpBlock(text), meant, text);
    assert(parseIpBlock(meant), meant);
  }
});

Deno.test("blockContains() is true from the first to the last address of a block", () => {
  const cases: [block: string, before: string | undefined, first: string, last: string, after?: string][] = [
    ["0.0.0.0/0", undefined, "0.0.0.0", "255.255.255.255"],
    ["10.0.0.0/8", "9.255.255.255", "10.0.0.0", "10.255.255.255", "11.0.0.0"],
    ["172.16.0.0/12", "172.15.255.255", "172.16.0.0", "172.31.255.255", "172.32.0.0"],
    ["192.0.2.128/25", "192.0.2.127", "192.0.2.128", "192.0.2.255", "192.0.3.0"],
    ["192.0.2.1", "192.0.2.0", "192.0.2.1", "192.0.2.1", "192.0.2.2"],
    ["::/0", undefined, "::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"],
    ["2001:db8::/33", "2001:db7:ffff::", "2001:db8::", "2001:db8:7fff:ffff::", "2001:db8:8000::"],
    ["::1", "::", "::1", "::1", "::2"],
  ];
  for (const [block, before, first, last, after] of cases) {
    for (const inside of [first, last]) assert(contains(block, inside), `${inside} in ${block}`);
    for (const outside of [before, after]) {
      if (outside) assertEquals(contains(block, outside), false, `${outside} in ${block}`);
    }
  }
});

Deno.test("blockContains() judges IPv4-mapped addresses as IPv4, and keeps the families apart", () => {
  const cases: [block: string, address: string, expected: boolean][] = [
    ["10.0.0.0/8", "::ffff:10.1.2.3", true],
    ["10.0.0.0/8", "::ffff:a01:203", true],
    ["10.0.0.0/8", "::10.1.2.3", false],
    ["::ffff:10.0.0.0/104", "10.1.2.3", true],
    ["::/0", "::ffff:10.1.2.3", false],
    ["::/0", "10.1.2.3", false],
    ["0.0.0.0/0", "::1", false],
    ["0.0.0.0/0", "::ff00:0:0", false],
    ["::ff00:0:0/88", "::ff01:203:405", true],
  ];
  for (const [block, address, expected] of cases) {
    assertEquals(contains(block, address), expected, `${address} in ${block}`);
  }
});
