/**
 * Datagrams: they arrive unchanged, and one that cannot be sent does no harm.
 *
 * @module
 */

import { deepStrictEqual, notStrictEqual, ok, strictEqual } from "node:assert";
import type { DatagramSocket, Runtime, TcpAddress } from "../../src/runtime/contract.ts";
import { type Case, openSockets, rejectionCode, tcp as ipv4, tcp6 as ipv6 } from "./links.ts";
import { eventually } from "../support/waiting.ts";

/** The most bytes in a UDP datagram over IPv4. */
const MAX_PAYLOAD = 65_507;

interface Arrival {
  readonly bytes: Uint8Array;
  readonly from: TcpAddress;
}

/** A socket that keeps the datagrams that arrive. */
interface Box extends DatagramSocket {
  readonly arrivals: Arrival[];
}

async function openBox(runtime: Runtime, address: unknown): Promise<Box> {
  const arrivals: Arrival[] = [];
  const socket = await runtime.openDatagrams({
    address: address as TcpAddress,
    onDatagram: (bytes, from) => arrivals.push({ bytes, from }),
  });
  return {
    address: socket.address,
    send: (bytes, to) => socket.send(bytes, to),
    close: () => socket.close(),
    arrivals,
  };
}

/** The next datagram that arrives. None is sent again: nothing is lost on loopback. */
async function next({ arrivals }: Box): Promise<Arrival> {
  await eventually(() => arrivals.length > 0, "No datagram came");
  return arrivals.shift()!;
}

/** A case with sockets. Afterwards none of them may be left. */
function onBoxes(
  name: string,
  body: (boxes: { open(address: unknown): Promise<Box>; runtime: Runtime }) => Promise<void>,
): Case {
  return {
    name: `datagrams: ${name}`,
    async run(runtime) {
      const before = openSockets();
      const boxes: Box[] = [];
      const open = async (address: unknown) => {
        const box = await openBox(runtime, address);
        boxes.push(box);
        return box;
      };
      try {
        await body({ open, runtime });
      } finally {
        for (const box of boxes) box.close();
      }
      await eventually(() => openSockets() <= before, "The case has left a socket open");
    },
  };
}

function pattern(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, index) => index * 7 + (index >> 8));
}

