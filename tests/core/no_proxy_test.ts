import { assertEquals } from "@std/assert";
import { noProxy } from "../../src/dialing/no_proxy.ts";

const CASES: [patterns: string, host: string, port: number, direct: boolean][] = [
  ["", "example.com", 80, false],
  ["*", "example.com", 80, true],
  ["*", "::1", 80, true],
  ["example.com", "example.com", 80, true],
  ["example.com", "EXAMPLE.com.", 80, true],
  ["Example.Com.", "www.example.com", 80, true],
  [".example.com", "example.com", 80, true],
  [".example.com", "a.b.example.com", 80, true],
  ["*.example.com", "www.example.com", 80, true],
  ["*.example.com", "a.b.Example.com.", 80, true],
  ["*.example.com", "example.com", 80, false],
  ["*.example.com:443", "www.example.com", 443, true],
  ["*.example.com:443", "www.example.com", 80, false],
  ["*.example.com", "notexample.com", 80, false],
  ["*example.com", "www.example.com", 80, false],
  ["*.*", "example.com", 80, false],
  ["bücher.example", "xn--bcher-kva.example", 80, true],
  ["Bücher.example.", "www.xn--bcher-kva.example", 80, true],
  [".bücher.example:80", "XN--BCHER-KVA.example", 80, true],
  ["*.bücher.example", "xn--bcher-kva.example", 80, false],
  ["*.bücher.example", "www.xn--bcher-kva.example", 80, true],
  ["xn--bcher-kva.example", "bücher.example", 80, true],
  ["bucher.example", "xn--bcher-kva.example", 80, false],
  ["example.com", "notexample.com", 80, false],
  ["example.com", "example.com.evil.test", 80, false],
  ["a.test, b.test", "b.test", 80, true],
  ["a.test b.test", "b.test", 80, true],
  ["a.test,,b.test,", "c.test", 80, false],
  ["example.com:443", "example.com", 443, true],
  ["example.com:443", "www.example.com", 443, true],
  ["example.com:443", "example.com", 80, false],
  ["192.0.2.1", "192.0.2.1", 80, true],
  ["192.0.2.1", "192.0.2.10", 80, false],
  ["192.0.2.1", "::ffff:192.0.2.1", 80, true],
  ["192.0.2.1:80", "192.0.2.1", 81, false],
  ["192.0.2.0/24", "192.0.2.255", 80, true],
  ["192.0.2.7/24", "192.0.2.255", 80, true],
  ["192.0.2.0/24", "192.0.3.0", 80, false],
  ["192.0.2.0/24", "192.0.2.1.example", 80, false],
  ["10.0.0.0/8:22", "10.1.1.1", 22, true],
  ["10.0.0.0/8:22", "10.1.1.1", 23, false],
  ["2001:db8::/32", "2001:db8:1::1", 80, true],
  ["::1", "::1", 80, true],
  ["[::1]", "::1", 80, true],
  ["[::1]:80", "::1", 80, true],
  ["[::1]:80", "::1", 81, false],
  ["1.2.3.4/33", "1.2.3.4", 80, false],
  ["localhost", "127.0.0.1", 80, false],
];

for (const [patterns, host, port, direct] of CASES) {
  Deno.test(`noProxy(): "${patterns}" sends ${host}:${port} ${direct ? "directly" : "through the upstream"}`, () => {
    assertEquals(noProxy(patterns)({ host, port }), direct);
  });
}
