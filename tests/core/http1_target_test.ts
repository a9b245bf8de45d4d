import { assertEquals } from "@std/assert";
import { parseAuthority, parseTarget } from "../../src/protocols/http/target.ts";
import { faultOf, visible } from "../support/http1.ts";

function refuses(act: () => unknown): void {
  const fault = faultOf(act);
  assertEquals([fault.code, fault.status], ["http_request_error", 400]);
}

const ABSOLUTE: [target: string, host: string, port: number, authority: string, path: string][] = [
  ["http://example.com/", "example.com", 80, "example.com", "/"],
  ["http://example.com:8080/a?b", "example.com", 8080, "example.com:8080", "/a?b"],
  ["HTTP://EXAMPLE.com/", "EXAMPLE.com", 80, "EXAMPLE.com", "/"],
  ["http://example.com:/", "example.com", 80, "example.com:", "/"],
  ["http://example.com:00080/", "example.com", 80, "example.com:00080", "/"],
  ["http://example.com:65535/", "example.com", 65535, "example.com:65535", "/"],
  ["http://example.com./", "example.com.", 80, "example.com.", "/"],
  ["http://192.0.2.1:81/", "192.0.2.1", 81, "192.0.2.1:81", "/"],
  ["http://[2001:DB8::0:1]:81/", "2001:db8::1", 81, "[2001:DB8::0:1]:81", "/"],
  ["http://[::1]/", "::1", 80, "[::1]", "/"],
  ["http://a_b-c.d/", "a_b-c.d", 80, "a_b-c.d", "/"],
];

for (const [target, host, port, authority, path] of ABSOLUTE) {
  Deno.test(`the target ${target} leads to ${host} and port ${port}`, () => {
    assertEquals(parseTarget(target, "GET"), { form: "absolute", address: { host, port }, authority, path });
  });
}

const PATHS: [rest: string, path: string][] = [
  ["", "/"],
  ["?", "/?"],
  ["?a", "/?a"],
  ["/", "/"],
  ["//", "//"],
  ["//evil.example/a", "//evil.example/a"],
  ["/a/../b/./c", "/a/../b/./c"],
  ["/%41%2f%2F%00%zz%", "/%41%2f%2F%00%zz%"],
  ["/a?b?c=/d/../e", "/a?b?c=/d/../e"],
  ["/%0d%0aX:%20a", "/%0d%0aX:%20a"],
  ["/:@!$&'()*+,;=-._~", "/:@!$&'()*+,;=-._~"],
  ['/"<>[]\\^`{|}', '/"<>[]\\^`{|}'],
  ["?http://other.example/", "/?http://other.example/"],
  ["/*", "/*"],
];

for (const [rest, path] of PATHS) {
  Deno.test(`B6: the path and query ${visible(rest)} are sent on as ${visible(path)}`, () => {
    const target = parseTarget(`http://example.com:81${rest}`, "GET");
    assertEquals(target.form === "absolute" && target.path, path);
  });
}

Deno.test("B3: OPTIONS without a path is sent on for *, with a path or a query for that", () => {
  const paths = ["http://a", "http://a:81", "http://a/", "http://a?b"].map((uri) => {
    const target = parseTarget(uri, "OPTIONS");
    return target.form === "absolute" && target.path;
  });
  assertEquals(paths, ["*", "*", "/", "/?b"]);
});

Deno.test("B3: * is for OPTIONS alone", () => {
  assertEquals(parseTarget("*", "OPTIONS"), { form: "asterisk" });
  for (const method of ["GET", "POST", "CONNECT", "PRI", "options"]) refuses(() => parseTarget("*", method));
  for (const target of ["**", "*/", "*:80", "http://*/"]) refuses(() => parseTarget(target, "OPTIONS"));
});

Deno.test("B3: authority-form is for CONNECT alone", () => {
  for (const target of ["example.com:443", "example.com", "[::1]:443", "192.0.2.1:80", "localhost:80/a"]) {
    for (const method of ["GET", "OPTIONS", "POST", "connect"]) refuses(() => parseTarget(target, method));
  }
});

Deno.test("B4: origin-form is told apart", () => {
  for (const target of ["/", "/a?b", "//example.com/", "/http://example.com/"]) {
    assertEquals(parseTarget(target, "GET"), { form: "origin", path: target });
  }
});