export const DATAGRAM_CASES: Case[] = [
  ...[ipv4(), ipv6()].map((any) =>
    onBoxes(
      `each arrives whole, by itself and with its sender, on ${Object.values(any)[0]}`,
      async ({ open }) => {
        const [a, b] = [await open(any), await open(any)];
        ok(a.address.port > 0 && a.address.port !== b.address.port, "Port 0 lets the system choose");
        for (const length of [1, 0, 1_472, 9_216, MAX_PAYLOAD, 2]) {
          const sent = pattern(length);
          a.send(sent, b.address);
          const { bytes, from } = await next(b);
          ok(bytes instanceof Uint8Array);
          deepStrictEqual([...bytes], [...sent]);
          deepStrictEqual(from, a.address);
          b.send(bytes, from);
          deepStrictEqual([...(await next(a)).bytes], [...sent]);
        }
      },
    )
  ),
  onBoxes("bytes that were handed out stay what they are", async ({ open }) => {
    const [a, b] = [await open(ipv4()), await open(ipv4())];
    const kept: Uint8Array[] = [];
    for (let i = 0; i < 20; i++) {
      a.send(pattern(100).fill(i), b.address);
      kept.push((await next(b)).bytes);
    }
    deepStrictEqual(kept.map((bytes) => new Set(bytes)), kept.map((_, index) => new Set([index])));
  }),
  onBoxes("a socket bound to all addresses sends and receives on each", async ({ open }) => {
    for (const [any, one] of [["0.0.0.0", ipv4()], ["::", ipv6()]] as const) {
      const [wide, narrow] = [await open({ host: any, port: 0 }), await open(one)];
      wide.send(pattern(3), narrow.address);
      const { from } = await next(narrow);
      deepStrictEqual(from, { ...narrow.address, port: wide.address.port });
      narrow.send(pattern(4), from);
      strictEqual((await next(wide)).bytes.length, 4);
    }
  }),
  onBoxes("0.0.0.0 and [::] may have the same port: IPv6 is IPv6 alone", async ({ open }) => {
    const wide = await open({ host: "0.0.0.0", port: 0 });
    const { port } = await open({ host: "::", port: wide.address.port }).then(({ address }) => address);
    strictEqual(port, wide.address.port);
  }),
  onBoxes("sending to a closed port is no error, nor is what ICMP says of it", async ({ open }) => {
    for (const any of [ipv4(), ipv6()]) {
      const [a, b, gone] = [await open(any), await open(any), await open(any)];
      gone.close();
      for (let i = 0; i < 5; i++) {
        a.send(pattern(10), gone.address);
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
      a.send(pattern(10), b.address);
      strictEqual((await next(b)).bytes.length, 10);
      b.send(pattern(11), a.address);
      strictEqual((await next(a)).bytes.length, 11);
    }
  }),
  onBoxes("a datagram is not lost for one that went to a closed port before", async ({ open }) => {
    for (const any of [ipv4(), ipv6()]) {
      const [a, b, gone] = [await open(any), await open(any), await open(any)];
      gone.close();
      for (let i = 0; i < 50; i++) {
        for (let j = 0; j <= i % 3; j++) a.send(pattern(1), gone.address);
        a.send(pattern(i), b.address);
        strictEqual((await next(b)).bytes.length, i);
      }
    }
  }),
  onBoxes("what cannot be sent is lost and harms nobody", async ({ open }) => {
    const [a, b] = [await open(ipv4()), await open(ipv4())];
    const { port } = b.address;
    const nowhere: TcpAddress[] = [
      { host: "127.0.0.1", port: 0 },
      { host: "127.0.0.1", port: 70_000 },
      { host: "255.255.255.255", port },
      { host: "::1", port },
      { host: "::ffff:127.0.0.1", port },
      { host: "localhost", port },
      { host: "127.1", port },
      { host: "no address", port },
    ];
    for (const to of nowhere) a.send(pattern(5), to);
    a.send(pattern(MAX_PAYLOAD + 1), b.address);
    a.send(pattern(6), b.address);
    strictEqual((await next(b)).bytes.length, 6);
    deepStrictEqual(b.arrivals, []);
  }),
  onBoxes("a burst is bounded by the system and by nothing worse", async ({ open }) => {
    const [a, b] = [await open(ipv4()), await open(ipv4())];
    for (let i = 0; i < 2_000; i++) a.send(pattern(1), b.address);
    const big = new Uint8Array(MAX_PAYLOAD);
    for (let i = 0; i < 2_000; i++) a.send(big, b.address);
    await next(b);
    // Once a later datagram has come through, nothing is under way any more.
    await eventually(() => {
      a.send(pattern(77), b.address);
      return b.arrivals.some(({ bytes }) => bytes.length === 77);
    }, "Nothing came after the burst");
  }),
  onBoxes(
    "close() frees the port, twice is harmless, and nothing comes or goes after it",
    async ({ open }) => {
      const [a, b] = [await open(ipv4()), await open(ipv4())];
      a.send(pattern(1), b.address);
      b.close();
      b.close();
      b.send(pattern(2), a.address);
      let again!: Box;
      // Deno frees the port only when it has sent the current datagram.
      await eventually(
        () => open(b.address).then((box) => again = box).then(() => true, () => false),
        "The port is still in use",
      );
      deepStrictEqual(again.address, b.address);
      a.send(pattern(3), b.address);
      await eventually(() => again.arrivals.some(({ bytes }) => bytes.length === 3), "The port is deaf");
      deepStrictEqual([a.arrivals, b.arrivals], [[], []]);
    },
  ),
  onBoxes(
    "a port in use, an address that is not ours, and a name are refused with a code",
    async ({ open }) => {
      const { address } = await open(ipv4());
      strictEqual(await rejectionCode(open(address)), "address_in_use");
      strictEqual(await rejectionCode(open({ host: "192.0.2.1", port: 0 })), "address_unavailable");
      strictEqual(await rejectionCode(open({ host: "localhost", port: 0 })), "proxy_internal_error");
      const error = await open(address).catch((error) => error);
      notStrictEqual(String(error).indexOf(`"127.0.0.1:${address.port}"`), -1);
    },
  ),
  onBoxes("1 000 sockets leave no descriptor behind", async ({ open }) => {
    for (let i = 0; i < 1_000; i++) (await open(i % 2 === 0 ? ipv4() : ipv6())).close();
  }),
];
