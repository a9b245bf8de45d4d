/**
 * Resets, abort and cancel, and when the descriptor is freed.
 *
 * @module
 */

import { deepStrictEqual, notStrictEqual, strictEqual } from "node:assert";
import type { ByteStream } from "../../src/runtime/contract.ts";
import {
  type Case,
  fin,
  type Link,
  onEveryLink,
  openSockets,
  receive,
  rejectionCode,
  send,
} from "./links.ts";
import { Tally } from "./pattern.ts";
import { eventually, standstill } from "../support/waiting.ts";

const MIB = 1024 * 1024;

/** An unread byte makes the peer's close a reset on Unix sockets, too. */
async function leaveUnreadByte({ stream }: Link): Promise<void> {
  await send(stream, 1);
}

async function assertTerminated({ stream }: Link): Promise<void> {
  const reader = stream.readable.getReader({ mode: "byob" });
  for (let i = 0; i < 2; i++) {
    strictEqual(
      await rejectionCode(reader.read(new Uint8Array(10))),
      "connection_terminated",
      "a later read",
    );
  }
  reader.releaseLock();
  const writer = stream.writable.getWriter();
  for (let i = 0; i < 2; i++) {
    strictEqual(
      await rejectionCode(writer.write(new Uint8Array(10))),
      "connection_terminated",
      "a later write",
    );
  }
  writer.releaseLock();
}

/** Waits until the stream's descriptor is free. `sockets` is how many were open before. */
async function assertFreed(sockets: number): Promise<void> {
  await eventually(() => openSockets() < sockets, "The descriptor was not freed");
}

/** Writes until a write fails. The error must be `connection_terminated`. */
async function writeInVain(stream: ByteStream): Promise<void> {
  strictEqual(await rejectionCode(send(stream, 64 * MIB)), "connection_terminated", "the write");
}

