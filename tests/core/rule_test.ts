import { assert, assertEquals, assertFalse, assertThrows } from "@std/assert";
import { describe, parseRule } from "../../src/policy/rule.ts";
import { type RuleRequest, Subject } from "../../src/policy/rule_request.ts";
import { UsageError } from "../../src/text/usage_error.ts";

const REQUEST: RuleRequest = {
  host: "example.com",
  port: 443,
  protocol: "connect",
  user: undefined,
  client: undefined,
};

function matches(text: string, request: Partial<RuleRequest>): boolean | undefined {
  return parseRule("deny", text, "--deny").match.holds(new Subject({ ...REQUEST, ...request }, undefined));
}

Deno.test("host patterns match names in any case, with and without the root's dot", () => {
  const cases: [pattern: string, host: string, expected: boolean][] = [
    ["example.com", "example.com", true],
    ["example.com", "EXAMPLE.com.", true],
    ["Example.COM.", "example.com", true],
    ["example.com", "www.example.com", false],
    ["example.com", "badexample.com", false],
    ["example.com", "example.com.evil.test", false],
    ["*.example.com", "www.example.com", true],
    ["*.example.com", "a.b.Example.Com.", true],
    ["*.example.com.", "a.example.com", true],
    ["*.example.com", "example.com", false],
    ["*.example.com", "badexample.com", false],
    [".example.com", "example.com", true],
    [".example.com", "www.example.com", true],
    [".example.com", "badexample.com", false],
    ["*.com", "example.com", true],
    ["localhost", "LOCALHOST.", true],
    ["my_host", "my_host", true],
    ["bücher.example", "xn--bcher-kva.example", true],
    ["BÜCHER.example.", "XN--BCHER-KVA.EXAMPLE", true],
    ["*.bücher.example", "www.xn--bcher-kva.example.", true],
    ["xn--bcher-kva.example", "xn--bcher-kva.example", true],
    ["bücher。example", "xn--bcher-kva.example", true],
    ["*", "example.com", true],
    ["*", "192.0.2.1", true],
    ["a.com,*.b.com,c.com", "www.b.com", true],
    ["a.com,*.b.com,c.com", "d.com", false],
  ];
  for (const [pattern, host, expected] of cases) {
    assertEquals(matches(pattern, { host }), expected, `${pattern} on ${host}`);
  }
});

Deno.test("IP targets match the address that a client gave, in whatever spelling, and the dialed", () => {
  const cases: [target: string, host: string, address: string | undefined, expected: boolean | undefined][] =
    [
      ["10.0.0.0/8", "10.1.2.3", undefined, true],
      ["10.0.0.0/8", "11.1.2.3", undefined, false],
      ["10.0.0.0/8", "10.1.2.3.", undefined, true],
      ["10.0.0.0/8", "::ffff:10.1.2.3", undefined, true],
      ["::ffff:10.0.0.0/104", "10.1.2.3", undefined, true],
      ["10.0.0.0/8", "example.com", undefined, undefined],
      ["10.0.0.0/8", "example.com", "10.1.2.3", true],
      ["10.0.0.0/8", "example.com", "::ffff:a01:203", true],
      ["10.0.0.0/8", "example.com", "192.0.2.1", false],
      ["10.0.0.0/8", "2130706433", undefined, undefined],
      ["127.0.0.0/8", "2130706433", "127.0.0.1", true],
      ["192.0.2.1", "192.0.2.1", undefined, true],
      ["192.0.2.1.", "192.0.2.1", undefined, true],
      ["192.0.2.1", "192.0.2.2", undefined, false],
      ["2001:db8::/32", "2001:db8::1", undefined, true],
      ["[2001:db8::]/32", "2001:db8::1", undefined, true],
      ["[2001:db8::/32]", "2001:db8::1", undefined, true],
      ["::1", "::1", undefined, true],
      ["[::1]", "::2", undefined, false],
      ["::/0", "::ffff:10.1.2.3", undefined, false],
      ["fe80::/10", "example.com", "fe80::1%eth0", true],
      ["example.com", "192.0.2.1", "192.0.2.1", false],
      [".example.com", "192.0.2.1", undefined, false],
      ["!example.com", "192.0.2.1", undefined, true],
      ["!10.0.0.0/8", "example.com", undefined, undefined],
      ["!10.0.0.0/8", "example.com", "10.0.0.1", false],
      ["a.com,10.0.0.0/8", "a.com", undefined, true],
      ["10.0.0.0/8,a.com", "a.com", undefined, true],
      ["a.com,10.0.0.0/8", "b.com", undefined, undefined],
      [".example.com 10.0.0.0/8", "example.com", undefined, undefined],
      [".example.com 10.0.0.0/8", "example.com", "10.0.0.1", true],
      ["10.0.0.0/8 .example.com", "a.com", undefined, false],
      ["10.0.0.0/8 port=25", "a.com", undefined, false],
      ["10.0.0.0/8:25", "a.com", undefined, false],
      ["10.0.0.0/8 port=443", "a.com", undefined, undefined],
    ];
  for (const [target, host, address, expected] of cases) {
    assertEquals(matches(target, { host, address }), expected, `${target} on ${host} at ${address}`);
  }
});

