/**
 * Limits how many connections wait for the answer of an upstream, so that a loop of proxies comes to an end.
 *
 * SOCKS and `line` carry nothing that shows a proxy that a request has been here before. In a loop, each proxy opens
 * more and more connections for one target, and none is ever answered. So a proxy allows only a few such connections at
 * once. Further requests wait in line, and a request that waits too long is refused; its refusal then answers all
 * others of the loop. The first success proves that there is no loop: all waiting requests may go, and the connections
 * under way count no longer. So a busy upstream that works never runs out of places.
 *
 * @module
 */

import type { ByteReader, Watcher } from "../streams/byte_reader.ts";
import type { Clock } from "../runtime/clock.ts";
import { type Log, SILENT_LOG } from "../observe/log.ts";
import { UpstreamFault } from "../protocols/common/connector.ts";
import { formatAuthority } from "../addresses/host.ts";
import type { TcpAddress } from "../runtime/contract.ts";
import { chainKey } from "./route_key.ts";
import { type Chain, formatRoute } from "./upstream.ts";

/**
 * The most connections for one target through one chain that may be under way since the last answer. Browsers open 6 to
 * a host and download tools 16, so few requests wait even for the first answer of a slow upstream. Two proxies in a
 * loop have 128 between them.
 */
export const MAX_UNANSWERED = 64;

/**
 * A connection that fails within this time lets the next request go, so an upstream that refuses at once keeps nobody
 * waiting. A connection that fails later lets none go: in a loop, the first ones run out of time while the last one
 * still waits, and new ones would keep the loop alive. In milliseconds.
 */
const PROMPT = 1_000;

/** How often the operator is warned, in milliseconds. */
const WARNING_INTERVAL = 60_000;

/** The options of a request for a place. */
export interface PlaceOptions {
  /** Aborted when the place is no longer needed. */
  readonly signal: AbortSignal;
  /** How long to wait for a place, in milliseconds. */
  readonly patience: number;
  /** After this time a connection is no longer taken for part of a loop, in milliseconds. */
  readonly timeout: number;
}

/** Counts the connections that upstreams were asked for and have not answered. One object serves all clients. */
export class Unanswered {
  readonly #clock: Pick<Clock, "now" | "schedule">;
  readonly #log: Pick<Log, "warn">;
  readonly #queues = new Map<string, Queue>();
  #nextWarning = -Infinity;

  /** Counts nothing yet. */
  constructor(
    { clock, log = SILENT_LOG }: {
      readonly clock: Pick<Clock, "now" | "schedule">;
      readonly log?: Pick<Log, "warn">;
    },
  ) {
    this.#clock = clock;
    this.#log = log;
  }

  /** How many pairs of a chain and a target have unanswered connections. */
  get size(): number {
    return this.#queues.size;
  }

  /**
   * A place for a connection to a target through a chain, at once if one is free. Rejects with the reason of the
   * signal, or with an `UpstreamFault` if none became free in time.
   */
  enter(chain: Chain, target: TcpAddress, options: PlaceOptions): Place | Promise<Place> {
    const key = `${chainKey(chain)} ${formatAuthority(target)}`;
    let queue = this.#queues.get(key);
    if (!queue) {
      queue = new Queue({ clock: this.#clock, onEmpty: () => this.#queues.delete(key) });
      this.#queues.set(key, queue);
    }
    return queue.take(options.timeout) ?? queue.wait(options, () => this.#refusal(chain, target));
  }

  #refusal(chain: Chain, target: TcpAddress): UpstreamFault {
    const what = `${MAX_UNANSWERED} connections to ${formatAuthority(target)} have got no answer from it`;
    const now = this.#clock.now();
    if (now >= this.#nextWarning) {
      this.#nextWarning = now + WARNING_INTERVAL;
      this.#log.warn(
        `Refusing further connections through ${
          formatRoute(chain)
        }: ${what}. Perhaps it leads back to this proxy`,
      );
    }
    return new UpstreamFault(
      "connection_timeout",
      `${formatRoute(chain)}: ${what}, and no more are opened; perhaps it leads back to this proxy`,
      { doubtful: true },
    );
  }
}

interface Waiter {
  go(place: Place): void;
}

/** The connections under way to one target through one chain, and the requests that wait for a place. */
class Queue {
  readonly clock: Pick<Clock, "now" | "schedule">;
  readonly #onEmpty: () => void;
  /** In both, the oldest is first. */
  readonly #places = new Set<Place>();
  readonly #waiting = new Set<Waiter>();
  /** How many places were given out and not given back, including those that count no longer. */
  #out = 0;

