/**
 * Watches tunnels through upstreams: if the network between is cut, neither end is told.
 *
 * TCP would notice in its own time, which differs by runtime: Deno cannot set how often a silent connection is probed,
 * and sent bytes are repeated for a quarter of an hour. When the tunnels to an address have fallen silent, a lifeline
 * opens a second connection to it and sends nothing. The kernel at the other end accepts it even if the process is busy
 * or stopped, so such tunnels are not lost.
 *
 * @module
 */

import { Channel } from "../streams/channel.ts";
import type { Clock } from "../runtime/clock.ts";
import type { Deadlines, Timed } from "../runtime/deadlines.ts";
import { Fault, type FaultCode, toFault } from "../faults.ts";
import { formatAuthority } from "../addresses/host.ts";
import type { Address, Runtime, TcpAddress } from "../runtime/contract.ts";
import { type Chain, formatUpstream, type Upstream } from "./upstream.ts";

/** How often to look whether bytes have come, in milliseconds. */
const INTERVAL = 10_000;

/**
 * How long a probe may take, in milliseconds. Two looks and a probe take less than 30 s, and a SYN is sent three times
 * meanwhile.
 */
const LIMIT = 8_000;

/**
 * When to repeat a probe that failed at once, in milliseconds: a machine that roams to another network is back soon.
 */
const RETRY = 2_000;

/**
 * These faults of a probe mean that the other machine is gone or is another one. After any other fault the tunnels
 * stay.
 */
const LOST: ReadonlySet<FaultCode> = new Set<FaultCode>([
  "connection_timeout",
  "connection_refused",
  "destination_ip_unroutable",
]);

const PROBED = new Fault("connection_terminated", "Somebody is there");
const NOT_NEEDED = new Fault("connection_terminated", "No tunnel is left");

/** What lifelines use. */
export interface LifelineOptions {
  /** Dials the probes. */
  readonly runtime: Pick<Runtime, "dial">;
  readonly clock: Clock;
  /** Tells when to look. */
  readonly deadlines: Deadlines;
}

/** The chain of a connection, and the address of its first upstream, which the lifeline watches. */
export interface TakenRoute {
  readonly chain: Chain;
  readonly address: Address;
}

/** A tunnel that a lifeline watches. */
export interface Tunnel {
  /** Breaks it off. */
  cut(fault: Fault): void;
}

/** How many bytes a tunnel has carried so far, from the upstream and to it. */
export interface Carried {
  readonly received: number;
  readonly sent: number;
}

/** The lifelines of a proxy: one for each address of an upstream that has tunnels. */
export class Lifelines {
  readonly #options: LifelineOptions;
  readonly #byAddress = new Map<string, Lifeline>();

  /** Does nothing while there is no tunnel. */
  constructor(options: LifelineOptions) {
    this.#options = options;
  }