Deno.test("ports belong to the target before them; numbers behind a comma go on with these ports", () => {
  const cases: [target: string, host: string, port: number, expected: boolean][] = [
    ["a.com:443", "a.com", 443, true],
    ["a.com:443", "a.com", 80, false],
    ["a.com,b.com:443", "a.com", 80, true],
    ["a.com,b.com:443", "b.com", 80, false],
    ["a.com,b.com:443", "b.com", 443, true],
    ["a.com:80,443", "a.com", 443, true],
    ["a.com:80,443,b.com", "b.com", 25, true],
    ["a.com:80,443,b.com", "a.com", 25, false],
    ["a.com:80,443,8000-8999,b.com:25", "a.com", 8500, true],
    ["a.com:80,443,8000-8999,b.com:25", "a.com", 25, false],
    ["a.com:80,443,8000-8999,b.com:25", "b.com", 25, true],
    ["a.com:80,443,8000-8999,b.com:25", "b.com", 80, false],
    ["*:25", "192.0.2.1", 25, true],
    ["*:25", "a.com", 26, false],
    ["*:1-65535", "a.com", 65535, true],
    ["!*:443", "a.com", 80, true],
    ["[::1]:443", "::1", 443, true],
    ["[::1]:443", "::1", 80, false],
    ["::1:443", "::1", 443, false],
    ["::1:443", "::1:443", 80, true],
    ["[2001:db8::]/32:80,443", "2001:db8::1", 443, true],
    ["2001:db8::/32:80,443", "2001:db8::1", 25, false],
    ["10.0.0.0/8:22,::1", "10.0.0.1", 22, true],
    ["10.0.0.0/8:22,::1", "10.0.0.1", 80, false],
    ["10.0.0.0/8:22,::1", "::1", 80, true],
    ["192.0.2.1:80", "192.0.2.1", 80, true],
  ];
  for (const [target, host, port, expected] of cases) {
    assertEquals(matches(target, { host, port }), expected, `${target} on ${host} port ${port}`);
  }
});