  constructor(
    { clock, onEmpty }: { readonly clock: Pick<Clock, "now" | "schedule">; readonly onEmpty: () => void },
  ) {
    this.clock = clock;
    this.#onEmpty = onEmpty;
  }

  /** A place, if one is free. */
  take(timeout: number): Place | undefined {
    if (this.#places.size >= MAX_UNANSWERED) this.#forget(this.clock.now() - timeout);
    return this.#places.size < MAX_UNANSWERED ? this.#add() : undefined;
  }

  /**
   * Forgets old places. Some servers never send a byte first, and `line` cannot tell such a target from one that is not
   * reached.
   */
  #forget(before: number): void {
    for (const place of this.#places) {
      if (place.since > before) return;
      this.#places.delete(place);
    }
  }

  #add(): Place {
    const place = new Place(this);
    this.#places.add(place);
    this.#out++;
    return place;
  }

  wait({ signal, patience }: PlaceOptions, refusal: () => UpstreamFault): Promise<Place> {
    return new Promise((resolve, reject) => {
      const leave = () => {
        cancel();
        signal.removeEventListener("abort", abandon);
        this.#waiting.delete(waiter);
      };
      const waiter: Waiter = {
        go(place) {
          leave();
          resolve(place);
        },
      };
      const giveUp = (reason: unknown) => {
        leave();
        this.#rest();
        reject(reason);
      };
      const abandon = () => giveUp(signal.reason);
      const cancel = this.clock.schedule(patience, () => giveUp(refusal()));
      signal.addEventListener("abort", abandon);
      this.#waiting.add(waiter);
      if (signal.aborted) abandon();
    });
  }

  /** An answer proves that no connection of this queue is in a loop. */
  answered(): void {
    this.#out--;
    this.#places.clear();
    this.#admit(MAX_UNANSWERED);
    this.#rest();
  }

  /** A connection has ended without an answer. */
  ended(place: Place): void {
    this.#out--;
    const counted = this.#places.delete(place);
    if (counted && this.clock.now() - place.since < PROMPT) this.#admit(1);
    this.#rest();
  }

  #admit(count: number): void {
    for (const waiter of this.#waiting) {
      if (count-- === 0) return;
      waiter.go(this.#add());
    }
  }

  #rest(): void {
    if (this.#out === 0 && this.#waiting.size === 0) this.#onEmpty();
  }
}

/** A connection that was asked for and is not answered yet. It is told once how that ends. */
export class Place implements Watcher {
  /** The time when it was asked for. */
  readonly since: number;
  readonly #queue: Queue;
  #reader: ByteReader | undefined;

  /** See {@link Unanswered.enter}. */
  constructor(queue: Queue) {
    this.#queue = queue;
    this.since = queue.clock.now();
  }

  /** The upstream says that it has reached the target. */
  answered(): void {
    this.#queue.answered();
  }

  /** The connection has failed. */
  ended(): void {
    this.#queue.ended(this);
  }

  /** In this protocol, the only answer is the first byte of the target. */
  follow(reader: ByteReader): void {
    this.#reader = reader;
    reader.watch(this);
  }

  /** See `Watcher`. */
  stirred(fault: unknown): void {
    if (fault || this.#reader!.ended) this.ended();
    else this.answered();
  }
}
