/**
 * TLS: transfer, endings and backpressure.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { deepStrictEqual, match, ok, strictEqual } from "node:assert";
import { certificates } from "./certificates.ts";
import { type Case, discard, fin, receive, rejectionCode, send } from "./links.ts";
import { Pattern, Tally } from "./pattern.ts";
import {
  acceptOpenSsl,
  assertAlive,
  dialOpenSsl,
  GOOD,
  hear,
  onEveryTlsLink,
  onEveryWire,
  say,
  shakeHands,
} from "./tls_links.ts";
import { eventually, standstill } from "../support/waiting.ts";

const MIB = 1024 * 1024;

/** Both directions of a link, each as [from, to]. */
function directions<T>({ client, server }: { client: T; server: T }): [T, T][] {
  return [[client, server], [server, client]];
}

export const TLS_CASES: Case[] = [
  ...onEveryTlsLink("both directions carry 3 MiB at once and end by close_notify", async (link) => {
    const received = [receive(link.client), receive(link.server, 1000)];
    const sent = await Promise.all([link.server, link.client].map(async (stream) => {
      const result = await send(stream, 3 * MIB);
      await fin(stream);
      return result;
    }));
    deepStrictEqual(await Promise.all(received), sent);
  }, "tls half-close"),
  ...onEveryTlsLink("one byte at a time, both ways", async (link) => {
    for (let i = 0; i < 20; i++) {
      for (const [from, to] of directions(link)) {
        await say(from, "x");
        strictEqual(await hear(to, 1), "x");
      }
    }
  }),
  ...onEveryTlsLink("a port takes nothing, too, and goes on", async ({ client, server }) => {
    for (const text of ["", "x", ""]) await client.port!.write(new TextEncoder().encode(text));
    strictEqual(await hear(server, 1), "x");
  }),
  ...onEveryTlsLink("local and remote are those of the stream inside", ({ client, server, wire }) => {
    for (const [outer, inner] of [[client, wire.client], [server, wire.server]]) {
      deepStrictEqual([outer.local, outer.remote], [inner.local, inner.remote]);
    }
    return Promise.resolve();
  }),
  ...onEveryTlsLink("a BYOB read fills the caller's buffer", async ({ client, server }) => {
    const writing = say(server, "x".repeat(1000));
    const reader = client.readable.getReader({ mode: "byob" });
    const { value } = await reader.read(new Uint8Array(4096).subarray(96, 2096));
    strictEqual(value!.byteOffset, 96);
    strictEqual(value!.buffer.byteLength, 4096);
    strictEqual(value!.length, 1000);
    reader.releaseLock();
    await writing;
  }),
  ...onEveryTlsLink("a default reader works too", async ({ client, server }) => {
    await say(server, "hello");
    const reader = client.readable.getReader();
    strictEqual(new TextDecoder().decode((await reader.read()).value), "hello");
    const end = reader.read();
    await fin(server);
    strictEqual((await end).done, true);
    reader.releaseLock();
  }),
  ...onEveryTlsLink("a read given up by releaseLock() loses nothing", async ({ client, server }) => {
    const reader = client.readable.getReader({ mode: "byob" });
    const given = reader.read(new Uint8Array(100)).catch((error) => error);
    reader.releaseLock();
    ok(await given instanceof TypeError);
    await say(server, "hello");
    strictEqual(await hear(client, 5), "hello");
  }),
  ...onEveryTlsLink("the chunk may be reused as soon as write() has settled", async ({ client, server }) => {
    const pattern = new Pattern();
    const chunk = new Uint8Array(65536);
    const received = receive(server);
    const writer = client.writable.getWriter();
    for (let i = 0; i < 64; i++) {
      chunk.set(pattern.next(chunk.length));
      await writer.write(chunk);
      chunk.fill(0);
    }
    await writer.close();
    deepStrictEqual(await received, pattern.tally.result());
  }),
  ...onEveryTlsLink(
    "writable.close() sends close_notify while readable still carries 3 MiB",
    async (link) => {
      for (const [from, to] of [[link.client, link.server]]) {
        const early = await send(from, 1000);
        await fin(from);
        deepStrictEqual(await receive(to), early);
        const received = receive(from);
        const late = await send(to, 3 * MIB);
        await fin(to);
        deepStrictEqual(await received, late);
      }
    },
    "tls half-close",
  ),
  ...onEveryTlsLink("the server may be the first to end as well", async ({ client, server }) => {
    const early = await send(server, 1000);
    await fin(server);
    deepStrictEqual(await receive(client), early);
    const received = receive(server);
    const late = await send(client, 3 * MIB);
    await fin(client);
    deepStrictEqual(await received, late);
  }, "tls half-close"),
  ...onEveryTlsLink("the peer's close_notify ends readable", async (link) => {
    await say(link.client, "bye");
    await fin(link.client);
    strictEqual(await hear(link.server, 100), "bye");
    // The two cases above test whether this end can still send.
    await link.server.writable.close().catch(() => {});
    strictEqual(await hear(link.client, 100), "");
  }),
  ...onEveryTlsLink(
    "an end without close_notify is connection_terminated",
    async ({ client, server }) => {
      await say(client, "cut");
      strictEqual(await hear(server, 3), "cut");
      // This sends FIN, and no close_notify.
      await client.readable.cancel();
      strictEqual(await rejectionCode(hear(server, 1)), "connection_terminated");
      strictEqual(await rejectionCode(say(server, "x")), "connection_terminated");
    },
  ),
  ...onEveryTlsLink("a failed write leaves what came before it to be read", async (link) => {
    // In memory, a reset also discards the bytes that wait.
    if ("written" in link.wire.client) return;
    const { client, server } = link;
    await say(server, "answer");
    await server.writable.abort();
    strictEqual(await rejectionCode(send(client, 64 * MIB)), "connection_terminated", "the write");
    strictEqual(await hear(client, 6), "answer");
    strictEqual(await rejectionCode(hear(client, 1)), "connection_terminated", "the read");
  }),
  ...onEveryTlsLink("a writer is stopped by a reader that stops", async (link) => {
    for (const [from, to] of directions(link)) {
      let written = 0;
      const sending = send(from, 32 * MIB, (bytes) => written = bytes);
      const stalled = await standstill(() => written);
      ok(stalled < 16 * MIB, `${stalled} bytes were taken`);
      const { unsent } = from.port!;
      ok(unsent > 0, "The port does not tell what waits");
      strictEqual(await standstill(() => from.port!.unsent), unsent);
      const reader = to.readable.getReader({ mode: "byob" });
      const tally = new Tally();
      let buffer = new Uint8Array(262144);
      while (tally.bytes < 32 * MIB) {
        const { value } = await reader.read(buffer);
        tally.add(value!);
        buffer = new Uint8Array(value!.buffer);
      }
      reader.releaseLock();
      deepStrictEqual(tally.result(), await sending);
      strictEqual(from.port!.unsent, 0);
    }
  }),
  ...onEveryTlsLink(
    "in memory no more is taken than the wire holds and TLS buffers",
    async ({ client, wire }) => {
      if (!("written" in wire.client)) return;
      let written = 0;
      const writer = client.writable.getWriter();
      const writing = (async () => {
        for (;;) {
          await writer.write(new Uint8Array(16384));
          written += 16384;
        }
      })().catch(() => {});
      ok(await standstill(() => written) <= 65536, `${written} bytes were taken`);
      await writer.abort();
      await writing;
      writer.releaseLock();
    },
  ),
  ...onEveryTlsLink(
    "abort() destroys both ends, with a read and a write pending",
    async ({ client, server }) => {
      const read = rejectionCode(hear(client, 1));
      const writer = client.writable.getWriter();
      const write = writer.write(new Uint8Array(32 * MIB)).then(() => "written", () => "failed");
      await standstill(() => 0);
      await writer.abort();
      strictEqual(await read, "connection_terminated");
      strictEqual(await write, "failed");
      writer.releaseLock();
      strictEqual(await rejectionCode(receive(server)), "connection_terminated");
    },
  ),
  ...onEveryTlsLink("writable.abort() fails the pending read", async ({ client, server }) => {
    const read = rejectionCode(hear(client, 1));
    await client.writable.abort();
    strictEqual(await read, "connection_terminated");
    strictEqual(await rejectionCode(hear(server, 1)), "connection_terminated");
  }),
  ...onEveryWire("TLS inside TLS carries 1 MiB and ends", async (runtime, wire) => {
    const outer = await shakeHands(runtime, wire);
    const inner = await shakeHands(runtime, outer);
    const received = receive(inner.server);
    const sent = await send(inner.client, MIB);
    await fin(inner.client);
    deepStrictEqual(await received, sent);
    for (const stream of [inner.client, inner.server]) await discard(stream);
  }),
  {
    name: "tls with openssl s_client: 1 MiB each way, and both see close_notify",
    async run(runtime) {
      const { stream, openssl } = await acceptOpenSsl(runtime, "-quiet", "-ign_eof", "-tls1_3");
      const tls = await runtime.acceptTls(stream, GOOD.server());
      const up = new Pattern().next(MIB);
      openssl.process.stdin.write(up);
      const reader = tls.readable.getReader({ mode: "byob" });
      const tally = new Tally();
      while (tally.bytes < MIB) tally.add((await reader.read(new Uint8Array(65536))).value!);
      reader.releaseLock();
      const down = await send(tls, MIB);
      deepStrictEqual(tally.result(), down);
      await eventually(() => openssl.output.length === MIB, "openssl has not received everything");
      const output = new Tally();
      output.add(openssl.output);
      deepStrictEqual(output.result(), down);
      await fin(tls);
      // After a FIN without close_notify, it would print "unexpected eof".
      await openssl.ended;
      strictEqual(
        /unexpected eof|error/i.test(openssl.errors.replace(/verify error.*/g, "")),
        false,
        openssl.errors,
      );
      strictEqual((await receive(tls)).bytes, 0);
    },
  },
  {
    name: "tls with openssl s_server: 1 MiB each way, and close_notify each way",
    async run(runtime) {
      const { stream, openssl } = await dialOpenSsl(runtime, "-tls1_3");
      const tls = await runtime.connectTls(stream, GOOD.client());
      const before = openssl.output.length;
      const sent = await send(tls, MIB);
      await eventually(() => openssl.output.length >= before + MIB, "openssl has not received everything");
      ok(sent.bytes === MIB);
      // Without -quiet, openssl takes some letters for commands.
      const text = new TextEncoder().encode(Buffer.from(new Pattern().next(MIB / 2)).toString("hex"));
      openssl.process.stdin.write(text);
      const tally = new Tally();
      tally.add(text);
      deepStrictEqual(await readSome(tls, MIB), tally.result());
      await fin(tls);
      strictEqual((await receive(tls)).bytes, 0);
      await openssl.ended;
      match(openssl.text, /DONE|shutting down SSL|CONNECTION CLOSED/i);
    },
  },
  {
    name: "tls with openssl s_client: a client that is killed is connection_terminated",
    async run(runtime) {
      const { stream, openssl } = await acceptOpenSsl(runtime, "-quiet", "-tls1_3");
      const tls = await runtime.acceptTls(stream, GOOD.server());
      openssl.process.stdin.write("hi");
      strictEqual(await hear(tls, 2), "hi");
      openssl.process.kill("SIGKILL");
      strictEqual(await rejectionCode(hear(tls, 1)), "connection_terminated");
      await openssl.ended;
    },
  },
  {
    name: "tls with openssl: TLS 1.2 works where it is allowed",
    async run(runtime) {
      const { stream, openssl } = await acceptOpenSsl(
        runtime,
        "-quiet",
        "-tls1_2",
        "-servername",
        "two.test",
      );
      const tls = await runtime.acceptTls(stream, {
        certificates: [certificates().one, certificates().two],
      });
      openssl.process.stdin.write("hi");
      strictEqual(await hear(tls, 2), "hi");
      await discard(tls);
      await openssl.ended;
    },
  },
  ...onEveryWire("a link is alive behind TLS 1.3 alone", async (runtime, wire) => {
    const link = await shakeHands(runtime, wire, {
      server: { minVersion: "TLSv1.3" },
      client: { minVersion: "TLSv1.3" },
    });
    await assertAlive(link);
    for (const stream of [link.client, link.server]) await discard(stream);
  }),
];

async function readSome(
  stream: Parameters<typeof hear>[0],
  length: number,
): Promise<{ bytes: number; hash: string }> {
  const reader = stream.readable.getReader({ mode: "byob" });
  const tally = new Tally();
  while (tally.bytes < length) tally.add((await reader.read(new Uint8Array(length - tally.bytes))).value!);
  reader.releaseLock();
  return tally.result();
}
