/**
 * What strangers see of the remote half of a pair.
 *
 * @module
 */

import { assertEquals, assertMatch } from "@std/assert";
import { Buffer } from "node:buffer";
import { request } from "./exchanges.ts";
import { bearer, connectRequest, keys, newToken, pairTest } from "./pair_suite.ts";
import type { TcpAddress } from "../../src/runtime/contract.ts";
import { httpOrigin } from "../support/origin.ts";
import { Pair, startRemote } from "../support/pair.ts";
import type { ProxyProcess } from "../support/proxy.ts";
import { connectTls } from "../support/tls_client.ts";

/** What a stranger gets, with the date left out. */
async function probe(remote: ProxyProcess, bytes: string): Promise<string> {
  using client = await connectTls(remote.addresses[0] as TcpAddress);
  await client.send(bytes);
  const head = await client.readUntil("\r\n\r\n");
  const [, length = "0"] = /\r\nContent-Length: (\d+)\r\n/.exec(head) ?? [];
  const body = bytes.startsWith("HEAD") ? Buffer.alloc(0) : await client.read(Number(length));
  assertMatch(head, /\r\nDate: [^\r]+ GMT\r\n/);
  // Whatever else it may say of a body that HEAD has none of would come now.
  client.end();
  await client.ending();
  return head.replace(/\r\nDate: [^\r]+/, "") + body.toString("latin1") + client.received.toString("latin1");
}

pairTest("strangers see an ordinary web server, whatever they try, and leave a line each", async (row) => {
  const { secret } = keys;
  await using pair = await Pair.start(row, keys);
  const { remote } = pair;
  await using origin = await httpOrigin();
  const { authority } = origin;
  const basic = `Proxy-Authorization: Basic ${Buffer.from(`a:${secret}`).toString("base64")}`;
  const wrong = newToken();
  const unknown: string[] = [
    "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n",
    "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    `GET / HTTP/1.1\r\nHost: a.test\r\n${bearer(secret)}\r\n\r\n`,
    request("GET", `http://${authority}/`),
    request("GET", `http://${authority}/`, bearer(wrong)),
  ];
  // A web server that is not a proxy cannot read these, whatever token they bring.
  const unreadable: string[] = [
    "OPTIONS * HTTP/1.1\r\nHost: a.test\r\n\r\n",
    connectRequest(authority),
    connectRequest(authority, bearer(wrong)),
    connectRequest(authority, bearer(secret.slice(1))),
    connectRequest(authority, bearer(`${secret}${secret}`)),
    connectRequest(authority, bearer("")),
    connectRequest(authority, bearer("x".repeat(8_000))),
    connectRequest(authority, basic),
    connectRequest(authority, `Authorization: Bearer ${secret}`),
    connectRequest("127.0.0.1:1"),
    `${connectRequest("127.0.0.1:1")}early bytes`,
  ];
  const malformed: string[] = [
    "hello\r\n\r\n",
    "\x16\x03\x01\x00\x05hello\r\n\r\n",
    "\x05\x01\x00\r\n\r\n",
    "\x04\x01\x00\x50\x7f\x00\x00\x01\x00\r\n\r\n",
    "GET / HTTP/1.1\r\n\r\n",
    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    `GET / HTTP/1.1\r\nHost: a.test\r\nX: ${"x".repeat(20_000)}\r\n\r\n`,
    "CONNECT 127.0.0.1 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
  ];
  const seen = new Map<string, string[]>();
  const bad = [...unreadable, ...malformed];
  for (const bytes of [...unknown, ...bad]) {
    const answer = await probe(remote, bytes);
    seen.set(answer, [...seen.get(answer) ?? [], bytes.slice(0, 60)]);
  }
  const statuses = [...seen].map(([answer, asked]) => [answer.split("\r\n")[0], asked]);
  assertEquals(statuses, [
    ["HTTP/1.1 404 Not Found", unknown.map((bytes) => bytes.slice(0, 60))],
    ["HTTP/1.1 400 Bad Request", bad.map((bytes) => bytes.slice(0, 60))],
  ]);
  const [notFound] = seen.keys();
  const head = await probe(remote, "HEAD / HTTP/1.1\r\nHost: a.test\r\n\r\n");
  assertEquals(head, notFound.slice(0, notFound.indexOf("\r\n\r\n") + 4));
  for (const answer of seen.keys()) {
    assertEquals(/via|proxy|sluice|deno|bun|node/i.test(answer), false, answer);
  }
  assertEquals(await origin.isUntouched(), true);

  // One more, behind which all others have been logged.
  await probe(remote, "GET /last HTTP/1.1\r\nHost: a.test\r\n\r\n");
  await remote.output.find((line) => line.includes("/last"));
  const records = remote.output.all.map((line) => JSON.parse(line));
  assertEquals(records.length, unknown.length + bad.length + 2);
  assertEquals(
    new Set(records.map(({ ending, fault }) => `${ending} ${fault}`)),
    new Set([
      "refused proxy_authentication_required",
      "refused http_request_error",
    ]),
  );
  assertEquals(new Set(records.map(({ status }) => status)), new Set([404, 400]));
  for (const token of [secret, wrong]) {
    for (let i = 0; i + 12 <= token.length; i++) {
      assertEquals(pair.lines.filter((line) => line.includes(token.slice(i, i + 12))), []);
    }
  }
});

pairTest("who does not speak TLS 1.3 to the remote half leaves a line, and learns nothing", async (row) => {
  await using remote = await startRemote(row, keys.remoteFlags);
  const address = remote.addresses[0] as TcpAddress;
  let count = 0;
  async function recorded(fault: RegExp): Promise<void> {
    count++;
    while (remote.output.all.length < count) await remote.output.next();
    const { ending, fault: given } = JSON.parse(remote.output.all[count - 1]);
    assertEquals(ending, "refused");
    assertMatch(given, fault);
  }
  const old = await connectTls(address, { maxVersion: "TLSv1.2" }).then(
    () => "let in",
    (error) => error.message,
  );
  assertMatch(old, /protocol|alert|handshake|ECONNRESET|closed|disconnected/i);
  await recorded(/^tls_/);
  for (const bytes of ["GET / HTTP/1.1\r\nHost: a.test\r\n\r\n", "\x05\x01\x00", "\x00".repeat(100)]) {
    using client = await remote.connect();
    await client.send(bytes);
    client.end();
    await client.ending();
    assertEquals(client.received.includes("HTTP"), false);
    await recorded(/^(?:tls_|connection_terminated|client_disconnected)/);
  }
});
