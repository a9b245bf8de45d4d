/**
 * TLS: records that somebody on the way has changed, and clients that do not speak TLS.
 *
 * @module
 */

import { match, ok, strictEqual } from "node:assert";
import { setImmediate } from "node:timers";
import type { ByteStream, Runtime } from "../../src/runtime/contract.ts";
import { certificates } from "./certificates.ts";
import { type Case, discard, fin, rejectionCode } from "./links.ts";
import {
  assertAlive,
  GOOD,
  hear,
  onEveryWire,
  outcome,
  say,
  shakeHands,
  type TlsLink,
  type Wire,
} from "./tls_links.ts";

/** A stream, and a hook that changes what it sends. */
interface Tapped {
  readonly stream: ByteStream;
  /** Returns the chunks to send instead of a chunk. */
  forge: (chunk: Uint8Array) => Uint8Array[];
}

function tap({ readable, writable, local, remote }: ByteStream): Tapped {
  const writer = writable.getWriter();
  writer.closed.catch(() => {});
  const tapped: Tapped = {
    stream: {
      readable,
      writable: new WritableStream<Uint8Array>({
        start: ({ signal }) => signal.addEventListener("abort", () => void writer.abort().catch(() => {})),
        async write(chunk) {
          for (const forged of tapped.forge(chunk)) await writer.write(forged);
        },
        close: () => writer.close(),
      }),
      local,
      remote,
    },
    forge: (chunk) => [chunk],
  };
  return tapped;
}

/** A copy of the bytes with one bit changed, near the end. */
function flipped(bytes: Uint8Array): Uint8Array {
  const forged = bytes.slice();
  forged[forged.length - 3] ^= 1;
  return forged;
}

/** A record of application data that was made without the key. */
function record(length: number): Uint8Array {
  const bytes = new Uint8Array(5 + length).fill(0x5A);
  bytes.set([23, 3, 3, length >> 8, length & 0xFF]);
  return bytes;
}

/** The forgeries that replace a record, and the code of the error for each. */
const FORGERIES: Readonly<Record<string, { forge(chunk: Uint8Array): Uint8Array[]; code: RegExp }>> = {
  "a record with a flipped bit": { forge: (chunk) => [flipped(chunk)], code: /^tls_protocol_error$/ },
  "a record of somebody without the key": { forge: () => [record(100)], code: /^tls_protocol_error$/ },
  "a record that is too long": { forge: () => [record(16_384 + 257)], code: /^tls_protocol_error$/ },
  "plaintext in place of a record": {
    forge: () => [new TextEncoder().encode("GET / HTTP/1.1\r\nHost: one.test\r\n\r\n")],
    code: /^tls_protocol_error$/,
  },
};

/** Makes one case for each end that may be the victim. */
function onEveryVictim(
  name: string,
  body: (victim: ByteStream, forger: { stream: ByteStream; tapped: Tapped }) => Promise<void>,
): Case[] {
  return (["client", "server"] as const).flatMap((end) =>
    onEveryWire(`${name}, to the ${end}`, async (runtime, wire) => {
      const other = end === "client" ? "server" : "client";
      const tapped = tap(wire[other]);
      const link = await shakeHands(runtime, { ...wire, [other]: tapped.stream });
      await assertAlive(link);
      await body(link[end], { stream: link[other], tapped });
      for (const stream of [link.client, link.server]) await discard(stream);
    })
  );
}

async function assertBroken(victim: ByteStream, code: RegExp): Promise<void> {
  match(await rejectionCode(hear(victim, 100)), code);
  match(await rejectionCode(hear(victim, 100)), code);
  match(await rejectionCode(say(victim, "x")), code);
}

/** The number of certificates: a server with one leaves the hello to TLS, a server with two reads it first. */
const SERVERS = [1, 2] as const;

function serverOf(count: number): { certificates: ReturnType<typeof certificates>["one"][] } {
  const { one, two } = certificates();
  return { certificates: [one, two].slice(0, count) };
}

/** More than the buffers of the system and of TLS hold. */
const LIMIT = 8 * 1024 * 1024;

