/**
 * Reading, writing, FIN and backpressure.
 *
 * @module
 */

import { deepStrictEqual, ok, strictEqual } from "node:assert";
import { readFileSync } from "node:fs";
import process from "node:process";
import type { ByteStream, TcpAddress } from "../../src/runtime/contract.ts";
import {
  acceptLink,
  type Case,
  dialLink,
  discard,
  fin,
  onEveryLink,
  receive,
  send,
  tcp6,
  unix,
} from "./links.ts";
import { Pattern } from "./pattern.ts";
import { eventually, standstill } from "../support/waiting.ts";

const MIB = 1024 * 1024;

/** More than the system and a runtime hold for a reader that does not read, which must be less than half of it. */
const MUCH = 32 * MIB;

function patternHash(bytes: number): { bytes: number; hash: string } {
  const pattern = new Pattern();
  while (pattern.tally.bytes < bytes) pattern.next(Math.min(65536, bytes - pattern.tally.bytes));
  return pattern.tally.result();
}

/**
 * The entry of a connection of this process in /proc/net/tcp. It is looked for as text, because the table has tens of
 * thousands of lines of connections that other tests have closed.
 */
function kernelState({ local, remote }: ByteStream): { receiveQueue: number; timer: string } {
  const [from, to] = [local, remote].map((end) =>
    (end as TcpAddress).port.toString(16).toUpperCase().padStart(4, "0")
  );
  const entry = new RegExp(`:${from} \\w+:${to} \\w+ \\w+:(?<receiveQueue>\\w+) (?<timer>\\w+)`);
  const found = entry.exec(readFileSync("/proc/net/tcp", "latin1"))?.groups;
  if (!found) throw new Error("The kernel knows no such connection");
  return { receiveQueue: parseInt(found.receiveQueue, 16), timer: found.timer };
}

