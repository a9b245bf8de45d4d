/**
 * TLS connections between two ends of the runtime under test, and between the runtime and `openssl`.
 *
 * @module
 */

import { strictEqual } from "node:assert";
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import process from "node:process";
import type { ByteStream, Runtime, TlsClientOptions, TlsServerOptions } from "../../src/runtime/contract.ts";
import { certificates } from "./certificates.ts";
import { accept, type Case, discard, openSockets, tcp } from "./links.ts";
import { memoryLink } from "./memory_link.ts";
import type { Capability } from "./rows.ts";
import { eventually } from "../support/waiting.ts";

/** Two connected streams without TLS. */
export interface Wire {
  readonly client: ByteStream;
  readonly server: ByteStream;
}

/** Two ends that speak TLS with each other. */
export interface TlsLink {
  readonly client: ByteStream;
  readonly server: ByteStream;
  readonly wire: Wire;
}

const WIRES: Readonly<Record<string, (runtime: Runtime) => Promise<Wire>>> = {
  memory() {
    const [client, server] = memoryLink();
    return Promise.resolve({ client, server });
  },
  async tcp(runtime) {
    const listener = await runtime.listen({ address: tcp() });
    const accepting = accept(listener);
    const client = await runtime.dial(listener.address);
    const server = await accepting;
    await listener.close();
    return { client, server };
  },
};

/** Makes one case for a wire in memory and one for TCP. Afterwards no socket may be left. */
export function onEveryWire(
  name: string,
  body: (runtime: Runtime, wire: Wire) => Promise<void>,
  needs?: Capability,
): Case[] {
  return Object.entries(WIRES).map(([kind, open]) => ({
    name: `tls over ${kind}: ${name}`,
    needs,
    async run(runtime) {
      const before = openSockets();
      const wire = await open(runtime);
      const taken = new Set<ByteStream>();
      await body(noting(runtime, taken), wire);
      // A stream that was taken over is freed by its new owner.
      for (const stream of [wire.client, wire.server]) if (!taken.has(stream)) await discard(stream);
      await eventually(() => openSockets() <= before, "The case has left a socket open");
    },
  }));
}

/** A runtime that notes the streams on which it has spoken TLS. */
function noting(runtime: Runtime, taken: Set<ByteStream>): Runtime {
  return {
    ...runtime,
    acceptTls: (stream, options) => runtime.acceptTls(taken.add(stream) && stream, options),
    connectTls: (stream, options) => runtime.connectTls(taken.add(stream) && stream, options),
  };
}

/** Like {@linkcode onEveryWire}, for two ends whose handshake is done. */
export function onEveryTlsLink(
  name: string,
  body: (link: TlsLink) => Promise<void>,
  needs?: Capability,
): Case[] {
  return onEveryWire(name, async (runtime, wire) => {
    const link = { ...await shakeHands(runtime, wire), wire };
    try {
      await body(link);
    } finally {
      await discard(link.client);
      await discard(link.server);
    }
  }, needs);
}

/** Options that make a good handshake. */
export const GOOD = {
  server: (): TlsServerOptions => ({ certificates: [certificates().one] }),
  client: (): TlsClientOptions => ({ serverName: "one.test", ca: certificates().ca }),
};

/** Makes a handshake that must succeed. */
export async function shakeHands(
  runtime: Runtime,
  wire: Wire,
  options: { server?: Partial<TlsServerOptions>; client?: Partial<TlsClientOptions> } = {},
): Promise<{ client: ByteStream; server: ByteStream }> {
  const [server, client] = await Promise.all([
    runtime.acceptTls(wire.server, { ...GOOD.server(), ...options.server }),
    runtime.connectTls(wire.client, { ...GOOD.client(), ...options.client }),
  ]);
  return { client, server };
}

/** The result of one end of a handshake: its stream, or the error's code and message. */
export interface Outcome {
  readonly stream?: ByteStream;
  readonly code?: string;
  readonly message?: string;
}

