import { assertEquals } from "@std/assert";
import type { ForwardedMode } from "../../src/settings/http.ts";
import { forwardedRequest } from "../../src/protocols/http1/forwarding.ts";
import type { Address } from "../../src/runtime/contract.ts";
import { fromLatin1, type Lines, linesOf, request } from "../support/http1.ts";

const CLIENT: Address = { host: "192.0.2.60", port: 4711 };

const NONE: Lines = [["X", "a"]];
const SOME: Lines = [["Forwarded", "for=a"], ["X-Forwarded-For", "b"], ["X", "a"], [
  "forwarded",
  'for="[::1]";by=c',
]];

function told(mode: ForwardedMode, lines: Lines, client: Address = CLIENT): Lines {
  const head = lines.map(([name, value]) => `${name}: ${value}\r\n`).join("");
  const understood = request(`GET http://a/ HTTP/1.1\r\nHost: a\r\n${head}\r\n`);
  const bytes = forwardedRequest(understood, {
    name: "proxy",
    persistent: true,
    forwarded: { mode, client },
  });
  const sent = linesOf(request(fromLatin1(bytes).replace("GET ", "GET http://a")).head.fields);
  return sent.filter(([name]) => name !== "Host" && name !== "Via");
}

Deno.test("keep lets Forwarded and X-Forwarded-For pass as they are, and adds nothing", () => {
  assertEquals([told("keep", NONE), told("keep", SOME)], [NONE, SOME]);
});

Deno.test("delete drops Forwarded and X-Forwarded-For, and adds nothing", () => {
  assertEquals([told("delete", NONE), told("delete", SOME)], [NONE, NONE]);
});

Deno.test("replace tells of the client alone, whatever the client wrote", () => {
  const lines = [["X", "a"], ["Forwarded", "for=192.0.2.60;proto=http"], ["X-Forwarded-For", "192.0.2.60"]];
  assertEquals([told("replace", NONE), told("replace", SOME)], [lines, lines] as Lines[]);
});

Deno.test("append tells of the client behind those that are there, as the last element", () => {
  assertEquals(told("append", NONE), [
    ["X", "a"],
    ["Forwarded", "for=192.0.2.60;proto=http"],
    ["X-Forwarded-For", "192.0.2.60"],
  ]);
  assertEquals(told("append", SOME), [
    ["X", "a"],
    ["Forwarded", 'for=a, for="[::1]";by=c, for=192.0.2.60;proto=http'],
    ["X-Forwarded-For", "b, 192.0.2.60"],
  ]);
  assertEquals(told("append", [["Forwarded", ""], ["X-Forwarded-For", ""]]), [
    ["Forwarded", "for=192.0.2.60;proto=http"],
    ["X-Forwarded-For", "192.0.2.60"],
  ]);
});

Deno.test("an IPv6 address is told in brackets and quoted, and a Unix socket as unknown", () => {
  const clients: [client: Address, forwarded: string, bare: string][] = [
    [{ host: "2001:db8::1", port: 1 }, '"[2001:db8::1]"', "2001:db8::1"],
    [{ path: "/run/a;b" }, "unknown", "unknown"],
  ];
  for (const [client, forwarded, bare] of clients) {
    assertEquals(told("replace", [], client), [["Forwarded", `for=${forwarded};proto=http`], [
      "X-Forwarded-For",
      bare,
    ]]);
  }
});

Deno.test("Connection can take away what came before, and never what the proxy tells of its client", () => {
  const understood = request(
    "GET http://a/ HTTP/1.1\r\nHost: a\r\nConnection: X-Forwarded-For, Forwarded\r\nX-Forwarded-For: b\r\nForwarded: for=b\r\n\r\n",
  );
  for (const mode of ["append", "replace"] as const) {
    const forwarded = { mode, client: CLIENT };
    const bytes = forwardedRequest(understood, { name: "proxy", persistent: true, forwarded });
    assertEquals(fromLatin1(bytes).split("\r\n").slice(2, 4), [
      "Forwarded: for=192.0.2.60;proto=http",
      "X-Forwarded-For: 192.0.2.60",
    ]);
  }
});
