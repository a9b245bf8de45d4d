/**
 * What many conformance tests begin with: requests in every protocol, and tunnels.
 *
 * @module
 */

import { assertEquals, assertMatch } from "@std/assert";
import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { isIPv4, isIPv6 } from "node:net";
import type { ProxyProcess } from "../support/proxy.ts";
import type { RawConnection } from "../support/raw_client.ts";

/** The SHA-256 of some bytes: a difference in 3 MiB is of no use to a reader. */
export function digest(bytes: Uint8Array): string {
  return `${bytes.length} bytes, ${createHash("sha256").update(bytes).digest("hex")}`;
}

/** A request in absolute-form, without a body. */
export function request(method: string, uri: string, ...fields: string[]): string {
  return [`${method} ${uri} HTTP/1.1`, `Host: ${new URL(uri).host}`, ...fields, "", ""].join("\r\n");
}

/** A client whose CONNECT was answered with 200. */
export async function tunnel(proxy: ProxyProcess, authority: string): Promise<RawConnection> {
  const client = await proxy.connect();
  await client.send(`CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n\r\n`);
  assertMatch(await client.readUntil("\r\n\r\n"), /^HTTP\/1\.1 200 /);
  return client;
}

function portOctets(port: number): [number, number] {
  return [port >> 8, port & 0xFF];
}

/** SOCKS4 for an IPv4 address, SOCKS4A for a name. */
export function socks4Request(host: string, port: number, userId = ""): Buffer {
  const address = isIPv4(host) ? host.split(".").map(Number) : [0, 0, 0, 1];
  const name = isIPv4(host) ? "" : `${host}\0`;
  return Buffer.concat([
    Buffer.of(4, 1, ...portOctets(port), ...address),
    Buffer.from(`${userId}\0${name}`, "latin1"),
  ]);
}

/** The greeting of a client without a password. */
export const SOCKS5_GREETING: Uint8Array = Uint8Array.of(5, 1, 0);

/** CONNECT for an address or a name. */
export function socks5Request(host: string, port: number, command = 1): Buffer {
  return Buffer.concat([Buffer.of(5, command, 0), socks5Address(host), Buffer.of(...portOctets(port))]);
}

function socks5Address(host: string): Buffer {
  if (isIPv4(host)) return Buffer.of(1, ...host.split(".").map(Number));
  if (!isIPv6(host)) return Buffer.concat([Buffer.of(3, host.length), Buffer.from(host, "latin1")]);
  if (host !== "::1") throw new RangeError(`Write the address "${host}" in octets`);
  return Buffer.of(4, ...Array(15).fill(0), 1);
}

/** The reply field of a SOCKS5 reply, whose bound address is checked for its form. */
export async function socks5Reply(client: RawConnection): Promise<number> {
  const [version, reply, reserved, type] = await client.read(4);
  assertEquals([version, reserved], [5, 0]);
  await client.read({ 1: 4 + 2, 4: 16 + 2 }[type]!);
  return reply;
}
