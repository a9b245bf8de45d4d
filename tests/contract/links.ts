/**
 * Connections between the runtime under test and the peer program, and helpers for both ends.
 *
 * @module
 */

import { mkdtempSync, readdirSync, readlinkSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import type { Address, ByteStream, Listener, Runtime } from "../../src/runtime/contract.ts";
import { Pattern, Tally } from "./pattern.ts";
import type { Peer, PeerConnection } from "./peer_client.ts";
import type { Capability } from "./rows.ts";
import { eventually } from "../support/waiting.ts";

/** One sentence of the contract. */
export interface Case {
  readonly name: string;
  /** The capability that the case needs. Runtimes that lack it skip the case. */
  readonly needs?: Capability;
  /** The time for the case, in milliseconds. */
  readonly deadline?: number;
  run(runtime: Runtime, peer: Peer): Promise<void>;
}

/** The two ends of one connection. */
export interface Link {
  readonly stream: ByteStream;
  readonly peer: PeerConnection;
}

interface LinkKind {
  readonly name: string;
  address(): Address;
  readonly dialed: boolean;
}

let directory: string | undefined;
let paths = 0;

/** The directory of this process's Unix sockets. */
function socketDirectory(): string {
  if (directory === undefined) {
    const created = directory = mkdtempSync(join(tmpdir(), "contract-"));
    process.once("exit", () => rmSync(created, { recursive: true, force: true }));
  }
  return directory;
}

export function tcp(): Address {
  return { host: "127.0.0.1", port: 0 };
}

export function tcp6(): Address {
  return { host: "::1", port: 0 };
}

export function unix(): Address {
  return { path: join(socketDirectory(), `${++paths}.sock`) };
}

const LINK_KINDS: LinkKind[] = [
  { name: "dialed tcp", address: tcp, dialed: true },
  { name: "accepted tcp", address: tcp, dialed: false },
  { name: "dialed unix", address: unix, dialed: true },
  { name: "accepted unix", address: unix, dialed: false },
];

/** Makes one case for each kind of connection: dialed or accepted. Afterwards no socket may be left. */
export function onEveryLink(
  name: string,
  options: { needs?: Capability; deadline?: number; only?: "tcp" | "unix"; body(link: Link): Promise<void> },
): Case[] {
  return LINK_KINDS.filter((kind) => kind.name.endsWith(options.only ?? "")).map((kind) => ({
    name: `${kind.name}: ${name}`,
    needs: options.needs,
    deadline: options.deadline,
    async run(runtime, peer) {
      const before = openSockets();
      const link = kind.dialed
        ? await dialLink(runtime, { peer, address: kind.address() })
        : await acceptLink(runtime, { peer, address: kind.address() });
      try {
        await options.body(link);
      } finally {
        await discard(link.stream);
        await link.peer.destroy();
      }
      await eventually(() => openSockets() <= before, "The case has left a socket open");
    },
  }));
}

/** The runtime dials the peer. */
export async function dialLink(runtime: Runtime, at: { peer: Peer; address: Address }): Promise<Link> {
  const listener = await at.peer.listen(at.address);
  const accepted = listener.accept();
  const stream = await runtime.dial(listener.address);
  const peer = await accepted;
  await listener.close();
  return { stream, peer };
}

/** The peer dials the runtime. */
export async function acceptLink(runtime: Runtime, at: { peer: Peer; address: Address }): Promise<Link> {
  const listener = await runtime.listen({ address: at.address });
  const dialed = at.peer.dial(listener.address);
  const stream = await accept(listener);
  const peer = await dialed;
  await listener.close();
  return { stream, peer };
}

/** The next client of a listener. */
export async function accept(listener: Listener): Promise<ByteStream> {
  const { value, done } = await listener[Symbol.asyncIterator]().next();
  if (done) throw new Error("The listener has ended");
  return value;
}

/** Destroys a stream in any state. */
export async function discard(stream: ByteStream): Promise<void> {
  if (!stream.writable.locked) await stream.writable.abort();
  // By the streams standard, cancel() on a stream that has failed rejects with its error.
  if (!stream.readable.locked) await stream.readable.cancel().catch(() => {});
}

/** Reads to the end into one reused buffer. */
export async function receive(stream: ByteStream, size = 65536): Promise<{ bytes: number; hash: string }> {
  const reader = stream.readable.getReader({ mode: "byob" });
  const tally = new Tally();
  let buffer = new Uint8Array(size);
  try {
    for (;;) {
      const { value, done } = await reader.read(buffer);
      if (value !== undefined) {
        tally.add(value);
        buffer = new Uint8Array(value.buffer);
      }
      if (done) return tally.result();
    }
  } finally {
    reader.releaseLock();
  }
}

/** Writes the first `length` bytes of the pattern in pieces of 64 KiB, and calls `progress` after each. */
export async function send(
  stream: ByteStream,
  length: number,
  progress: (bytes: number) => void = () => {},
): Promise<{ bytes: number; hash: string }> {
  const writer = stream.writable.getWriter();
  const pattern = new Pattern();
  try {
    while (pattern.tally.bytes < length) {
      await writer.write(pattern.next(Math.min(65536, length - pattern.tally.bytes)));
      progress(pattern.tally.bytes);
    }
  } finally {
    writer.releaseLock();
  }
  return pattern.tally.result();
}

/** Sends FIN. */
export async function fin(stream: ByteStream): Promise<void> {
  await stream.writable.close();
}

/** How many sockets this process holds. */
export function openSockets(): number {
  let sockets = 0;
  for (const descriptor of readdirSync("/proc/self/fd")) {
    try {
      if (readlinkSync(`/proc/self/fd/${descriptor}`).startsWith("socket:")) sockets++;
    } catch {
      // The descriptor was closed after the directory was read.
    }
  }
  return sockets;
}

/** The code of the error with which `promise` rejects. */
export async function rejectionCode(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
  } catch (error) {
    if (!(error instanceof Error)) throw new Error(`Not an Error: ${String(error)}`, { cause: error });
    return (error as Error & { code?: string }).code ?? `${error.name} without a code: ${error.message}`;
  }
  return "no rejection";
}