Deno.test("words about ports, protocols, users and clients all have to hold, and may be negated", () => {
  const cases: [text: string, request: Partial<RuleRequest>, expected: boolean][] = [
    ["port=443", {}, true],
    ["port=80,8000-8999", { port: 8999 }, true],
    ["port=80,8000-8999", { port: 9000 }, false],
    ["!port=443", {}, false],
    ["!port=80", {}, true],
    ["protocol=http", {}, false],
    ["protocol=http,connect", {}, true],
    ["!protocol=udp", { protocol: "udp" }, false],
    ["protocol=socks4,socks5,udp", { protocol: "socks4" }, true],
    ["user=ann", { user: "ann" }, true],
    ["user=ann", { user: "Ann" }, false],
    ["user=ann,bob", { user: "bob" }, true],
    ["user=ann", {}, false],
    ["user=*", {}, false],
    ["user=*", { user: "eve" }, true],
    ["user=ann@example.com", { user: "ann@example.com" }, true],
    ["!user=*", {}, true],
    ["!user=ann", {}, true],
    ["client=10.0.0.0/8", { client: "10.0.0.1" }, true],
    ["client=10.0.0.0/8", { client: "::ffff:10.0.0.1" }, true],
    ["client=10.0.0.0/8,::1", { client: "::1" }, true],
    ["client=10.0.0.0/8", { client: "192.0.2.1" }, false],
    ["client=fe80::/10", { client: "fe80::1%eth0" }, true],
    ["client=0.0.0.0/0,::/0", {}, false],
    ["!client=10.0.0.0/8", {}, true],
    ["example.com port=443 protocol=connect user=ann", { user: "ann" }, true],
    ["example.com port=443 protocol=connect user=ann", { user: "bob" }, false],
    [" \t .example.com   !www.example.com !old.example.com ", { host: "api.example.com" }, true],
    [".example.com !www.example.com", { host: "www.example.com" }, false],
    ["!a.com,b.com", { host: "b.com" }, false],
  ];
  for (const [text, request, expected] of cases) {
    assertEquals(matches(text, request), expected, `${text} on ${JSON.stringify(request)}`);
  }
});

Deno.test("parseRule() says what is wrong with a rule, and what to write", () => {
  const cases: [text: string, why: string][] = [
    ["", 'what it is about is missing; write "*" for everything'],
    ["port=70000", "port 70000 does not exist; ports are 1 to 65535"],
    ["example.com:0", "port 0 does not exist"],
    ["port=9000-8000", 'ports "9000-8000" end before they begin; write "8000-9000"'],
    ["port=https", 'port "https" is no number'],
    ["port=80,", '"port=80," lacks a value'],
    ["user=", '"user=" lacks a value'],
    ["example.com:", 'port "" is no number'],
    ["example.com:80,90-", 'port "90-" is no number'],
    ["example.com:*", 'port "*" is no number'],
    ["example.com,443", '"443" is no host; ports go behind one, "*:443", or "port=443"'],
    ["8000-8999", '"8000-8999" is no host'],
    [":25", 'a host is missing; write "*" for every host'],
    ["a.com, b.com", "a host is missing"],
    ["a.com,,b.com", "a host is missing"],
    ["a.com b.com", '"b.com" is a second word about names, and all words must hold; join the two'],
    ["10.0.0.0/8 ::1", '"::1" is a second word about addresses'],
    ["port=80 port=443", '"port=443" is a second word about ports'],
    ["prot=443", '"prot=" is unknown; did you mean "port="?'],
    ["protocl=http", '"protocl=" is unknown; did you mean "protocol="?'],
    ["colour=red", '"colour=" is unknown; use one of "port=", "protocol=", "user=", "client="'],
    ["constructor=red", '"constructor=" is unknown'],
    ["host=example.com", '"host=" is unknown; write hosts and addresses alone'],
    ["protocol=https", 'protocol "https" is unknown; did you mean "connect"?'],
    ["protocol=socks", 'protocol "socks" is unknown; did you mean "socks4"?'],
    ["protocol=gopher", 'protocol "gopher" is unknown; use one of http, connect, socks4, socks5, line, udp'],
    ["10.1.2.3/8", '"10.1.2.3/8" has bits set beyond its prefix; write "10.0.0.0/8"'],
    ["[2001:db8::1]/32:443", 'write "2001:db8::/32"'],
    ["client=10.1.2.3/8", 'write "10.0.0.0/8"'],
    ["client=localhost", 'client "localhost" is no IP address'],
    ["10.0.0.0/33", '"10.0.0.0/33" is no block of addresses'],
    ["example.com/path", "rules know no paths"],
    ["http://example.com/", "is a URL; write its host alone"],
    ["10.0.0", '"10.0.0" is no IP address; write all of it'],
    ["256.1.1.1", "is no IP address"],
    ["0x7f.1", "is no IP address"],
    ["0x7f", "is no IP address"],
    ["2130706433", "is no host"],
    ["１２７.0.0.1", "is no IP address"],
    ["www.*", '"www.*" has a "*" out of place'],
    ["*example.com", "out of place"],
    ["*.", "out of place"],
    ["*.*.example.com", "out of place"],
    [".", "is neither"],
    ["example..com", "is neither"],
    ["ex%61mple.com", "is neither"],
    ["b<ü", "is neither"],
    ["bü/cher", "is no block of addresses"],
    ["[example.com]", "brackets are for these"],
    ["[127.0.0.1]:80", "brackets are for these"],
    ["2001:db8:::443", "is neither"],
    ["user@example.com", "is neither"],
    ["!", 'a "!" stands alone'],
    ["! port=443", 'a "!" stands alone'],
    ["!!port=443", '"!!port=443" has a "!" too many'],
  ];
  for (const [text, why] of cases) {
    const { message } = assertThrows(() => parseRule("deny", text, "--deny"), UsageError, undefined, text);
    assert(message.startsWith(`Invalid rule "${`deny ${text}`.trim()}": `), message);
    assert(message.includes(why), `${message} should say: ${why}`);
  }
});