export const TRANSFER_CASES: Case[] = [
  ...onEveryLink("a BYOB read fills the caller's buffer", {
    async body({ stream, peer }) {
      await peer.send(1000);
      const reader = stream.readable.getReader({ mode: "byob" });
      const buffer = new Uint8Array(4096).fill(7);
      const { value, done } = await reader.read(buffer.subarray(96, 2096));
      strictEqual(done, false);
      strictEqual(value!.byteOffset, 96);
      strictEqual(value!.buffer.byteLength, 4096);
      strictEqual(value!.length, 1000);
      deepStrictEqual([...value!], [...new Pattern().next(1000)]);
      const whole = new Uint8Array(value!.buffer);
      strictEqual(whole[95], 7);
      strictEqual(whole[2096], 7);
      reader.releaseLock();
    },
  }),
  ...onEveryLink("a read smaller than what has come leaves the rest for the next", {
    async body({ stream, peer }) {
      await peer.send(1000);
      await peer.fin();
      deepStrictEqual(await receive(stream, 7), patternHash(1000));
    },
  }),
  ...onEveryLink("a default reader works too", {
    async body({ stream, peer }) {
      await peer.send(1000);
      const reader = stream.readable.getReader();
      const { value } = await reader.read();
      deepStrictEqual([...value!], [...new Pattern().next(1000)]);
      const end = reader.read();
      await peer.fin();
      strictEqual((await end).done, true);
      reader.releaseLock();
    },
  }),
  ...onEveryLink("a port tells the end again to whoever asks again, and still sends", {
    async body({ stream, peer }) {
      await peer.fin();
      const port = stream.port!;
      const lend = () => new Uint8Array(10);
      for (let i = 0; i < 2; i++) {
        await new Promise<void>((resolve, reject) => {
          port.pull({ lend, receive: () => false, end: () => resolve(), fail: reject });
        });
      }
      await port.write(new Pattern().next(1000));
      const received = peer.receive();
      await port.close();
      deepStrictEqual(await received, { ...patternHash(1000), end: "fin" });
    },
  }),
  ...onEveryLink("nothing is read unless somebody waits for it", {
    only: "tcp",
    async body({ stream, peer }) {
      // A look at the table takes the system up to 25 ms.
      const waiting = () => standstill(() => kernelState(stream).receiveQueue, 100);
      await peer.send(1000);
      strictEqual(await waiting(), 1000);
      const reader = stream.readable.getReader({ mode: "byob" });
      strictEqual((await reader.read(new Uint8Array(1000))).value!.length, 1000);
      await peer.send(1000);
      strictEqual(await waiting(), 1000);
      strictEqual((await reader.read(new Uint8Array(1000))).value!.length, 1000);
      reader.releaseLock();
    },
  }),
  {
    name: "unix: nothing is read unless somebody waits for it",
    async run(runtime, peer) {
      const capacity = await peer.capacity(unix());
      for (const open of [dialLink, acceptLink]) {
        const link = await open(runtime, { peer, address: unix() });
        const sending = link.peer.send(MUCH);
        strictEqual(await standstill(() => link.peer.sent()), capacity);
        await discard(link.stream);
        await sending;
      }
    },
  },
  ...onEveryLink("a peer nobody reads from is stopped, and goes on when somebody reads", {
    async body({ stream, peer }) {
      const sending = peer.send(MUCH);
      ok(await standstill(() => peer.sent()) < MUCH / 2);
      const received = receive(stream);
      strictEqual((await sending).end, "open");
      await peer.fin();
      deepStrictEqual(await received, patternHash(MUCH));
    },
  }),
  ...onEveryLink("a read given up by releaseLock() loses nothing", {
    async body({ stream, peer }) {
      const reader = stream.readable.getReader({ mode: "byob" });
      const given = reader.read(new Uint8Array(100)).catch((error) => error);
      reader.releaseLock();
      ok(await given instanceof TypeError);
      await peer.send(1000);
      await peer.fin();
      deepStrictEqual(await receive(stream), patternHash(1000));
    },
  }),
  ...onEveryLink("the peer's FIN ends readable while writable still carries 3 MiB", {
    async body({ stream, peer }) {
      await peer.send(1000);
      await peer.fin();
      strictEqual((await receive(stream)).bytes, 1000);
      const received = peer.receive();
      const sent = await send(stream, 3 * MIB);
      await fin(stream);
      deepStrictEqual(await received, { ...sent, end: "fin" });
    },
  }),
  ...onEveryLink("writable.close() sends FIN while readable still carries 3 MiB", {
    async body({ stream, peer }) {
      const sent = await send(stream, 1000);
      await fin(stream);
      deepStrictEqual(await peer.receive(), { ...sent, end: "fin" });
      const received = receive(stream);
      await peer.send(3 * MIB);
      await peer.fin();
      deepStrictEqual(await received, patternHash(3 * MIB));
    },
  }),
  ...onEveryLink("both directions carry 3 MiB at once and end by FIN", {
    async body({ stream, peer }) {
      const received = receive(stream);
      const peerReceived = peer.receive();
      const peerSent = peer.send(3 * MIB).then(() => peer.fin());
      const sent = await send(stream, 3 * MIB);
      await fin(stream);
      await peerSent;
      deepStrictEqual(await received, sent);
      deepStrictEqual(await peerReceived, { ...sent, end: "fin" });
    },
  }),
  ...onEveryLink("a FIN without a byte ends readable", {
    async body({ stream, peer }) {
      await peer.fin();
      strictEqual((await receive(stream)).bytes, 0);
    },
  }),
  ...onEveryLink("write() of 32 MiB stalls while the peer does not read, in bounded memory", {
    async body({ stream, peer }) {
      let written = 0;
      const memory = process.memoryUsage().rss;
      const sending = send(stream, MUCH, (bytes) => written = bytes);
      const stalled = await standstill(() => written);
      ok(stalled < MUCH / 2, `${stalled} bytes were taken`);
      ok(stream.port!.unsent > 0, "The port does not tell what waits");
      const growth = process.memoryUsage().rss - memory;
      ok(growth < MUCH / 2, `The process grew by ${growth} bytes`);
      strictEqual((await peer.receive(stalled)).bytes, stalled);
      await eventually(() => written > stalled, "Writing did not go on");
      const received = peer.receive();
      const sent = await sending;
      strictEqual(stream.port!.unsent, 0);
      await fin(stream);
      deepStrictEqual(await received, { ...sent, end: "fin" });
    },
  }),
  ...onEveryLink("the peer's FIN leaves a pending write alone", {
    async body({ stream, peer }) {
      let written = 0;
      const sending = send(stream, MUCH, (bytes) => written = bytes);
      await standstill(() => written);
      await peer.fin();
      strictEqual((await receive(stream)).bytes, 0);
      const received = peer.receive();
      const sent = await sending;
      await fin(stream);
      deepStrictEqual(await received, { ...sent, end: "fin" });
    },
  }),
  ...onEveryLink("the chunk passed to write() stays attached and unchanged", {
    async body({ stream, peer }) {
      const chunk = new Pattern().next(100_000);
      const received = peer.receive(50_000);
      const writer = stream.writable.getWriter();
      await writer.write(chunk.subarray(0, 50_000));
      writer.releaseLock();
      strictEqual((await received).bytes, 50_000);
      strictEqual(chunk.buffer.byteLength, 100_000);
      deepStrictEqual(chunk, new Pattern().next(100_000));
    },
  }),
  ...onEveryLink("the chunk may be reused as soon as write() has settled", {
    async body({ stream, peer }) {
      const pattern = new Pattern();
      const chunk = new Uint8Array(65536);
      const received = peer.receive();
      const writer = stream.writable.getWriter();
      for (let i = 0; i < 128; i++) {
        chunk.set(pattern.next(chunk.length));
        await writer.write(chunk);
        chunk.fill(0);
      }
      await writer.close();
      deepStrictEqual(await received, { ...pattern.tally.result(), end: "fin" });
    },
  }),
  ...onEveryLink("a chunk larger than the kernel's buffers goes out whole", {
    async body({ stream, peer }) {
      const pattern = new Pattern();
      const received = peer.receive();
      const writer = stream.writable.getWriter();
      await writer.write(pattern.next(24 * MIB));
      await writer.close();
      deepStrictEqual(await received, { ...pattern.tally.result(), end: "fin" });
    },
  }),
  ...onEveryLink("writes that were not awaited arrive in order and before the FIN", {
    async body({ stream, peer }) {
      const pattern = new Pattern();
      const received = peer.receive();
      const writer = stream.writable.getWriter();
      const writes = Array.from({ length: 32 }, () => writer.write(pattern.next(65536)));
      await writer.close();
      await Promise.all(writes);
      deepStrictEqual(await received, { ...pattern.tally.result(), end: "fin" });
    },
  }),
  ...onEveryLink("a write of no bytes sends nothing and settles", {
    async body({ stream, peer }) {
      const writer = stream.writable.getWriter();
      await writer.write(new Uint8Array(0));
      await writer.write(new Uint8Array([1, 2]));
      await writer.write(new Uint8Array(0));
      await writer.close();
      strictEqual((await peer.receive()).bytes, 2);
    },
  }),
  ...onEveryLink("two small writes in a row do not wait for an acknowledgement (TCP_NODELAY)", {
    only: "tcp",
    async body({ stream, peer }) {
      const writer = stream.writable.getWriter();
      const reader = stream.readable.getReader({ mode: "byob" });
      const start = performance.now();
      for (let round = 1; round <= 50; round++) {
        await writer.write(new Uint8Array(1));
        await writer.write(new Uint8Array(1));
        strictEqual((await peer.receive(2 * round)).bytes, 2 * round);
        // An answer makes the peer's kernel delay its next acknowledgement, as in a dialogue.
        await peer.send(1);
        strictEqual((await reader.read(new Uint8Array(1))).value!.length, 1);
      }
      // With Nagle's algorithm each round would take 40 ms.
      ok(performance.now() - start < 1500);
      writer.releaseLock();
      reader.releaseLock();
    },
  }),
  ...onEveryLink("keep-alive probes are on", {
    only: "tcp",
    async body({ stream }) {
      await eventually(() => kernelState(stream).timer === "02", "No keep-alive timer is set");
    },
  }),
  {
    name: "tcp over ipv6: dialed and accepted streams carry 3 MiB each way",
    async run(runtime, peer) {
      for (const open of [dialLink, acceptLink]) {
        const link = await open(runtime, { peer, address: tcp6() });
        const received = receive(link.stream);
        const peerReceived = link.peer.receive();
        const peerSent = link.peer.send(3 * MIB).then(() => link.peer.fin());
        const sent = await send(link.stream, 3 * MIB);
        await fin(link.stream);
        await peerSent;
        deepStrictEqual(await received, sent);
        deepStrictEqual(await peerReceived, { ...sent, end: "fin" });
        await discard(link.stream);
      }
    },
  },
];