const BAD_AUTHORITIES: [id: string, authority: string][] = [
  ["B5", "user@example.com"],
  ["B5", "user:pass@example.com"],
  ["B5", "@example.com"],
  ["B5", "example.com@"],
  ["B5", "user%40example.com"],
  ["B5", "example.com:80@evil.example"],
  ["B5", "good.example\\@evil.example"],
  ["B1", ""],
  ["B1", ":80"],
  ["B1", "exa mple.com"],
  ["B1", "exam\tple.com"],
  ["B1", "exa%6Dple.com"],
  ["B1", "example.com\\evil"],
  ["B1", "example.com,evil.example"],
  ["B1", "example.com;a"],
  ["B1", "ex\xE4mple.com"],
  ["B1", ".example.com"],
  ["B1", "example..com"],
  ["B1", "example.com.."],
  ["B1", "a/b"],
  ["B1", "a?b"],
  ["B1", "a#b"],
  ["B1", "a:b:c"],
  ["B1", "::1"],
  ["B1", "[]"],
  ["B1", "[::1"],
  ["B1", "::1]"],
  ["B1", "[[::1]]"],
  ["B1", "[::1]a"],
  ["B1", "[::1]80"],
  ["B1", "a[::1]"],
  ["B1", "[192.0.2.1]"],
  ["B1", "[example.com]"],
  ["B1", "[::1%25eth0]"],
  ["B1", "[::1%eth0]"],
  ["B1", "[fe80::1::2]"],
  ["B1", "[v1.a:b]"],
  ["B1", "[1:2:3:4:5:6:7:8:9]"],
  ["B1", `${"a".repeat(64)}.com`],
  ["B1", "a.".repeat(128)],
  ["E1", "example.com:0"],
  ["E1", "example.com:65536"],
  ["E1", "example.com:4294967376"],
  ["E1", `example.com:${"9".repeat(400)}`],
  ["E1", "example.com:-1"],
  ["E1", "example.com:+80"],
  ["E1", "example.com:80a"],
  ["E1", "example.com:0x50"],
  ["E1", "example.com:8.0"],
  ["E1", "example.com: 80"],
  ["E1", "example.com:80 "],
  ["E1", "example.com:80:80"],
];

for (const [id, authority] of BAD_AUTHORITIES) {
  Deno.test(`${id}: the authority ${visible(authority.slice(0, 60))} is refused wherever it stands`, () => {
    refuses(() => parseAuthority(authority));
    refuses(() => parseTarget(authority, "CONNECT"));
    if (!/[/?#]/.test(authority)) refuses(() => parseTarget(`http://${authority}/`, "GET"));
  });
}

Deno.test("E1: CONNECT needs a host and a port", () => {
  const bad = [
    "example.com",
    "example.com:",
    "[::1]",
    "[::1]:",
    ":443",
    "/",
    "/a",
    "*",
    "http://example.com:443/",
    "https://a",
  ];
  for (const target of [...bad, "example.com:443/", "example.com:443?", "443"]) {
    refuses(() => parseTarget(target, "CONNECT"));
  }
});

Deno.test("E1: CONNECT leads to the host and port that it names", () => {
  const good: [string, string, number][] = [
    ["example.com:443", "example.com", 443],
    ["EXAMPLE.com.:1", "EXAMPLE.com.", 1],
    ["192.0.2.1:65535", "192.0.2.1", 65535],
    ["[2001:DB8:0::1]:443", "2001:db8::1", 443],
    ["a:0443", "a", 443],
  ];
  for (const [target, host, port] of good) {
    assertEquals(parseTarget(target, "CONNECT"), { form: "authority", address: { host, port } });
  }
});

const NO_TARGETS = [
  ...[
    "https://example.com/",
    "ftp://example.com/",
    "ws://example.com/",
    "file:///etc/passwd",
    "http:/example.com/",
    "http:a",
  ],
  ...[
    "http//example.com/",
    "http:///a",
    "http://",
    "http://?a",
    "http://#a",
    "http://a/#b",
    "http://a#b",
    "://a/",
    "1http://a/",
  ],
  ...["h ttp://a/", "?a", "a", "a/b", "..", "\\\\a\\b", "mailto:a@b", "http:\\\\a\\"],
];

for (const target of NO_TARGETS) {
  Deno.test(`B3: the target ${visible(target)} is refused`, () => {
    for (const method of ["GET", "OPTIONS", "POST", "CONNECT"]) refuses(() => parseTarget(target, method));
  });
}
