/**
 * Looks after tunnels through upstreams: where the network on the way is cut, nobody tells the two ends.
 *
 * TCP would notice in its own time, which differs by runtime: Deno cannot set how often a silent connection is
 * probed, and bytes on their way are sent again for a quarter of an hour. A lifeline opens a second connection where the
 * tunnels have fallen silent, and says nothing on it: the kernel at the other end answers for a process that is busy
 * or stopped, so that its tunnels are not lost.
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

/** How often it is looked whether bytes have come, in milliseconds. */
const INTERVAL = 10_000;

/**
 * How long a probe may take, in milliseconds. Two looks and a probe stay below 30 s, and a SYN is sent three times
 * meanwhile.
 */
const LIMIT = 8_000;

/** When a probe that failed at once is repeated: what roams from one network to another is back soon. */
const RETRY = 2_000;

/** By these the other machine is gone, or not the same any more. Of what else a probe may fail, tunnels do not die. */
const LOST: ReadonlySet<FaultCode> = new Set<FaultCode>([
  "connection_timeout",
  "connection_refused",
  "destination_ip_unroutable",
]);

const PROBED = new Fault("connection_terminated", "Somebody is there");
const NOT_NEEDED = new Fault("connection_terminated", "No tunnel is left");

/** What lifelines work with. */
export interface LifelineOptions {
  /** What dials. */
  readonly runtime: Pick<Runtime, "dial">;
  readonly clock: Clock;
  /** Tells when to look. */
  readonly deadlines: Deadlines;
}

/** The chain that a connection was made through, and the address of its first upstream, which is looked after. */
export interface TakenRoute {
  readonly chain: Chain;
  readonly address: Address;
}

/** A tunnel that is looked after. */
export interface Tunnel {
  /** Breaks it off. */
  cut(fault: Fault): void;
}

/** How many bytes a tunnel has carried so far, from the upstream and to it. */
export interface Carried {
  readonly received: number;
  readonly sent: number;
}

/** The lifelines of a proxy: one for each address at which there is an upstream with tunnels. */
export class Lifelines {
  readonly #options: LifelineOptions;
  readonly #byAddress = new Map<string, Lifeline>();

  /** Nothing happens while no tunnel is held. */
  constructor(options: LifelineOptions) {
    this.#options = options;
  }

  /**
   * Looks after a tunnel until it is released: it is cut with `connection_read_timeout` once the upstream cannot be
   * reached any more. Undefined for a direct tunnel and for a Unix socket, whose other end cannot vanish unnoticed.
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
  // That it was opened counts as bytes both ways.
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

  /** The upstream cannot be reached. Cuts the tunnel, unless something has come meanwhile. */
  lose({ code, message }: Fault): void {
    if (this.#carried.received !== this.#received) return;
    // Who refuses is there. It may be about to stop, and is let finish what it has; had it lost the tunnel, it would
    // reset it as soon as something is sent.
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

  /** Why there is no connection; undefined where there was one. */
  async #attempt(signal: AbortSignal): Promise<Fault | undefined> {
    try {
      const stream = await this.#options.runtime.dial(this.#address, { signal });
      new Channel(stream, "target").drop(PROBED);
      return undefined;
    } catch (error) {
      return toFault(error);
    }
  }

  /** True when the next attempt is due, false when there is no time left for one. */
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
