/**
 * What the tests of the pair begin with: keys, tokens, requests for the remote half.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { randomBytes } from "node:crypto";
import { request, socks4Request, SOCKS5_GREETING, socks5Reply, socks5Request } from "./exchanges.ts";
import { type TestOptions, testRows } from "./suite.ts";
import type { TcpAddress } from "../../src/runtime/contract.ts";
import { Keys, PERMISSIONS } from "../support/pair.ts";
import type { ProxyProcess } from "../support/proxy.ts";
import { connectTls } from "../support/tls_client.ts";
import { type Row, rows } from "../support/toolchain.ts";

/** For all tests that do not make their own. */
export let keys: Keys;

Deno.test.beforeAll(async () => {
  keys = await Keys.make(rows(...PERMISSIONS)[0]);
});

Deno.test.afterAll(() => keys[Symbol.asyncDispose]());

/** A test of the pair; the body starts it as it likes. */
export function pairTest(name: string, body: (row: Row) => Promise<void>, options: TestOptions = {}): void {
  testRows(`the pair: ${name}`, body, { permissions: PERMISSIONS, ...options });
}

/** A CONNECT that a stranger or a local half sends. */
export function connectRequest(authority: string, ...fields: string[]): string {
  return [`CONNECT ${authority} HTTP/1.1`, `Host: ${authority}`, ...fields, "", ""].join("\r\n");
}

/** The field that carries a token. */
export function bearer(token: string): string {
  return `Proxy-Authorization: Bearer ${token}`;
}

/** The status that a token gets. */
export async function statusOf(remote: ProxyProcess, authority: string, token: string): Promise<string> {
  using client = await connectTls(remote.addresses[0] as TcpAddress);
  await client.send(connectRequest(authority, bearer(token)));
  return (await client.readUntil("\r\n")).split(" ")[1];
}

/** A token nobody has had before. */
export function newToken(): string {
  return randomBytes(32).toString("base64url");
}

/** The answer to a request for a tunnel or a page in each protocol: a status with its Proxy-Status, or a reply. */
export async function answers(
  proxy: ProxyProcess,
  host: string,
  port: number,
): Promise<Record<string, string>> {
  const asked: Record<string, string> = {};
  const heads = {
    GET: request("GET", `http://${host}:${port}/`),
    CONNECT: `CONNECT ${host}:${port} HTTP/1.1\r\nHost: ${host}:${port}\r\n\r\n`,
  };
  for (const [way, head] of Object.entries(heads)) {
    using client = await proxy.connect();
    await client.send(head);
    const answer = await client.readUntil("\r\n\r\n");
    const [, status] = /^HTTP\/1\.1 (\d+) /.exec(answer) ?? [];
    const [, error = ""] = /\r\nProxy-Status: [^\r]+; error=(\w+)(?:; details="[^"]*")?\r\n/.exec(answer) ??
      [];
    asked[way] = `${status} ${error}`.trim();
  }
  {
    using client = await proxy.connect();
    await client.send(Buffer.concat([SOCKS5_GREETING, socks5Request(host, port)]));
    await client.read(2);
    asked["SOCKS5"] = String(await socks5Reply(client));
  }
  {
    using client = await proxy.connect();
    await client.send(socks4Request(host, port));
    asked["SOCKS4"] = (await client.read(8))[1].toString(16);
  }
  return asked;
}

/** The same where a request is refused on every protocol. */
export function refusal(status: string, reply: number): Record<string, string> {
  return { GET: status, CONNECT: status, SOCKS5: String(reply), SOCKS4: "5b" };
}

/** And where it is served. */
export const SERVED = { GET: "200", CONNECT: "200", SOCKS5: "0", SOCKS4: "5a" };
