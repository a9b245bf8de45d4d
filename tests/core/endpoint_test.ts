import { assert, assertEquals, assertFalse, assertStringIncludes, assertThrows } from "@std/assert";
import { DEFAULT_ENDPOINT, type Endpoint, parseEndpoint } from "../../src/listeners/endpoint.ts";
import { formatAddress } from "../../src/addresses/host.ts";
import { UsageError } from "../../src/text/usage_error.ts";

function tcp(host: string, port: number, scheme: Endpoint["scheme"] = "auto"): Endpoint {
  return { scheme, address: { host, port } };
}

function unix(path: string, scheme: Endpoint["scheme"] = "auto"): Endpoint {
  return { scheme, address: { path } };
}

const ENDPOINTS: [text: string, endpoint: Endpoint][] = [
  ["127.0.0.1:8899", tcp("127.0.0.1", 8899)],
  ["127.0.0.1:0", tcp("127.0.0.1", 0)],
  ["127.0.0.1:65535", tcp("127.0.0.1", 65535)],
  ["0.0.0.0:80", tcp("0.0.0.0", 80)],
  ["localhost:80", tcp("localhost", 80)],
  ["[::1]:8899", tcp("::1", 8899)],
  ["[::]:0", tcp("::", 0)],
  ["[0:0:0:0:0:0:0:1]:1", tcp("::1", 1)],
  [":8899", tcp("127.0.0.1", 8899)],
  ["8899", tcp("127.0.0.1", 8899)],
  ["auto://:1", tcp("127.0.0.1", 1)],
  ["http://127.0.0.1:3128", tcp("127.0.0.1", 3128, "http")],
  ["http://127.0.0.1:3128/", tcp("127.0.0.1", 3128, "http")],
  ["socks4://[::1]:1080", tcp("::1", 1080, "socks4")],
  ["socks5://:1080", tcp("127.0.0.1", 1080, "socks5")],
  ["unix:/run/sluice.sock", unix("/run/sluice.sock")],
  ["unix:///run/sluice.sock", unix("/run/sluice.sock")],
  ["unix:sluice.sock", unix("sluice.sock")],
  ["unix:/run/a@b:c", unix("/run/a@b:c")],
  ["unix:/run/a://b", unix("/run/a://b")],
  ["socks5://unix:/run/s", unix("/run/s", "socks5")],
  ["line://:1080", tcp("127.0.0.1", 1080, "line")],
  ["HTTP://127.0.0.1:3128", tcp("127.0.0.1", 3128, "http")],
  ["LocalHost:80", tcp("localhost", 80)],
  ["UNIX:/run/Sluice.sock", unix("/run/Sluice.sock")],
  ["Socks5://Unix:/run/S", unix("/run/S", "socks5")],
];

const PARAMETERS: [text: string, endpoint: Endpoint][] = [
  [
    "HTTP+TLS://:443?cert=A&key=B",
    { ...tcp("127.0.0.1", 443, "http"), tls: { certificates: [{ cert: "A", key: "B" }] } },
  ],
  [
    "http+tls://:443?cert=/etc/a.pem&key=/etc/a.key",
    { ...tcp("127.0.0.1", 443, "http"), tls: { certificates: [{ cert: "/etc/a.pem", key: "/etc/a.key" }] } },
  ],
  [
    "auto+tls://[::1]:443/?cert=a&key=b&cert=c%26d&key=e+f&client-ca=ca.pem&min-tls=1.3",
    {
      ...tcp("::1", 443),
      tls: {
        certificates: [{ cert: "a", key: "b" }, { cert: "c&d", key: "e+f" }],
        clientCa: "ca.pem",
        minVersion: "TLSv1.3",
      },
    },
  ],
  [
    "http://0.0.0.0:80?proxy-protocol=10.0.0.0/8,192.0.2.1,2001:db8::/32",
    { ...tcp("0.0.0.0", 80, "http"), trusts: ["10.0.0.0/8", "192.0.2.1", "2001:db8::/32"] },
  ],
  ["unix:/run/s?mode=0660", { ...unix("/run/s"), mode: 0o660 }],
  ["socks5://unix:/run/s?mode=600", { ...unix("/run/s", "socks5"), mode: 0o600 }],
  [
    "socks5+tls://unix:/run/s?cert=a&key=b",
    { ...unix("/run/s", "socks5"), tls: { certificates: [{ cert: "a", key: "b" }] } },
  ],
];

for (const [text, endpoint] of PARAMETERS) {
  Deno.test(`parseEndpoint() reads ${text}`, () => assertEquals(parseEndpoint(text), endpoint));
}

for (const [text, endpoint] of ENDPOINTS) {
  Deno.test(`parseEndpoint() reads ${text}`, () => assertEquals(parseEndpoint(text), endpoint));
}

