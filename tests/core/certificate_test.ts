import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { createHash, createPrivateKey, X509Certificate } from "node:crypto";
import { selfSigned } from "../../src/tls/certificate.ts";
import { parseIp } from "../../src/addresses/host.ts";

const NOW = new Date("2026-03-04T05:06:07.890Z");

Deno.test("selfSigned() makes a certificate that its own key has signed", () => {
  const { cert, key, pin } = selfSigned("proxy.example.com", { now: NOW, days: 10 });
  const read = new X509Certificate(cert);
  assert(read.checkPrivateKey(createPrivateKey(key)));
  assert(read.verify(read.publicKey));
  assertEquals([read.subject, read.issuer], ["CN=proxy.example.com", "CN=proxy.example.com"]);
  const spki = read.publicKey.export({ type: "spki", format: "der" });
  assertEquals(pin, `sha256/${createHash("sha256").update(spki).digest("base64")}`);
  assert(cert.split("\n").every((line) => line.length <= 64), cert);
});

Deno.test("selfSigned() names a host as what it is: a DNS name, an IPv4 or an IPv6 address", () => {
  const altNameOf = (host: string) => {
    const { cert } = selfSigned(host, { now: NOW, days: 10 });
    return new X509Certificate(cert).subjectAltName ?? "";
  };
  assertEquals(altNameOf("proxy.example.com"), "DNS:proxy.example.com");
  assertEquals(altNameOf("192.0.2.1"), "IP Address:192.0.2.1");
  // Runtimes write it in several ways.
  const [, ip] = /^IP Address:(.+)$/.exec(altNameOf("2001:db8::1")) ?? [];
  assertEquals(parseIp(ip), parseIp("2001:db8::1"));
});

Deno.test("selfSigned() takes a name of any length that DNS allows", () => {
  const name = Array.from({ length: 4 }, () => "x".repeat(62)).join(".");
  const { cert } = selfSigned(name, { now: NOW, days: 10 });
  assertEquals(new X509Certificate(cert).subjectAltName, `DNS:${name}`);
});

Deno.test("selfSigned() counts the days from now, also past the year 2049", () => {
  for (const days of [1, 3_650, 36_500]) {
    const read = new X509Certificate(selfSigned("a.test", { now: NOW, days }).cert);
    assertEquals(Date.parse(read.validFrom), NOW.getTime() - 890);
    assertEquals(Date.parse(read.validTo), NOW.getTime() - 890 + days * 86_400_000);
  }
});

Deno.test("selfSigned() makes another key and another serial number each time", () => {
  const [one, two] = [1, 2].map(() => selfSigned("a.test", { now: NOW, days: 1 }));
  assertNotEquals(one.pin, two.pin);
  const [first, second] = [one, two].map(({ cert }) => new X509Certificate(cert).serialNumber);
  assertNotEquals(first, second);
  assertEquals([first.length, second.length], [32, 32]);
});
