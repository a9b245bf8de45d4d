/**
 * Several machines in memory. They dial the addresses on which others listen.
 *
 * @module
 */

import { Channel } from "../../src/streams/channel.ts";
import { channelStream } from "../../src/streams/channel_stream.ts";
import { parseEndpoint } from "../../src/listeners/endpoint.ts";
import { formatAddress } from "../../src/addresses/host.ts";
import { Fault } from "../../src/faults.ts";
import type { Address, ByteStream, Listener, Runtime, TlsClientOptions } from "../../src/runtime/contract.ts";
import type { Proxy, ProxyOptions } from "../../src/proxy/options.ts";
import { createProxy } from "../../src/proxy/server.ts";
import type { ChainOptions } from "../../src/dialing/chain.ts";
import { Arrivals } from "./condition.ts";
import { memoryPair } from "./memory_stream.ts";
import { VirtualClock } from "./virtual_clock.ts";
import { bytes, hear } from "./virtual_network.ts";
import { settingsWith } from "./settings.ts";

/** The addresses of the network, and their listeners. */
export class MemoryNetwork implements AsyncDisposable {
  readonly clock = new VirtualClock();
  /** All addresses that were dialed, in order. */
  readonly dialed: string[] = [];
  /** The options of TLS clients. Instead of TLS, a client sends a line with the server's name. */
  readonly secured: TlsClientOptions[] = [];
  /** Addresses that take connections and never answer. */
  readonly silent = new Set<string>();
  readonly #accept = new Map<string, (stream: ByteStream) => void>();
  readonly #proxies: Proxy[] = [];

  /** The runtime of every machine. */
  readonly runtime: Runtime = {
    name: "memory",
    descriptorLimit: () => undefined,
    environment: () => undefined,
    environmentNames: () => [],
    ownAddresses: () => [],
    resolve: (host) => Promise.reject(socketError("dns_error", host)),
    listen: ({ address }) => Promise.resolve(this.#listen(address)),
    openDatagrams: () => Promise.reject(new Error("There are no datagrams in memory")),
    dial: (to) => {
      const at = formatAddress(to);
      this.dialed.push(at);
      const [near, far] = memoryPair();
      if (!this.silent.has(at)) {
        const accept = this.#accept.get(at);
        if (!accept) return Promise.reject(socketError("connection_refused", at));
        accept({ ...far, local: to });
      }
      return Promise.resolve({ ...near, remote: to });
    },
    acceptTls: () => Promise.reject(new Error("There is no TLS server in memory")),
    connectTls: async (stream, options) => {
      this.secured.push(options);
      const channel = new Channel(stream, "target");
      await channel.writer.write(bytes(`TLS ${options.serverName}\n`));
      return channelStream(channel);
    },
  };

  #listen(address: Address): Listener {
    const at = formatAddress(address);
    const waiting: ByteStream[] = [];
    let wake = () => {};
    let closed = false;
    this.#accept.set(at, (stream) => {
      waiting.push(stream);
      wake();
    });
    return {
      address,
      close: () => {
        closed = true;
        this.#accept.delete(at);
        wake();
        return Promise.resolve();
      },
      async *[Symbol.asyncIterator]() {
        while (!closed) {
          const stream = waiting.shift();
          if (stream) yield stream;
          else await new Promise<void>((resolve) => wake = resolve);
        }
      },
    };
  }

  /** Starts a proxy. */
  async proxy(listen: string, options: ProxyOptions = {}): Promise<Proxy> {
    const { runtime, clock } = this;
    const open = { allowOpen: true, privateDestinations: "allow" } as const;
    const proxy = await createProxy({ runtime, clock, listen, ...open, ...options });
    this.#proxies.push(proxy);
    return proxy;
  }

  /** Starts a proxy behind the substitute for TLS. */
  async secureProxy(listen: string, serverName: string, options: ProxyOptions = {}): Promise<void> {
    const proxy = await this.proxy("127.0.0.1:0", options);
    this.#serve(formatAddress(parseEndpoint(listen).address), async (stream) => {
      const channel = new Channel(stream, "client");
      const line = `TLS ${serverName}\n`;
      while (channel.reader.buffer.length < line.length) await channel.reader.fill();
      if (new TextDecoder().decode(channel.reader.buffer.take(line.length)) !== line) {
        throw new Error("No TLS");
      }
      await proxy.handle(channelStream(channel));
    });
  }

  /** If a client leaves, only its own service ends. */
  #serve(at: string, serve: (stream: ByteStream) => Promise<void>): void {
    this.#accept.set(at, (stream) => void serve(stream).catch(() => {}));
  }

  /** Makes a proxy listen on another address, too. */
  alias(at: string, proxy: Proxy): void {
    this.#serve(at, (stream) => proxy.handle(stream));
  }

  /** Listens on an address; the test takes the connections. */
  server(at: string): Arrivals<Channel> {
    const arrivals = new Arrivals<Channel>(`a connection to ${at}`);
    this.#accept.set(at, (stream) => arrivals.push(new Channel(stream, "client")));
    return arrivals;
  }

  /** A server that sends a greeting, and then repeats one line. */
  echo(at: string): void {
    this.#serve(at, async (stream) => {
      const channel = new Channel(stream, "client");
      await channel.writer.write(bytes("hello\n"));
      await channel.writer.write(bytes(`echo ${await hear(channel, "\n")}`));
      await channel.writer.close();
    });
  }

  /** Stops listening on an address. */
  unplug(at: string): void {
    this.#accept.delete(at);
  }

  /** The options for a dial in this network. */
  options(options: Partial<ChainOptions> = {}): ChainOptions {
    return {
      runtime: this.runtime,
      clock: this.clock,
      signal: new AbortController().signal,
      judge: () => {},
      judgeUpstream: () => {},
      resolver: { resolve: (host) => Promise.reject(new Fault("dns_error", host)) },
      readFile: (path) => Promise.resolve(`contents-of-${path}\n`),
      settings: settingsWith(),
      ...options,
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#proxies.map((proxy) => proxy.close({ drain: 0 })));
  }
}

function socketError(code: string, at: string): Error {
  return Object.assign(new Error(`Cannot reach ${at}`), { code });
}
