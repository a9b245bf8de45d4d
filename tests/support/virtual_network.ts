/**
 * A network in memory. Whatever the core dials, the test holds the other end.
 *
 * @module
 */

import { acceptTls, connectTls } from "../../adapters/tls.ts";
import { Channel } from "../../src/streams/channel.ts";
import type { AccessRecord } from "../../src/observe/record.ts";
import type { Runtime, SocketErrorCode } from "../../src/runtime/contract.ts";
import { formatAuthority } from "../../src/addresses/host.ts";
import type { Proxy, ProxyOptions } from "../../src/proxy/options.ts";
import { createProxy } from "../../src/proxy/server.ts";
import { VirtualDatagrams } from "./virtual_datagrams.ts";
import { memoryPair } from "./memory_stream.ts";
import { VirtualClock } from "./virtual_clock.ts";

/** A proxy without sockets, with a clock that the test sets. */
export class VirtualNetwork {
  readonly clock = new VirtualClock();
  readonly records: AccessRecord[] = [];
  readonly transitions: string[] = [];
  readonly dialed: string[] = [];
  /** The names that exist, and their addresses. */
  readonly hosts: Record<string, string[]> = { "origin.test": ["192.0.2.80"], "dead.test": ["192.0.2.81"] };
  /** Addresses that cannot be reached, and why. `hang`: the dial never ends. */
  readonly unreachable: Record<string, SocketErrorCode | "hang"> = { "192.0.2.81": "connection_refused" };
  /** How many milliseconds a dial to an address takes. */
  readonly slow: Record<string, number> = {};
  readonly datagrams = new VirtualDatagrams();
  readonly #origins: Channel[] = [];
  readonly #waiting: ((origin: Channel) => void)[] = [];
  /** The options of the proxy. */
  options: ProxyOptions = {};
  #proxy: Proxy | undefined;

  /** The runtime of the proxy. */
  readonly runtime: Runtime = {
    name: "memory",
    acceptTls,
    connectTls,
    descriptorLimit: () => undefined,
    environment: () => undefined,
    environmentNames: () => [],
    ownAddresses: () => [],
    listen: () => Promise.reject(new Error("There are no listeners in memory")),
    openDatagrams: (options) => this.datagrams.bind(options),
    resolve: (host) => {
      const addresses = this.hosts[host];
      return addresses ? Promise.resolve({ addresses }) : Promise.reject(socketError("dns_error", host));
    },
    dial: async (to, { signal } = {}) => {
      const { host, port } = to as { host: string; port: number };
      this.dialed.push(formatAuthority({ host, port }));
      const why = this.unreachable[host];
      if (why === "hang") {
        return await new Promise((_, reject) =>
          signal?.addEventListener("abort", () => reject(signal.reason))
        );
      }
      if (why) throw socketError(why, `${host}:${port}`);
      const delay = this.slow[host];
      if (delay !== undefined) await new Promise<void>((resolve) => this.clock.schedule(delay, resolve));
      const [near, far] = memoryPair();
      const origin = new Channel(far, "client");
      const waiter = this.#waiting.shift();
      if (waiter) waiter(origin);
      else this.#origins.push(origin);
      return { ...near, remote: to };
    },
  };

  /** Starts the proxy. */
  static async start(options: ProxyOptions = {}): Promise<VirtualNetwork> {
    const network = new VirtualNetwork();
    network.options = {
      listen: [],
      name: "test-proxy",
      runtime: network.runtime,
      clock: network.clock,
      onRecord: (record) => network.records.push(record),
      onTransition: ({ from, event, to }) => network.transitions.push(`${from} -${event}→ ${to}`),
      ...options,
    };
    network.#proxy = await createProxy(network.options);
    return network;
  }

  get proxy(): Proxy {
    return this.#proxy!;
  }

  /** Connects a client. `done` settles when the proxy is done with it. */
  connect(): { client: Channel; done: Promise<void> } {
    const [near, far] = memoryPair();
    return { client: new Channel(near, "target"), done: this.proxy.handle(far) };
  }

  /** The next connection that the proxy opens, or has opened and that was not taken yet. */
  origin(): Promise<Channel> {
    const origin = this.#origins.shift();
    return origin ? Promise.resolve(origin) : new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** The states of all connections so far, in order. */
  get path(): string[] {
    return this.transitions.map((transition) => transition.split("→ ")[1]);
  }
}

function socketError(code: SocketErrorCode, at: string): Error {
  return Object.assign(new Error(`Cannot reach ${at}`), { code });
}

/** Text as bytes, one for each character. */
export function bytes(text: string): Uint8Array {
  return Uint8Array.from(text, (char) => char.charCodeAt(0));
}

/** Sends text. */
export function say(channel: Channel, text: string): Promise<void> {
  return channel.writer.write(bytes(text));
}

/** Reads until the text has come whole; throws with what came if the stream ends before. */
export async function hear(channel: Channel, expected: string | RegExp): Promise<string> {
  let heard = "";
  while (typeof expected === "string" ? !heard.includes(expected) : !expected.test(heard)) {
    const part = await channel.reader.read();
    if (!part) throw new Error(`The stream ended behind ${JSON.stringify(heard)}`);
    heard += String.fromCharCode(...part);
  }
  return heard;
}

/** Reads to the end. */
export async function hearAll(channel: Channel): Promise<string> {
  let heard = "";
  for (let part = await channel.reader.read(); part; part = await channel.reader.read()) {
    heard += String.fromCharCode(...part);
  }
  return heard;
}

/** Lets everything happen that can, one turn of the event loop after another, until a condition holds. */
export async function until(condition: () => boolean): Promise<void> {
  for (let turn = 0; !condition(); turn++) {
    if (turn === 1_000) throw new Error(`What was waited for has not come: ${condition}`);
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
}