const BAD_ENDPOINTS: [text: string, advice: string][] = [
  ["", 'such as "127.0.0.1:8899"'],
  ["127.0.0.1", 'such as "127.0.0.1:8899"'],
  ["127.0.0.1:", 'such as "127.0.0.1:8899"'],
  ["127.0.0.1:65536", "a port from 0 to 65535"],
  ["127.0.0.1:-1", "a port from 0 to 65535"],
  ["127.0.0.1:0x50", "a port from 0 to 65535"],
  ["127.0.0.1:80/path", "a port from 0 to 65535"],
  ["127.0.0.1:80 ", "a port from 0 to 65535"],
  ["127.1:80", "no IP address"],
  ["0x7f000001:80", "no IP address"],
  ["256.0.0.1:80", "no IP address"],
  ["example.com:80", "no IP address"],
  ["*:80", '"0.0.0.0" or "[::]"'],
  ["::1", "brackets"],
  ["::1:80", "brackets"],
  ["[::1]", "a port from 0 to 65535"],
  ["[127.0.0.1]:80", "no IP address"],
  ["[fe80::1%eth0]:80", "no IP address"],
  ["unix:", "give a path"],
  ["unix://", "give a path"],
  ["unix:/a\0b", "give a path"],
  [`unix:/${"é".repeat(54)}`, "the path has 109 bytes and Unix sockets allow 107"],
  ["socks4a://:1080", "the scheme is unknown; use one of auto, http, socks4, socks5, line"],
  ["://:1080", "the scheme is unknown"],
  ["https://:443", 'for TLS write "http+tls://"'],
  ["http+ssl://:443", "the scheme is unknown"],
  ["http+tls://:443", "give a certificate and its key"],
  ["http+tls://:443?cert=a.pem", "give a certificate and its key"],
  ["http+tls://:443?cert=a&key=b&cert=c", "give a certificate and its key"],
  ["http+tls://:443?cert=a&key=b&min-tls=1.1", "min-tls is 1.2 or 1.3"],
  ["http+tls://:443?cert=a&key=b&client-ca=c&client-ca=d", '"client-ca" is given twice'],
  ["http://:80?cert=a&key=b", 'put "+tls" behind the scheme'],
  ["http://:80?min-tls=1.3", 'put "+tls" behind the scheme'],
  [":80?mode", "a parameter is written NAME=VALUE"],
  [":80?proxy-protocol=", "a parameter is written NAME=VALUE"],
  [":80?proxy-protocol=%zz", "a percent sign in a parameter is written %25"],
  [":80?wat=1", "unknown parameter; use cert, key, client-ca, min-tls, proxy-protocol, mode"],
  [":80?mode=0600", "mode is the octal permission of a Unix socket"],
  ["unix:/run/s?mode=rw", "mode is the octal permission of a Unix socket"],
  ["unix:/run/s?mode=0800", "mode is the octal permission of a Unix socket"],
  ["unix:/run/s?proxy-protocol=127.0.0.1", "the clients of a Unix socket have none"],
  [":80?proxy-protocol=lan", '"lan" is no block of IP addresses'],
  [":80?proxy-protocol=10.1.2.3/8", 'write it as in "10.0.0.0/8"'],
];

for (const [text, advice] of BAD_ENDPOINTS) {
  Deno.test(`parseEndpoint() refuses ${JSON.stringify(text)}`, () => {
    const { message } = assertThrows(() => parseEndpoint(text), UsageError, advice);
    assertStringIncludes(message, `Invalid listener "${text}": `);
  });
}

Deno.test("parseEndpoint() takes a path of 107 bytes", () => {
  const path = `/${"x".repeat(106)}`;
  assertEquals(parseEndpoint(`unix:${path}`), unix(path));
});

for (
  const text of ["http://ann:secret@127.0.0.1:80", "ann:secret@127.0.0.1:80", "wat://ann:sec@ret@[::1]:80"]
) {
  Deno.test(`parseEndpoint() keeps the password of ${text} out of the error`, () => {
    const { message } = assertThrows(() => parseEndpoint(text), UsageError);
    assertFalse(/ann|sec|ret/.test(message), message);
    assertStringIncludes(message, "...@");
  });
}

Deno.test("parseEndpoint() reads the default, on loopback", () => {
  assertEquals(parseEndpoint(DEFAULT_ENDPOINT), tcp("127.0.0.1", 8899));
});

Deno.test("formatAddress() writes what parseEndpoint() reads", () => {
  const written = ENDPOINTS.map(([, { address }]) => formatAddress(address));
  assertEquals(
    written.map((text) => parseEndpoint(text).address),
    ENDPOINTS.map(([, { address }]) => address),
  );
  assert(written.includes("[::1]:8899") && written.includes("unix:/run/sluice.sock"));
});
