import { assertEquals } from "@std/assert";
import { parseAuthority } from "../../src/protocols/http/target.ts";
import { faultOf, targetOf, visible } from "../support/http1.ts";

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
    assertEquals(targetOf(target, "GET"), { form: "absolute", address: { host, port }, authority, path });
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
  Deno.test(`the path and query ${visible(rest)} are sent on as ${visible(path)}`, () => {
    const target = targetOf(`http://example.com:81${rest}`, "GET");
    assertEquals(target.form === "absolute" && target.path, path);
  });
}

Deno.test("OPTIONS without a path is sent on for *, with a path or a query for that", () => {
  const paths = ["http://a", "http://a:81", "http://a/", "http://a?b"].map((uri) => {
    const target = targetOf(uri, "OPTIONS");
    return target.form === "absolute" && target.path;
  });
  assertEquals(paths, ["*", "*", "/", "/?b"]);
});

Deno.test("* is for OPTIONS alone", () => {
  assertEquals(targetOf("*", "OPTIONS"), { form: "asterisk" });
  for (const method of ["GET", "POST", "CONNECT", "PRI", "options"]) refuses(() => targetOf("*", method));
  for (const target of ["**", "*/", "*:80", "http://*/"]) refuses(() => targetOf(target, "OPTIONS"));
});

Deno.test("authority-form is for CONNECT alone", () => {
  for (const target of ["example.com:443", "example.com", "[::1]:443", "192.0.2.1:80", "localhost:80/a"]) {
    for (const method of ["GET", "OPTIONS", "POST", "connect"]) refuses(() => targetOf(target, method));
  }
});

Deno.test("origin-form is told apart", () => {
  for (const target of ["/", "/a?b", "//example.com/", "/http://example.com/"]) {
    assertEquals(targetOf(target, "GET"), { form: "origin", path: target });
  }
});

const BAD_AUTHORITIES: string[] = [
  "user@example.com",
  "user:pass@example.com",
  "@example.com",
  "example.com@",
  "user%40example.com",
  "example.com:80@evil.example",
  "good.example\\@evil.example",
  "",
  ":80",
  "exa mple.com",
  "exam\tple.com",
  "exa%6Dple.com",
  "example.com\\evil",
  "example.com,evil.example",
  "example.com;a",
  "ex\xE4mple.com",
  ".example.com",
  "example..com",
  "example.com..",
  "a/b",
  "a?b",
  "a#b",
  "a:b:c",
  "::1",
  "[]",
  "[::1",
  "::1]",
  "[[::1]]",
  "[::1]a",
  "[::1]80",
  "a[::1]",
  "[192.0.2.1]",
  "[example.com]",
  "[::1%25eth0]",
  "[::1%eth0]",
  "[fe80::1::2]",
  "[v1.a:b]",
  "[1:2:3:4:5:6:7:8:9]",
  `${"a".repeat(64)}.com`,
  "a.".repeat(128),
  "example.com:0",
  "example.com:65536",
  "example.com:4294967376",
  `example.com:${"9".repeat(400)}`,
  "example.com:-1",
  "example.com:+80",
  "example.com:80a",
  "example.com:0x50",
  "example.com:8.0",
  "example.com: 80",
  "example.com:80 ",
  "example.com:80:80",
];

for (const authority of BAD_AUTHORITIES) {
  Deno.test(`the authority ${visible(authority.slice(0, 60))} is refused wherever it stands`, () => {
    refuses(() => parseAuthority(authority));
    refuses(() => targetOf(authority, "CONNECT"));
    if (!/[/?#]/.test(authority)) refuses(() => targetOf(`http://${authority}/`, "GET"));
  });
}

Deno.test("CONNECT needs a host and a port", () => {
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
    refuses(() => targetOf(target, "CONNECT"));
  }
});

Deno.test("CONNECT leads to the host and port that it names", () => {
  const good: [string, string, number][] = [
    ["example.com:443", "example.com", 443],
    ["EXAMPLE.com.:1", "EXAMPLE.com.", 1],
    ["192.0.2.1:65535", "192.0.2.1", 65535],
    ["[2001:DB8:0::1]:443", "2001:db8::1", 443],
    ["a:0443", "a", 443],
  ];
  for (const [target, host, port] of good) {
    assertEquals(targetOf(target, "CONNECT"), { form: "authority", address: { host, port } });
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
  Deno.test(`the target ${visible(target)} is refused`, () => {
    for (const method of ["GET", "OPTIONS", "POST", "CONNECT"]) refuses(() => targetOf(target, method));
  });
}
