import { assertEquals, assertFalse, assertStringIncludes, assertThrows } from "@std/assert";
import { type Chain, formatRoute, parseChain, type Upstream } from "../../src/dialing/upstream.ts";
import { UsageError } from "../../src/text/usage_error.ts";

const PIN = `sha256/${"Aa0+/".repeat(8)}Aa0=`;

function at(scheme: Upstream["scheme"], host: string, port: number): Upstream {
  return { scheme, address: { host, port } };
}

const CHAINS: [text: string, chain: Chain, route: string][] = [
  ["direct", [], "direct"],
  ["127.0.0.1:3128", [at("http", "127.0.0.1", 3128)], "http://127.0.0.1:3128"],
  ["proxy.example:3128", [at("http", "proxy.example", 3128)], "http://proxy.example:3128"],
  ["http://proxy.example", [at("http", "proxy.example", 80)], "http://proxy.example:80"],
  ["http://proxy.example:1/", [at("http", "proxy.example", 1)], "http://proxy.example:1"],
  ["http://[2001:DB8::1]", [at("http", "2001:db8::1", 80)], "http://[2001:db8::1]:80"],
  [
    "https://proxy.example",
    [{ ...at("https", "proxy.example", 443), tls: { serverName: "proxy.example" } }],
    "https://proxy.example:443",
  ],
  ["socks4://a", [at("socks4", "a", 1080)], "socks4://a:1080"],
  ["socks4a://a", [at("socks4a", "a", 1080)], "socks4a://a:1080"],
  ["socks5://a", [at("socks5", "a", 1080)], "socks5://a:1080"],
  ["socks5h://a:9050", [at("socks5h", "a", 9050)], "socks5h://a:9050"],
  ["line://a:1", [at("line", "a", 1)], "line://a:1"],
  [
    "socks5://ann:s%C3%A9c%2Cr%40t%3A@a",
    [{ ...at("socks5", "a", 1080), credentials: { user: "ann", password: "séc,r@t:" } }],
    "socks5://a:1080",
  ],
  [
    "http://ann:p@ss@a:1",
    [{ ...at("http", "a", 1), credentials: { user: "ann", password: "p@ss" } }],
    "http://a:1",
  ],
  ["ann:pw@a:1", [{ ...at("http", "a", 1), credentials: { user: "ann", password: "pw" } }], "http://a:1"],
  [
    "socks4://ann@a",
    [{ ...at("socks4", "a", 1080), credentials: { user: "ann", password: "" } }],
    "socks4://a:1080",
  ],
  ["DIRECT", [], "direct"],
  ["HTTP://Proxy.example", [at("http", "Proxy.example", 80)], "http://Proxy.example:80"],
  [
    "SOCKS5H://Ann:PW@a",
    [{ ...at("socks5h", "a", 1080), credentials: { user: "Ann", password: "PW" } }],
    "socks5h://a:1080",
  ],
  ["UNIX:/run/O.sock", [{ scheme: "unix", address: { path: "/run/O.sock" } }], "unix:/run/O.sock"],
  [
    "Http://Ann:PW@UNIX:/run/P",
    [{ scheme: "http", address: { path: "/run/P" }, credentials: { user: "Ann", password: "PW" } }],
    "http://unix:/run/P",
  ],
  ["unix:/run/o@b.sock", [{ scheme: "unix", address: { path: "/run/o@b.sock" } }], "unix:/run/o@b.sock"],
  ["unix:///run/o.sock", [{ scheme: "unix", address: { path: "/run/o.sock" } }], "unix:/run/o.sock"],
  [
    "http://unix:/run/p@q.sock",
    [{ scheme: "http", address: { path: "/run/p@q.sock" } }],
    "http://unix:/run/p@q.sock",
  ],
  [
    "socks5h://ann:pw@unix:/run/p",
    [{ scheme: "socks5h", address: { path: "/run/p" }, credentials: { user: "ann", password: "pw" } }],
    "socks5h://unix:/run/p",
  ],
  [
    "http://a,socks5h://ann:pw@b:2,line://c:3",
    [
      at("http", "a", 80),
      { ...at("socks5h", "b", 2), credentials: { user: "ann", password: "pw" } },
      at("line", "c", 3),
    ],
    "http://a:80,socks5h://b:2,line://c:3",
  ],
  ["http://a?proxy-protocol=v1", [{ ...at("http", "a", 80), proxyProtocol: 1 }], "http://a:80"],
  ["unix:/o?proxy-protocol=v2", [{ scheme: "unix", address: { path: "/o" }, proxyProtocol: 2 }], "unix:/o"],
  [
    "http://localhost?token=/etc/token",
    [{ ...at("http", "localhost", 80), token: "/etc/token" }],
    "http://localhost:80",
  ],
  [
    `https://a:8443?pin=${PIN}&cert=c.pem&key=c.key&name=b.example&min-tls=1.3&token=t`,
    [{
      ...at("https", "a", 8443),
      token: "t",
      tls: { serverName: "b.example", pin: PIN, cert: "c.pem", key: "c.key", minVersion: "TLSv1.3" },
    }],
    "https://a:8443",
  ],
  [
    "https://a?ca=ca.pem",
    [{ ...at("https", "a", 443), tls: { serverName: "a", ca: "ca.pem" } }],
    "https://a:443",
  ],
];

