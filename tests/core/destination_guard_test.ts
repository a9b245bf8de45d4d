import { assertEquals, assertThrows } from "@std/assert";
import { Fault } from "../../src/faults.ts";
import { refuseSpecialPurpose, specialPurpose } from "../../src/policy/destination_guard.ts";

Deno.test("specialPurpose() knows the first and the last address of each block, and their neighbours", () => {
  const blocks: [before: string | undefined, first: string, last: string, after: string | undefined][] = [
    [undefined, "0.0.0.0", "0.255.255.255", "1.0.0.0"],
    ["9.255.255.255", "10.0.0.0", "10.255.255.255", "11.0.0.0"],
    ["100.63.255.255", "100.64.0.0", "100.127.255.255", "100.128.0.0"],
    ["126.255.255.255", "127.0.0.0", "127.255.255.255", "128.0.0.0"],
    ["169.253.255.255", "169.254.0.0", "169.254.255.255", "169.255.0.0"],
    ["172.15.255.255", "172.16.0.0", "172.31.255.255", "172.32.0.0"],
    ["191.255.255.255", "192.0.0.0", "192.0.0.255", "192.0.1.0"],
    ["192.167.255.255", "192.168.0.0", "192.168.255.255", "192.169.0.0"],
    ["198.17.255.255", "198.18.0.0", "198.19.255.255", "198.20.0.0"],
    ["223.255.255.255", "224.0.0.0", "255.255.255.255", undefined],
    [undefined, "::", "::ffff:ffff", "::1:0:0"],
    ["64:ff9a:ffff::", "64:ff9b::", "64:ff9b::ffff:ffff", "64:ff9b:0:0:0:1::"],
    ["64:ff9b:0:ffff::", "64:ff9b:1::", "64:ff9b:1:ffff:ffff:ffff:ffff:ffff", "64:ff9b:2::"],
    ["2000:ffff::", "2001::", "2001:0:ffff:ffff:ffff:ffff:ffff:ffff", "2001:1::"],
    ["2001:ffff::", "2002::", "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "2003::"],
    ["ff::", "100::", "100::1:ffff:ffff:ffff:ffff", "100:0:0:2::"],
    ["168.63.129.15", "168.63.129.16", "168.63.129.16", "168.63.129.17"],
    ["192.0.1.255", "192.0.2.0", "192.0.2.255", "192.0.3.0"],
    ["192.88.98.255", "192.88.99.0", "192.88.99.255", "192.88.100.0"],
    ["198.51.99.255", "198.51.100.0", "198.51.100.255", "198.51.101.0"],
    ["203.0.112.255", "203.0.113.0", "203.0.113.255", "203.0.114.0"],
    ["::fffe:ffff:ffff:ffff", "::ffff:0:0:0", "::ffff:0:255.255.255.255", "::ffff:1:0:0"],
    ["2001:1:ffff::", "2001:2::", "2001:2:0:ffff:ffff:ffff:ffff:ffff", "2001:2:1::"],
    ["2001:f:ffff::", "2001:10::", "2001:1f:ffff::", "2001:20::"],
    ["2001:db7:ffff::", "2001:db8::", "2001:db8:ffff::", "2001:db9::"],
    ["3ffe:ffff::", "3fff::", "3fff:fff::", "3fff:1000::"],
    ["5eff:ffff::", "5f00::", "5f00:ffff::", "5f01::"],
    ["fbff::", "fc00::", "fdff:ffff::", "fe00::"],
    ["fe7f::", "fe80::", "feff:ffff::", undefined],
    ["fe00::", "ff00::", "ffff:ffff::", undefined],
  ];
  for (const [before, first, last, after] of blocks) {
    for (const inside of [first, last]) assertEquals(typeof specialPurpose(inside), "string", inside);
    for (const outside of [before, after]) {
      if (outside) assertEquals(specialPurpose(outside), undefined, outside);
    }
  }
});

Deno.test("specialPurpose() judges an IPv4-mapped address as the IPv4 address that it is", () => {
  assertEquals(specialPurpose("::ffff:127.0.0.1"), "loopback");
  assertEquals(specialPurpose("::ffff:a00:1"), "private");
  assertEquals(specialPurpose("::ffff:8.8.8.8"), undefined);
});

Deno.test("specialPurpose() knows ISATAP under every prefix (RFC 5214)", () => {
  for (const prefix of ["2606:4700:1:2", "2001:4860:4860:0"]) {
    for (const identifier of ["0:5efe:8.8.8.8", "0:5efe:7f00:1", "200:5efe:8.8.8.8", "200:5efe:a00:1"]) {
      assertEquals(specialPurpose(`${prefix}:${identifier}`), "ISATAP", identifier);
    }
    for (const identifier of ["100:5efe:808:808", "1:5efe:808:808", "0:5eff:808:808", "5efe:0:808:808"]) {
      assertEquals(specialPurpose(`${prefix}:${identifier}`), undefined, identifier);
    }
  }
});

Deno.test("specialPurpose() lets nothing pass that is no address", () => {
  for (const host of ["", "localhost", "127.1", "0x7f.1", "2130706433"]) {
    assertEquals(specialPurpose(host), "no IP address", host);
  }
});

Deno.test("refuseSpecialPurpose() checks the connected peer, too, and that it is not this machine", () => {
  const public1 = { host: "8.8.8.8", port: 80 };
  const local = { host: "8.8.4.4", port: 40_000 };
  refuseSpecialPurpose(public1);
  refuseSpecialPurpose(public1, { local, remote: public1 });
  for (
    const ends of [
      { local, remote: { host: "10.0.0.1", port: 80 } },
      { local: { host: "8.8.8.8", port: 40_000 }, remote: public1 },
    ]
  ) {
    const fault = assertThrows(() => refuseSpecialPurpose(public1, ends), Fault, "8.8.8.8:80 is prohibited");
    assertEquals([fault.code, fault.status, fault.socks5], ["destination_ip_prohibited", 403, 2]);
  }
});