  /**
   * Watches a tunnel until it is released, and cuts it with `connection_read_timeout` once the upstream cannot be
   * reached any more. Undefined for a direct tunnel, and for a Unix socket, since its other end cannot vanish
   * unnoticed.
   */
  hold({ chain, address }: TakenRoute, tunnel: Tunnel, carried: Carried): Held | undefined {
    if (chain.length === 0 || "path" in address) return undefined;
    const key = formatAuthority(address);
    let line = this.#byAddress.get(key);
    if (!line) {
      line = new Lifeline(address, { ...this.#options, over: () => this.#byAddress.delete(key) });
      this.#byAddress.set(key, line);
    }
    return line.add(new Held(line, { upstream: chain[0], tunnel, carried }));
  }
}

/** A tunnel on its lifeline. */
export class Held {
  readonly #line: Lifeline;
  readonly #upstream: Upstream;
  readonly #tunnel: Tunnel;
  readonly #carried: Carried;
  // At -1, the opening of the tunnel counts as bytes both ways.
  #received = -1;
  #sent = -1;
  #idle = false;

  /** See {@link Lifelines.hold}. */
  constructor(
    line: Lifeline,
    { upstream, tunnel, carried }: { upstream: Upstream; tunnel: Tunnel; carried: Carried },
  ) {
    this.#line = line;
    this.#upstream = upstream;
    this.#tunnel = tunnel;
    this.#carried = carried;
  }

  /** Whether bytes have come since the last look. */
  look(): boolean {
    const { received, sent } = this.#carried;
    const came = received !== this.#received;
    this.#idle = !came && sent === this.#sent;
    this.#received = received;
    this.#sent = sent;
    return came;
  }

  /** The upstream cannot be reached. Cuts the tunnel, unless bytes have come meanwhile. */
  lose({ code, message }: Fault): void {
    if (this.#carried.received !== this.#received) return;
    // An upstream that refuses the probe is there. Perhaps it is about to stop and finishes its tunnels first. If it
    // had lost this tunnel, it would reset it as soon as bytes are sent.
    if (code === "connection_refused" && !this.#idle) return;
    const name = formatUpstream(this.#upstream);
    this.#tunnel.cut(
      new Fault("connection_read_timeout", `${name}: Nothing comes, and it cannot be reached: ${message}`),
    );
  }

  /** The tunnel is over. */
  release(): void {
    this.#line.remove(this);
  }
}

/** The tunnels that go to one address. */
class Lifeline implements Timed {
  readonly #address: TcpAddress;
  readonly #options: LifelineOptions & { readonly over: () => void };
  readonly #held = new Set<Held>();
  #probing: AbortController | undefined;
  /** See `Timed`. */
  expiresAt = Infinity;

  constructor(address: TcpAddress, options: LifelineOptions & { readonly over: () => void }) {
    this.#address = address;
    this.#options = options;
  }

  add(held: Held): Held {
    this.#held.add(held);
    if (this.#held.size === 1) {
      this.expiresAt = this.#options.clock.now() + INTERVAL;
      this.#options.deadlines.watch(this);
    }
    return held;
  }

  remove(held: Held): void {
    this.#held.delete(held);
    if (this.#held.size > 0) return;
    this.#options.deadlines.forget(this);
    this.#options.over();
    this.#probing?.abort(NOT_NEEDED);
  }

  /** See `Timed`: it is time to look. */
  expire(): void {
    this.expiresAt = this.#options.clock.now() + INTERVAL;
    let lives = false;
    for (const held of this.#held) if (held.look()) lives = true;
    if (!lives) this.#probe();
  }

  async #probe(): Promise<void> {
    const controller = this.#probing = new AbortController();
    const { signal } = controller;
    const late = new Fault("connection_timeout", `No connection within ${LIMIT} ms`);
    const cancel = this.#options.clock.schedule(LIMIT, () => controller.abort(late));
    let fault = await this.#attempt(signal);
    while (fault && LOST.has(fault.code) && !signal.aborted && await this.#pause(signal)) {
      fault = await this.#attempt(signal);
    }
    cancel();
    this.#probing = undefined;
    if (!fault || !LOST.has(fault.code)) return;
    for (const held of this.#held) held.lose(fault);
  }

  /** Why a probe could not connect. Undefined: it could. */
  async #attempt(signal: AbortSignal): Promise<Fault | undefined> {
    try {
      const stream = await this.#options.runtime.dial(this.#address, { signal });
      new Channel(stream, "target").drop(PROBED);
      return undefined;
    } catch (error) {
      return toFault(error);
    }
  }

  /** Resolves to true when the next attempt is due, and to false if there is no time left for one. */
  #pause(signal: AbortSignal): Promise<boolean> {
    return new Promise((resolve) => {
      const cancel = this.#options.clock.schedule(RETRY, () => resolve(true));
      signal.addEventListener("abort", () => {
        cancel();
        resolve(false);
      });
    });
  }
}