for (const [text, chain, route] of CHAINS) {
  Deno.test(`parseChain() reads ${text}`, () => {
    assertEquals(parseChain(text), chain);
    assertEquals(formatRoute(chain), route);
  });
}

const BAD: [text: string, why: string][] = [
  ["", "give a host and a port"],
  ["http://", "give a host and a port"],
  ["proxy.example", "give a port"],
  ["line://a", "give a port"],
  ["http://a:0", "a port is from 1 to 65535"],
  ["http://a:65536", "a port is from 1 to 65535"],
  ["http://a:80/path", "give a host and a port"],
  ["http://a b:80", "give a host and a port"],
  ["::1", "goes into brackets"],
  ["http://::1", "goes into brackets"],
  ["http://[a]:80", "give a host and a port"],
  ["ftp://a", "the scheme is unknown; use one of http, https, socks4"],
  ["direct,http://a", '"direct" stands alone'],
  ["http://a,", "give a host and a port"],
  ["http://a,unix:/o", "it stands alone"],
  ["unix:/o,http://a", "it stands alone"],
  ["http://a,http://unix:/p", "only the first proxy"],
  ["unix:", "give a path"],
  ["http://unix:", "give a path"],
  ["line://ann@a:1", "the line protocol has no users"],
  ["socks4://ann:pw@a", "SOCKS4 has user names, and no passwords"],
  ["http://:pw@a", "give a user name"],
  ["http://a%3Ab:pw@a", "no user names with a colon"],
  ["http://ann:%zz@a", "is written %25"],
  ["http://ann:a:b@a", "is written %3A"],
  ["http://ann:a%0d%0ab@a", "leave control characters out"],
  [`socks5://ann:${"x".repeat(256)}@a`, "up to 255 bytes"],
  ["http://a?wat=1", "unknown parameter"],
  ["http://a?pin=x", '"pin" is for https'],
  ["http://a?min-tls=1.3", '"min-tls" is for https'],
  ["https://a?pin=x", 'a pin is "sha256/"'],
  [`https://a?pin=${PIN}&ca=x`, "leave pin or ca out"],
  ["https://a?cert=x", "come together"],
  ["https://a?name=a:b", "has to be the name"],
  ["https://unix:/p", "has to be the name"],
  ["http://a?proxy-protocol=3", "v1 or v2"],
  ["http://a?token=t", "take https"],
  ["socks5://localhost?token=t", "a token is for http and https"],
  ["https://ann:pw@a?token=t", "give a user or a token"],
];

for (const [text, why] of BAD) {
  Deno.test(`parseChain() refuses ${JSON.stringify(text.slice(0, 60))}`, () => {
    const { message } = assertThrows(() => parseChain(text), UsageError, why);
    assertStringIncludes(message, "Invalid upstream ");
    assertFalse(/[\r\n]/.test(message));
  });
}

const SECRETS = [
  "http://ann:secret@a:bad",
  "http://ann:secret@",
  "http://ann:secret",
  "ann:secret",
  "http://ann:sec/ret@a:1/x",
  "http://ann:sec,secret@a:80",
  "http://ann:sec?secret=secret@a:80",
  "http://ann:sec?secret=secret,secret@a:80",
  "http://ann:sec#secret@a:80/x",
  "wat://ann:secret@a",
  "socks4://ann:secret@a",
  "http://a:1,socks5://ann:secret@b:2,http://x:bad",
  "http://a:1,http://ann:secret",
  "http://ann:se%zzsecret@a",
  "http://ann:secret:secret@a",
  "line://ann:secret@a:1",
  "http://ann:secret@unix:",
  "http://ann:secret@a?token=t",
  "http://ann:secret@a?wat=t",
];

for (const text of SECRETS) {
  Deno.test(`parseChain() keeps the password of ${text} out of the error`, () => {
    const { message } = assertThrows(() => parseChain(text), UsageError);
    assertFalse(/secret/.test(message), message);
  });
}

Deno.test("parseChain() says which upstream it means, as far as that is no secret", () => {
  const { message } = assertThrows(() => parseChain("http://[::1]:8080,http://a:99999"), UsageError);
  assertStringIncludes(message, '"http://[::1]:8080,http://a:99999"');
});