Deno.test("parseRule() leaves the endpoints of a route as they are", () => {
  const cases: [text: string, via: string][] = [
    ["* via socks5://127.0.0.1:1080", "socks5://127.0.0.1:1080"],
    ["  .corp.example   port=443   via  http://a:1,direct ", "http://a:1,direct"],
    ["via.example.com\tvia\tdirect", "direct"],
    ["* via unix:/run/my proxy.sock", "unix:/run/my proxy.sock"],
  ];
  for (const [text, via] of cases) {
    const rule = parseRule("route", text, "rules.txt:1");
    assertEquals([rule.kind, rule.via], ["route", via]);
  }
  for (const text of ["*", "* via", "* via  ", "", "via", "*via direct"]) {
    assertThrows(() => parseRule("route", text, ""), UsageError, "where to is missing");
  }
  assertThrows(() => parseRule("route", "via direct", ""), UsageError, "what it is about is missing");
});

Deno.test("describe() names a rule and where it was written", () => {
  const rule = parseRule("deny", "  *.example.com \t port=443", "rules.txt:12");
  assertEquals(describe(rule), "deny *.example.com port=443 (rules.txt:12)");
});

Deno.test("neither a rule's text nor a complaint has a password", () => {
  const texts = [
    "* via http://ann:secret@a:1",
    "user=ann@example.com via ann:secret@a:1",
    "* via http://ann:sec/ret,secret@a:1,http://bob:secret@b:1",
  ];
  for (const text of texts) {
    const rule = parseRule("route", text, "rules.txt:1");
    assert(rule.via.includes("secret"));
    assertFalse(describe(rule).includes("secret"), describe(rule));
  }
  assertEquals(describe(parseRule("route", texts[0], "f:1")), "route * via http://...@a:1 (f:1)");
  const broken = [
    "nonsense= via http://ann:secret@a:1",
    "* http://ann:secret@a:1",
    "* vai ann:secret@a:1",
    "* via=ann:secret@a:1",
    "http://ann:secret@a:1 via direct",
    "ann:secret@a:1 via direct",
  ];
  for (const text of broken) {
    const { message } = assertThrows(() => parseRule("route", text, "f:1"), UsageError);
    assertFalse(message.includes("secret"), message);
  }
});
