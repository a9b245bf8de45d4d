/**
 * Connections to origins that wait for their next request (RFC 9112 section 9.3).
 *
 * @module
 */

import type { Watcher } from "../byte_reader.ts";
import type { Channel } from "../channel.ts";
import type { Clock } from "../clock.ts";
import type { Deadlines, Timed } from "../deadlines.ts";
import { Fault } from "../faults.ts";

/** Idle connections kept for one origin, and for all of them. */
const MAX_PER_ORIGIN = 64;
const MAX_IDLE = 512;

/** Shorter than the keep-alive of most servers (Apache 5 s, Node 5 s and nginx 75 s aside), in milliseconds. */
const IDLE_TIMEOUT = 4_000;

/** What is kept: a channel, and whatever else is known of it. */
interface Kept {
  readonly channel: Channel;
}

class Idle<K extends Kept> implements Watcher {
  readonly key: string;
  readonly kept: K;
  readonly expiresAt: number;
  readonly #pool: OriginPool<K>;

  constructor(key: string, kept: K, { pool, expiresAt }: { pool: OriginPool<K>; expiresAt: number }) {
    this.key = key;
    this.kept = kept;
    this.expiresAt = expiresAt;
    this.#pool = pool;
  }

  /** An origin that ends, or speaks unasked, is of no more use. */
  stirred(): void {
    queueMicrotask(() => this.#pool.discard(this));
  }
}

/** Keeps idle connections by key, the one used last first. */
export class OriginPool<K extends Kept = Kept> implements Timed {
  /** See `Timed`: when the first of them has waited too long. It may be gone by then, and not worth moving this. */
  expiresAt = Infinity;
  readonly #clock: Clock;
  readonly #deadlines: Deadlines;
  readonly #byKey = new Map<string, Idle<K>[]>();
  #count = 0;

  /** Expiry is watched by `deadlines`. */
  constructor({ clock, deadlines }: { clock: Clock; deadlines: Deadlines }) {
    this.#clock = clock;
    this.#deadlines = deadlines;
  }

  /** How many connections wait. */
  get size(): number {
    return this.#count;
  }

  /** How many of them have a key. */
  count(key: string): number {
    return this.#byKey.get(key)?.length ?? 0;
  }

  /** A connection that was alive a moment ago. */
  take(key: string): K | undefined {
    const idle = this.#byKey.get(key)?.at(-1);
    if (idle) this.#remove(idle);
    return idle?.kept;
  }

  /** Keeps a connection, or drops it where there are enough. */
  put(key: string, kept: K): void {
    const { channel } = kept;
    const idles = this.#byKey.get(key) ?? [];
    if (idles.length >= MAX_PER_ORIGIN || this.#count >= MAX_IDLE) return channel.drop(DONE);
    const idle = new Idle(key, kept, { pool: this, expiresAt: this.#clock.now() + IDLE_TIMEOUT });
    if (idles.push(idle) === 1) this.#byKey.set(key, idles);
    this.#count++;
    this.#expectAt(idle.expiresAt);
    channel.reader.watch(idle);
  }

  #expectAt(time: number): void {
    if (time >= this.expiresAt) return;
    this.expiresAt = time;
    this.#deadlines.watch(this);
  }

  /** See `Timed`. */
  expire(): void {
    const now = this.#clock.now();
    const idles = [...this.#byKey.values()].flat();
    for (const idle of idles) if (idle.expiresAt <= now) this.discard(idle);
    this.#rest();
    for (const { expiresAt } of idles) if (expiresAt > now) this.#expectAt(expiresAt);
  }

  #rest(): void {
    this.expiresAt = Infinity;
    this.#deadlines.forget(this);
  }

  /** Drops a connection that nobody has taken; for what is kept here. */
  discard(idle: Idle<K>): void {
    if (this.#remove(idle)) idle.kept.channel.drop(DONE);
  }

  /** Drops them all. */
  clear(): void {
    for (const idle of [...this.#byKey.values()].flat()) this.discard(idle);
    this.#rest();
  }

  #remove(idle: Idle<K>): boolean {
    const { key } = idle;
    const idles = this.#byKey.get(key);
    const index = idles?.lastIndexOf(idle) ?? -1;
    if (!idles || index < 0) return false;
    idles.splice(index, 1);
    if (idles.length === 0) this.#byKey.delete(key);
    this.#count--;
    idle.kept.channel.reader.unwatch();
    return true;
  }
}

const DONE = new Fault("connection_terminated", "The connection is no longer needed");