/** Sends a hello without an end, until nobody takes it. Resolves to how much was taken. */
async function sendEndlessHello({ client }: Wire, size: number): Promise<number> {
  const writer = client.writable.getWriter();
  let sent = 0;
  try {
    const piece = new Uint8Array(5 + size);
    piece.set([22, 3, 1, size >> 8, size & 0xFF]);
    // A hello of 16 MiB; this first record has only its beginning.
    await writer.write(new Uint8Array([22, 3, 1, 0, 4, 1, 0xFF, 0xFF, 0xFF]));
    while (sent < LIMIT) {
      await writer.write(piece);
      sent += piece.length;
      // Promises alone would give nobody else a turn.
      await new Promise((resolve) => setImmediate(resolve));
    }
  } catch {
    // The write fails, as expected.
  } finally {
    writer.releaseLock();
  }
  return sent;
}

async function aliveThrough(runtime: Runtime, wire: Wire, count: number): Promise<TlsLink> {
  return { ...await shakeHands(runtime, wire, { server: serverOf(count) }), wire };
}

export const TLS_FORGERY_CASES: Case[] = [
  ...Object.entries(FORGERIES).flatMap(([name, { forge, code }]) =>
    onEveryVictim(`${name} breaks the connection`, async (victim, { stream, tapped }) => {
      tapped.forge = forge;
      const broken = assertBroken(victim, code);
      await say(stream, "this is not what arrives").catch(() => {});
      await broken;
    })
  ),
  ...onEveryVictim("half a record and FIN is connection_terminated", async (victim, { stream, tapped }) => {
    tapped.forge = (chunk) => [chunk.subarray(0, chunk.length >> 1)];
    const broken = assertBroken(victim, /^connection_terminated$/);
    await say(stream, "this does not arrive whole").catch(() => {});
    tapped.forge = () => [];
    await stream.readable.cancel();
    await broken;
  }),
  ...onEveryVictim("records that come one byte at a time are whole", async (victim, { stream, tapped }) => {
    tapped.forge = (chunk) => Array.from(chunk, (byte) => new Uint8Array([byte]));
    await say(stream, "slowly");
    strictEqual(await hear(victim, 6), "slowly");
    await fin(stream);
    strictEqual(await hear(victim, 1), "");
  }),
  ...SERVERS.flatMap((count) => [
    ...onEveryWire(
      `a hello that comes one byte at a time is heard, with ${count} certificates`,
      async (runtime, wire) => {
        const tapped = tap(wire.client);
        tapped.forge = (chunk) => Array.from(chunk, (byte) => new Uint8Array([byte]));
        const link = await aliveThrough(runtime, { ...wire, client: tapped.stream }, count);
        await assertAlive(link);
        for (const stream of [link.client, link.server]) await discard(stream);
      },
    ),
    ...[1, 1000, 16_384].flatMap((size) =>
      onEveryWire(
        `a hello without an end, in records of ${size} octets, is tls_protocol_error, with ${count} certificates`,
        async (runtime, wire) => {
          const accepted = outcome(runtime.acceptTls(wire.server, serverOf(count)));
          const sending = sendEndlessHello(wire, size);
          strictEqual((await accepted).code, "tls_protocol_error");
          const sent = await sending;
          // The system's buffers have taken some bytes beyond that.
          ok(sent < LIMIT, `${sent} bytes were taken`);
        },
      )
    ),
  ]),
  ...onEveryWire("a connection that breaks leaves others alone", async (runtime, wire) => {
    const { client, server } = wire;
    const tapped = tap(client);
    const outer = await shakeHands(runtime, { client: tapped.stream, server });
    const inner = await shakeHands(runtime, outer, { client: GOOD.client() });
    await assertAlive(inner);
    tapped.forge = (chunk) => [flipped(chunk)];
    await say(inner.client, "x").catch(() => {});
    strictEqual(await rejectionCode(hear(inner.server, 1)), "connection_terminated");
    for (const stream of [inner.client, inner.server]) await discard(stream);
  }),
];