/** Makes a handshake that may fail at either end. */
export async function tryHands(
  runtime: Runtime,
  wire: Wire,
  options: { server?: Partial<TlsServerOptions>; client?: Partial<TlsClientOptions> } = {},
): Promise<{ client: Outcome; server: Outcome }> {
  const [server, client] = await Promise.all([
    outcome(runtime.acceptTls(wire.server, { ...GOOD.server(), ...options.server })),
    outcome(runtime.connectTls(wire.client, { ...GOOD.client(), ...options.client })),
  ]);
  return { client, server };
}

/** The stream that a promise resolves to, or the error that it rejects with. */
export async function outcome(handshake: Promise<ByteStream>): Promise<Outcome> {
  try {
    return { stream: await handshake };
  } catch (error) {
    const { code, message } = error as Error & { code?: string };
    return { code, message };
  }
}

/** An `openssl` program at the other end. */
export class OpenSsl {
  /** What it wrote to stderr. */
  errors = "";
  readonly process: ChildProcessWithoutNullStreams;
  readonly ended: Promise<void>;
  readonly #chunks: Uint8Array[] = [];

  constructor(...args: string[]) {
    this.process = spawn("openssl", args);
    this.process.stdin.on("error", () => {});
    this.process.stdout.on("data", (chunk: Uint8Array) => this.#chunks.push(chunk));
    this.process.stderr.on("data", (chunk: Uint8Array) => this.errors += new TextDecoder().decode(chunk));
    this.ended = new Promise((resolve) => this.process.once("close", () => resolve()));
    const kill = () => void this.process.kill("SIGKILL");
    process.once("exit", kill);
    this.ended.then(() => process.removeListener("exit", kill));
  }

  /** What it wrote to stdout. */
  get output(): Uint8Array {
    const whole = new Uint8Array(this.#chunks.reduce((length, chunk) => length + chunk.length, 0));
    let at = 0;
    for (const chunk of this.#chunks) {
      whole.set(chunk, at);
      at += chunk.length;
    }
    return whole;
  }

  /** The same as text. */
  get text(): string {
    return new TextDecoder().decode(this.output);
  }
}

/** A runtime's stream to `openssl s_server`, before any handshake. */
export async function dialOpenSsl(
  runtime: Runtime,
  ...args: string[]
): Promise<{ stream: ByteStream; openssl: OpenSsl }> {
  const { certFile, keyFile } = certificates().one;
  const openssl = new OpenSsl(
    ...["s_server", "-accept", "127.0.0.1:0", "-naccept", "1", "-cert", certFile, "-key", keyFile, ...args],
  );
  await eventually(() => /^ACCEPT .*:\d+/m.test(openssl.text), "openssl does not listen");
  const [, port] = /^ACCEPT .*:(\d+)/m.exec(openssl.text)!;
  return { stream: await runtime.dial({ host: "127.0.0.1", port: Number(port) }), openssl };
}

/** A runtime's stream from `openssl s_client`, before any handshake. */
export async function acceptOpenSsl(
  runtime: Runtime,
  ...args: string[]
): Promise<{ stream: ByteStream; openssl: OpenSsl }> {
  const listener = await runtime.listen({ address: tcp() });
  const { port } = listener.address as { port: number };
  const openssl = new OpenSsl("s_client", "-connect", `127.0.0.1:${port}`, ...args);
  const stream = await accept(listener);
  await listener.close();
  return { stream, openssl };
}

/** Sends text both ways, and checks that the other end receives it. */
export async function assertAlive(
  { client, server }: { client: ByteStream; server: ByteStream },
): Promise<void> {
  for (const [from, to] of [[client, server], [server, client]]) {
    await say(from, "ping");
    strictEqual(await hear(to, 4), "ping");
  }
}

/** Writes text. */
export async function say(stream: ByteStream, text: string): Promise<void> {
  const writer = stream.writable.getWriter();
  try {
    await writer.write(new TextEncoder().encode(text));
  } finally {
    writer.releaseLock();
  }
}

/** Reads until `length` bytes have come, or the end. */
export async function hear(stream: ByteStream, length: number): Promise<string> {
  const reader = stream.readable.getReader({ mode: "byob" });
  let heard = "";
  try {
    while (heard.length < length) {
      const { value, done } = await reader.read(new Uint8Array(length - heard.length));
      if (done) break;
      heard += new TextDecoder().decode(value);
    }
    return heard;
  } finally {
    reader.releaseLock();
  }
}
