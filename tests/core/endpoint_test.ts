import { assert, assertEquals, assertFalse, assertStringIncludes, assertThrows } from "@std/assert";
import {
  DEFAULT_ENDPOINT,
  type Endpoint,
  formatAddress,
  parseEndpoint,
  refuseOpenListeners,
} from "../../src/endpoint.ts";
import { UsageError } from "../../src/usage_error.ts";

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
];

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
  ["socks4a://:1080", "the scheme is unknown; use one of auto, http, socks4, socks5"],
  ["://:1080", "the scheme is unknown"],
  ["line://:1080", "this version does not listen for it"],
  ["http+tls://:443", "this version does not listen for it"],
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

Deno.test("refuseOpenListeners() lets loopback and Unix sockets pass", () => {
  refuseOpenListeners([{ host: "127.0.0.1", port: 1 }, { host: "::1", port: 1 }, { path: "/run/s" }]);
});

Deno.test("refuseOpenListeners() names the first listener that others can reach, and the ways out", () => {
  const addresses = [{ host: "127.0.0.1", port: 1 }, { host: "::", port: 2 }, { host: "10.0.0.1", port: 3 }];
  const { message } = assertThrows(() => refuseOpenListeners(addresses), UsageError);
  for (const part of ["[::]:2", "127.0.0.1", "--allow-open"]) assertStringIncludes(message, part);
});
