/**
 * Opening and closing a listener, and many connections.
 *
 * @module
 */

import { deepStrictEqual, notStrictEqual, strictEqual } from "node:assert";
import type { ByteStream, Listener } from "../../src/runtime/contract.ts";
import { accept, type Case, discard, openSockets, receive, rejectionCode, send, tcp, unix } from "./links.ts";
import { eventually } from "../support/waiting.ts";

/** Serves every client of a listener until that is closed. */
async function serve(listener: Listener, client: (stream: ByteStream) => unknown): Promise<void> {
  for await (const stream of listener) client(stream);
}

/** Sends back what comes. */
function echo({ readable, writable }: ByteStream): void {
  readable.pipeTo(writable).catch(() => {});
}

/** Sends on what either of two connections receives to the other. */
function relay(one: ByteStream, other: ByteStream): void {
  one.readable.pipeTo(other.writable).catch(() => {});
  other.readable.pipeTo(one.writable).catch(() => {});
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
        const serving = [first, second].map((listener, i) =>
          serve(listener, (stream) => {
            served[i]++;
            echo(stream);
          })
        );
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
        strictEqual(await peer.vanish(listener.address, { count: 500 }), 500);
        const served = serve(listener, echo);
        strictEqual(await peer.visit(listener.address), 1);
        await listener.close();
        await served;
      }
    },
  },
  {
    name: "10 000 connections, accepted and dialed, leave no descriptor behind",
    deadline: 120_000,
    async run(runtime, peer) {
      const before = openSockets();
      const target = await peer.listen(tcp(), { echo: true });
      const listener = await runtime.listen({ address: tcp() });
      // Half of them are accepted, and each of those is relayed by one that is dialed.
      const served = serve(listener, async (client) => relay(client, await runtime.dial(target.address)));
      strictEqual(await peer.storm(listener.address, { count: 5000, batch: 100 }), 5000);
      await listener.close();
      await served;
      await target.close();
      await eventually(() => openSockets() <= before, "Descriptors were left open");
    },
  },
];