export const ENDING_CASES: Case[] = [
  ...onEveryLink("a write that meets a reset leaves what came before it to be read, and then the reset", {
    async body(link) {
      const { stream, peer } = link;
      const sockets = openSockets();
      await leaveUnreadByte(link);
      const sent = await peer.send(50_000);
      await peer.reset();
      await writeInVain(stream);
      const reader = stream.readable.getReader({ mode: "byob" });
      const tally = new Tally();
      while (tally.bytes < sent.bytes) tally.add((await reader.read(new Uint8Array(65536))).value!);
      deepStrictEqual({ ...tally.result(), end: "open" }, sent);
      reader.releaseLock();
      // On a Unix socket, libuv cannot tell a reset behind the last bytes from an end.
      if ("port" in stream.remote) await assertTerminated(link);
      else await receive(stream).catch(() => {});
      await assertFreed(sockets);
    },
  }),
  ...onEveryLink("a reset behind the last bytes is no end, however late they are read", {
    only: "tcp",
    async body(link) {
      await leaveUnreadByte(link);
      const { bytes } = await link.peer.send(50_000);
      await link.peer.reset();
      let received = 0;
      const reader = link.stream.readable.getReader({ mode: "byob" });
      while (received < bytes) received += (await reader.read(new Uint8Array(65536))).value!.length;
      reader.releaseLock();
      await assertTerminated(link);
    },
  }),
  ...onEveryLink("a write that fails beside a pending read leaves that to be answered", {
    async body(link) {
      const { stream, peer } = link;
      const received = receive(stream).then(() => "an end", () => "a reset");
      const writing = rejectionCode(send(stream, 64 * MIB));
      await peer.receive(65536);
      await peer.send(1000);
      await peer.reset();
      strictEqual(await writing, "connection_terminated", "the write");
      const told = await received;
      if ("port" in stream.remote) strictEqual(told, "a reset");
    },
  }),
  ...onEveryLink("behind the peer's FIN a failed write leaves what came to be read, and its end", {
    needs: "end behind a failed write",
    async body({ stream, peer }) {
      const sockets = openSockets();
      const { bytes, hash } = await peer.send(50_000);
      await peer.fin();
      await peer.reset();
      await writeInVain(stream);
      deepStrictEqual(await receive(stream), { bytes, hash });
      await assertFreed(sockets);
    },
  }),
  ...onEveryLink("a reset rejects the pending read and everything later", {
    async body(link) {
      await leaveUnreadByte(link);
      const reader = link.stream.readable.getReader({ mode: "byob" });
      const pending = rejectionCode(reader.read(new Uint8Array(10)));
      await link.peer.reset();
      strictEqual(await pending, "connection_terminated");
      reader.releaseLock();
      await assertTerminated(link);
    },
  }),
  ...onEveryLink("a reset rejects the pending write and everything later", {
    async body(link) {
      let written = 0;
      const pending = rejectionCode(send(link.stream, 64 * MIB, (bytes) => written = bytes));
      await standstill(() => written);
      await link.peer.reset();
      strictEqual(await pending, "connection_terminated");
      await assertTerminated(link);
    },
  }),
  ...onEveryLink("a reset rejects a pending read and a pending write at once", {
    async body(link) {
      let written = 0;
      const write = rejectionCode(send(link.stream, 64 * MIB, (bytes) => written = bytes));
      const reader = link.stream.readable.getReader({ mode: "byob" });
      const read = rejectionCode(reader.read(new Uint8Array(10)));
      await standstill(() => written);
      await link.peer.reset();
      strictEqual(await read, "connection_terminated", "the pending read");
      strictEqual(await write, "connection_terminated", "the pending write");
      reader.releaseLock();
      await assertTerminated(link);
    },
  }),
  ...onEveryLink("a reset frees the descriptor", {
    async body(link) {
      const sockets = openSockets();
      await leaveUnreadByte(link);
      const pending = rejectionCode(receive(link.stream));
      await link.peer.reset();
      await pending;
      await assertFreed(sockets);
    },
  }),
  ...onEveryLink("once both halves have ended by FIN the descriptor is free (the peer first)", {
    async body({ stream, peer }) {
      const sockets = openSockets();
      await peer.fin();
      await receive(stream);
      strictEqual(openSockets(), sockets);
      await fin(stream);
      await assertFreed(sockets);
    },
  }),
  ...onEveryLink("once both halves have ended by FIN the descriptor is free (we first)", {
    async body({ stream, peer }) {
      const sockets = openSockets();
      await fin(stream);
      await peer.fin();
      await receive(stream);
      await assertFreed(sockets);
    },
  }),
  ...onEveryLink("writable.abort() frees the descriptor and unblocks the peer", {
    async body({ stream, peer }) {
      const sockets = openSockets();
      const sending = peer.send(64 * MIB);
      await standstill(() => peer.sent());
      await stream.writable.abort(new Error("Enough"));
      await assertFreed(sockets);
      notStrictEqual((await sending).end, "open");
      strictEqual(await rejectionCode(receive(stream)), "connection_terminated");
    },
  }),
  ...onEveryLink("readable.cancel() frees the descriptor and unblocks the peer", {
    async body({ stream, peer }) {
      const sockets = openSockets();
      const sending = peer.send(64 * MIB);
      await standstill(() => peer.sent());
      await stream.readable.cancel(new Error("Enough"));
      await assertFreed(sockets);
      notStrictEqual((await sending).end, "open");
      strictEqual(await rejectionCode(send(stream, 1)), "connection_terminated");
    },
  }),
  ...onEveryLink("readable.cancel() lets what was written before arrive", {
    async body({ stream, peer }) {
      const sent = await send(stream, 100_000);
      await stream.readable.cancel();
      deepStrictEqual(await peer.receive(), { ...sent, end: "fin" });
    },
  }),
  ...onEveryLink("writable.abort() resets the connection", {
    needs: "reset",
    only: "tcp",
    async body({ stream, peer }) {
      await send(stream, 1000);
      await stream.writable.abort();
      strictEqual((await peer.receive()).end, "ECONNRESET");
    },
  }),
  ...onEveryLink("abort never rejects, also twice, and fails readable", {
    async body({ stream }) {
      const sockets = openSockets();
      await stream.writable.abort();
      await stream.writable.abort();
      await assertFreed(sockets);
      strictEqual(await rejectionCode(receive(stream)), "connection_terminated");
    },
  }),
  ...onEveryLink("cancel and abort never reject, also twice", {
    async body({ stream }) {
      const sockets = openSockets();
      await stream.readable.cancel();
      await stream.readable.cancel();
      await assertFreed(sockets);
      await stream.writable.abort();
    },
  }),
  ...onEveryLink("writable.abort() settles a pending read and write", {
    async body({ stream }) {
      const sockets = openSockets();
      const reader = stream.readable.getReader({ mode: "byob" });
      const read = rejectionCode(reader.read(new Uint8Array(10)));
      let written = 0;
      const writer = stream.writable.getWriter();
      const write = rejectionCode((async () => {
        for (;;) {
          await writer.write(new Uint8Array(65536));
          written += 65536;
        }
      })());
      await standstill(() => written);
      await writer.abort(new Error("Enough"));
      strictEqual(await read, "connection_terminated");
      notStrictEqual(await write, "no rejection");
      await assertFreed(sockets);
      await writer.abort();
    },
  }),
  ...onEveryLink("readable.cancel() settles a pending read and write", {
    async body({ stream }) {
      const sockets = openSockets();
      const reader = stream.readable.getReader({ mode: "byob" });
      const read = reader.read(new Uint8Array(10));
      let written = 0;
      const write = rejectionCode(send(stream, 64 * MIB, (bytes) => written = bytes));
      await standstill(() => written);
      await reader.cancel(new Error("Enough"));
      strictEqual((await read).done, true);
      strictEqual(await write, "connection_terminated");
      await assertFreed(sockets);
      await reader.cancel();
    },
  }),
  ...onEveryLink("abort after the peer's FIN frees the descriptor", {
    async body({ stream, peer }) {
      const sockets = openSockets();
      await peer.fin();
      await receive(stream);
      await stream.writable.abort();
      await assertFreed(sockets);
    },
  }),
  ...onEveryLink("cancel after our FIN frees the descriptor", {
    async body({ stream }) {
      const sockets = openSockets();
      await fin(stream);
      await stream.readable.cancel();
      await assertFreed(sockets);
    },
  }),
];
