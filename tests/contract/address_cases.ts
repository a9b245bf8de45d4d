/**
 * Dialing, listening, resolving, and the addresses of both ends.
 *
 * @module
 */

import { deepStrictEqual, notStrictEqual, ok, strictEqual, throws } from "node:assert";
import { existsSync, readFileSync } from "node:fs";
import type { Address, TcpAddress, UnixAddress } from "../../src/runtime/contract.ts";
import {
  accept,
  acceptLink,
  type Case,
  dialLink,
  discard,
  openSockets,
  rejectionCode,
  tcp,
  tcp6,
  unix,
} from "./links.ts";
import { ROWS } from "./rows.ts";
import { eventually, standstill } from "../support/waiting.ts";

function sameFamily(address: () => Address): Case {
  return {
    name: `${(address() as TcpAddress).host}: local and remote addresses are those of the sockets`,
    async run(runtime, peer) {
      for (const open of [dialLink, acceptLink]) {
        const link = await open(runtime, { peer, address: address() });
        deepStrictEqual(link.stream.local, link.peer.remote);
        deepStrictEqual(link.stream.remote, link.peer.local);
        await discard(link.stream);
      }
    },
  };
}

export const ADDRESS_CASES: Case[] = [
  {
    name: "the adapters of other runtimes say that they are",
    async run(runtime) {
      for (const [name, row] of Object.entries(ROWS).filter(([name]) => name !== runtime.name)) {
        const { createRuntime } = await row.load();
        throws(createRuntime, (error: unknown) => error instanceof Error && error.message !== "", name);
      }
    },
  },
  {
    name: "descriptorLimit() is the system's",
    // deno-lint-ignore require-await
    async run(runtime) {
      const [, limit] = /^Max open files +(\d+)/m.exec(readFileSync("/proc/self/limits", "utf8"))!;
      strictEqual(runtime.descriptorLimit(), Number(limit));
    },
  },
  sameFamily(tcp),
  sameFamily(tcp6),
  {
    name: "unix: the listener's end has its path, the client's end an empty one",
    async run(runtime, peer) {
      const address = unix();
      const dialed = await dialLink(runtime, { peer, address });
      deepStrictEqual([dialed.stream.local, dialed.stream.remote], [{ path: "" }, address]);
      await discard(dialed.stream);
      const other = unix();
      const accepted = await acceptLink(runtime, { peer, address: other });
      deepStrictEqual([accepted.stream.local, accepted.stream.remote], [other, { path: "" }]);
      await discard(accepted.stream);
    },
  },
  {
    name: "port 0 reports the port that the system chose",
    async run(runtime) {
      const listener = await runtime.listen({ address: tcp() });
      strictEqual((listener.address as TcpAddress).host, "127.0.0.1");
      notStrictEqual((listener.address as TcpAddress).port, 0);
      await listener.close();
    },
  },
  {
    name: "listen on localhost binds a loopback address",
    async run(runtime, peer) {
      const listener = await runtime.listen({ address: { host: "localhost", port: 0 } });
      ok(["127.0.0.1", "::1"].includes((listener.address as TcpAddress).host));
      const client = await peer.dial(listener.address);
      await discard(await accept(listener));
      await client.destroy();
      await listener.close();
    },
  },
  {
    name: "a dial that is refused rejects with connection_refused",
    async run(runtime, peer) {
      for (const address of [tcp(), tcp6()] as TcpAddress[]) {
        const listener = await peer.listen(address);
        await listener.close();
        await eventually(async () => {
          const code = await rejectionCode(runtime.dial(listener.address).then(discard));
          return code === "connection_refused";
        }, `Dialing ${address.host} was not refused`);
      }
      const abandoned = unix();
      await peer.abandon(abandoned);
      strictEqual(await rejectionCode(runtime.dial(abandoned)), "connection_refused");
    },
  },
  {
    name: "a dial comes from the address that it is told, and fails if that is not ours",
    async run(runtime, peer) {
      const listener = await peer.listen(tcp());
      const { port } = listener.address as TcpAddress;
      const dialing = runtime.dial({ host: "127.0.0.1", port }, { local: "127.0.0.7" });
      const near = await dialing;
      strictEqual((near.local as TcpAddress).host, "127.0.0.7");
      await discard(near);
      const foreign = runtime.dial({ host: "127.0.0.1", port }, { local: "192.0.2.1" });
      strictEqual(await rejectionCode(foreign), "destination_ip_unroutable");
      await listener.close();
    },
  },
  {
    name: "a dial to a name is refused",
    async run(runtime, peer) {
      const listener = await peer.listen(tcp());
      const { port } = listener.address as TcpAddress;
      for (const host of ["localhost", "127.1", "0x7f.0.0.1", "127.0.0.01", "2130706433"]) {
        strictEqual(await rejectionCode(runtime.dial({ host, port })), "proxy_internal_error", host);
      }
      await listener.close();
    },
  },
  {
    name: "a dial to a Unix path that does not exist rejects with destination_unavailable",
    async run(runtime) {
      strictEqual(await rejectionCode(runtime.dial(unix())), "destination_unavailable");
    },
  },
  {
    name: "a dial whose signal has fired rejects with the reason",
    async run(runtime, peer) {
      const listener = await peer.listen(tcp());
      const before = openSockets();
      const reason = new Error("Not any more");
      const dialing = runtime.dial(listener.address, { signal: AbortSignal.abort(reason) });
      strictEqual(await dialing.catch((error) => error), reason);
      await eventually(() => openSockets() <= before, "The socket was not freed");
      await listener.close();
    },
  },
  {
    name: "a dial whose signal fires meanwhile rejects with the reason and frees the socket",
    async run(runtime, peer) {
      for (const address of [tcp(), unix()]) {
        const listener = await peer.listen(address);
        const before = openSockets();
        const reason = new Error("Not any more");
        const controller = new AbortController();
        const dialing = runtime.dial(listener.address, { signal: controller.signal });
        controller.abort(reason);
        strictEqual(await dialing.catch((error) => error), reason);
        await eventually(() => openSockets() <= before, "The socket was not freed");
        await listener.close();
      }
    },
  },
  {
    name: "a dial that hangs is abandoned when its signal fires",
    async run(runtime, peer) {
      const before = openSockets();
      const reason = new Error("Not any more");
      const controller = new AbortController();
      let settled = false;
      const dialing = runtime.dial(await peer.stall(), { signal: controller.signal }).catch((error) => {
        settled = true;
        return error;
      });
      await standstill(openSockets);
      ok(!settled);
      controller.abort(reason);
      strictEqual(await dialing, reason);
      await eventually(() => openSockets() <= before, "The socket was not freed");
      await peer.disperse();
    },
  },
  {
    name: "a signal that fires after the dial changes nothing",
    async run(runtime, peer) {
      const listener = await peer.listen(tcp());
      const controller = new AbortController();
      const stream = await runtime.dial(listener.address, { signal: controller.signal });
      controller.abort(new Error("Too late"));
      const writer = stream.writable.getWriter();
      await writer.write(new Uint8Array([1]));
      await writer.close();
      strictEqual((await (await listener.accept()).receive()).bytes, 1);
      await discard(stream);
      await listener.close();
    },
  },
  {
    name: "listen on an address in use rejects with address_in_use",
    async run(runtime) {
      for (const address of [tcp(), tcp6(), unix()]) {
        const listener = await runtime.listen({ address });
        strictEqual(await rejectionCode(runtime.listen({ address: listener.address })), "address_in_use");
        await listener.close();
      }
    },
  },
  {
    name: "listen on an address of another machine rejects with address_unavailable",
    async run(runtime) {
      // 192.0.2.0/24 is for documentation (RFC 5737), so no interface has this address.
      const address = { host: "192.0.2.1", port: 0 };
      strictEqual(await rejectionCode(runtime.listen({ address })), "address_unavailable");
    },
  },
  {
    name: "a path that is too long for the system is never cut short",
    async run(runtime) {
      const { path } = unix() as UnixAddress;
      const address = { path: path.padEnd(120, "x") };
      const listening = runtime.listen({ address });
      const code = await rejectionCode(listening);
      if (code === "no rejection") {
        const listener = await listening;
        ok(existsSync(address.path), "Another path was bound");
        await listener.close();
      } else {
        strictEqual(code, "address_unavailable");
      }
    },
  },
  {
    name: "a listener's Unix socket file is gone after close()",
    async run(runtime) {
      const address = unix();
      const listener = await runtime.listen({ address });
      const { path } = address as UnixAddress;
      ok(existsSync(path));
      await listener.close();
      ok(!existsSync(path));
    },
  },
  {
    name: "resolve() answers with the addresses of localhost",
    async run(runtime) {
      const { addresses } = await runtime.resolve("localhost");
      ok(addresses.length > 0);
      for (const address of addresses) ok(["127.0.0.1", "::1"].includes(address), address);
      strictEqual(new Set(addresses).size, addresses.length);
    },
  },
  {
    name: "resolve() of a name that does not exist rejects with dns_error",
    async run(runtime) {
      for (const name of ["nonexistent.invalid", ""]) {
        strictEqual(await rejectionCode(runtime.resolve(name)), "dns_error", `"${name}"`);
      }
    },
  },
  {
    name: "resolve() rejects at once with the signal's reason",
    async run(runtime) {
      const reason = new Error("Not any more");
      const before = runtime.resolve("nonexistent.invalid", { signal: AbortSignal.abort(reason) });
      strictEqual(await before.catch((error) => error), reason);
      const controller = new AbortController();
      const during = runtime.resolve("nonexistent.invalid", { signal: controller.signal });
      controller.abort(reason);
      // An answer cannot come before the next turn of the event loop, and these steps take none.
      let answer: unknown;
      during.catch((error) => answer = error);
      for (let step = 0; step < 100; step++) await undefined;
      strictEqual(answer, reason);
    },
  },
];
