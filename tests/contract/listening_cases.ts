/**
 * Opening and closing a listener, and many connections.
 *
 * @module
 */

import { deepStrictEqual, notStrictEqual, strictEqual } from "node:assert";
import type { Address, ByteStream, Listener, Runtime } from "../../src/runtime/contract.ts";
import { accept, type Case, discard, openSockets, receive, rejectionCode, send, tcp, unix } from "./links.ts";
import { eventually } from "../support/waiting.ts";

const BATCH = 100;

/** Sends every client back what it sends, until the listener is closed. */
async function serveEcho(listener: Listener): Promise<void> {
  for await (const stream of listener) echo(stream);
}

function echo({ readable, writable }: ByteStream): void {
  readable.pipeTo(writable).catch(() => {});
}

async function visit(runtime: Runtime, address: Address): Promise<void> {
  const stream = await runtime.dial(address);
  await send(stream, 1);
  await stream.writable.close();
  strictEqual((await receive(stream)).bytes, 1);
}

export const LISTENING_CASES: Case[] = [
  {
    name: "close() ends the iteration, frees the port, and lets accepted streams live",
    async run(runtime, peer) {
      for (const wanted of [tcp(), unix()]) {
        const listener = await runtime.listen({ address: wanted });
        const iterator = listener[Symbol.asyncIterator]();
        const first = iterator.next();
        const client = await peer.dial(listener.address);
        const stream = (await first).value as ByteStream;
        const next = iterator.next();
        await listener.close();
        const again = await runtime.listen({ address: listener.address });
        await again.close();
        notStrictEqual(await rejectionCode(runtime.dial(listener.address)), "no rejection");
        strictEqual((await next).done, true);
        strictEqual((await iterator.next()).done, true);
        const sent = await send(stream, 100_000);
        await stream.writable.close();
        deepStrictEqual(await client.receive(), { ...sent, end: "fin" });
        await client.fin();
        await receive(stream);
      }
    },
  },
  {
    name: "close() twice is harmless, also when nobody iterates",
    async run(runtime) {
      const before = openSockets();
      const listener = await runtime.listen({ address: tcp() });
      await Promise.all([listener.close(), listener.close()]);
      await listener.close();
      await eventually(() => openSockets() <= before, "The listening socket was not freed");
    },
  },
  {
    name:
      "listeners that share a port all get clients, where the kernel spreads them, and nobody else gets the port",
    async run(runtime, peer) {
      const first = await runtime.listen({ address: tcp(), shared: true });
      const { address } = first;
      if (runtime.sharing?.().by === "kernel") {
        const second = await runtime.listen({ address, shared: true });
        deepStrictEqual(second.address, address);
        const served = [0, 0];
        const serving = [first, second].map(async (listener, i) => {
          for await (const stream of listener) {
            served[i]++;
            echo(stream);
          }
        });
        // With so many clients, one of the listeners gets none with a probability of 1 to 2^63.
        for (let left = 64; left > 0; left--) strictEqual(await peer.visit(address), 1);
        strictEqual(served[0] + served[1], 64);
        notStrictEqual(Math.min(...served), 0);
        strictEqual(await rejectionCode(runtime.listen({ address })), "address_in_use");
        await second.close();
        strictEqual(await peer.visit(address), 1);
        await first.close();
        await Promise.all(serving);
      } else {
        strictEqual(await rejectionCode(runtime.listen({ address, shared: true })), "address_in_use");
        await first.close();
      }
    },
  },
  {
    name: "leaving the iteration early does not lose the listener's next client",
    async run(runtime, peer) {
      const listener = await runtime.listen({ address: tcp() });
      const clients = await Promise.all([peer.dial(listener.address), peer.dial(listener.address)]);
      const streams = [await accept(listener), await accept(listener)];
      strictEqual(new Set(streams.map(({ remote }) => JSON.stringify(remote))).size, 2);
      for (const stream of streams) await discard(stream);
      for (const client of clients) await client.destroy();
      await listener.close();
    },
  },
  {
    name: "clients that are gone before they are accepted neither end the listener nor hold it up",
    async run(runtime, peer) {
      for (const wanted of [tcp(), unix()]) {
        const listener = await runtime.listen({ address: wanted });
        // If the listener paused for each of them, the visitor would come only after the case's deadline.
        for (let i = 0; i < 500; i++) {
          const gone = await peer.dial(listener.address);
          await gone.send(10);
          await gone.reset();
        }
        const served = serveEcho(listener);
        strictEqual(await peer.visit(listener.address), 1);
        await listener.close();
        await served;
      }
    },
  },
  {
    name: "10 000 accepted connections leave no descriptor behind",
    deadline: 120_000,
    async run(runtime, peer) {
      const before = openSockets();
      const listener = await runtime.listen({ address: tcp() });
      const served = serveEcho(listener);
      strictEqual(await peer.storm(listener.address, { count: 10_000, batch: BATCH }), 10_000);
      await listener.close();
      await served;
      await eventually(() => openSockets() <= before, "Descriptors were left open");
    },
  },
  {
    name: "10 000 dialed connections leave no descriptor behind",
    deadline: 120_000,
    async run(runtime, peer) {
      const before = openSockets();
      const listener = await peer.listen(tcp(), { echo: true });
      for (let left = 10_000; left > 0; left -= BATCH) {
        await Promise.all(Array.from({ length: BATCH }, () => visit(runtime, listener.address)));
      }
      await listener.close();
      await eventually(() => openSockets() <= before, "Descriptors were left open");
    },
  },
];
