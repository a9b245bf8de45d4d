/**
 * Connections to origins that wait for their next request (RFC 9112 section 9.3).
 *
 * A kept connection belongs to the client connection that it was opened for, and ends with it. No other client is ever
 * served over it, for two reasons. Bytes that an origin sends late, behind a HEAD, a 204 or a 304 for instance, look
 * like the beginning of the next answer, and a stranger must not get them. And an origin that authenticates a
 * connection (NTLM) authenticates one client. To share by address or user would be weaker: many people share an
 * address. A client that opens a connection for each request causes one to the origin each time, as with HAProxy's
 * `http-reuse safe`.
 *
 * @module
 */

import type { Watcher } from "../streams/byte_reader.ts";
import type { Channel } from "../streams/channel.ts";
import type { Clock } from "../runtime/clock.ts";
import type { Deadlines, Timed } from "../runtime/deadlines.ts";
import { Fault } from "../faults.ts";

/** The most idle connections for one owner. */
const MAX_PER_OWNER = 4;

/**
 * The most idle connections beyond the first of each owner. The first takes no room from others: each client has two
 * descriptors anyway.
 */
const MAX_FURTHER = 512;

/** Shorter than the keep-alive of common servers (Apache 5 s, Node 5 s, nginx 75 s), in milliseconds. */
const IDLE_TIMEOUT = 4_000;

/**
 * A request that must not be sent twice takes only a connection that has answered within this time, in milliseconds. No
 * server closes a connection for idling so soon.
 */
const FRESH = 1_000;

/**
 * Some origins close a connection right behind an answer and do not say so. One that has done it gets no such request on a
 * kept connection for this time, in milliseconds.
 */
const DISTRUST = 600_000;

/** How many such origins are remembered. */
const MAX_DISTRUSTED = 1_000;

/** A kept connection: its channel, and what else is known of it. */
interface Kept {
  readonly channel: Channel;
  /** What is behind the connection, if its owner keeps several for different targets. */
  readonly key?: string;
  /**
   * Called when the connection ends before its owner does. Such a connection is kept as long as it lasts, and gives way
   * to others last.
   */
  readonly lost?: () => void;
}

/** The owner of a kept connection: an object of its own, or a name that several callers share. */
export type Owner = object | string;

class Idle<K extends Kept> implements Watcher {
  readonly owner: Owner;
  readonly kept: K;
  readonly expiresAt: number;
  readonly #pool: OriginPool<K>;

  constructor(pool: OriginPool<K>, owner: Owner, kept: K, expiresAt: number) {
    this.#pool = pool;
    this.owner = owner;
    this.kept = kept;
    this.expiresAt = expiresAt;
  }

  /** An origin that closes, or sends bytes unasked, is not used again. */
  stirred(): void {
    this.#pool.leftBy(this);
    queueMicrotask(() => this.#pool.discard(this) && this.kept.lost?.());
  }
}

/** Keeps idle connections for their owners. The one used last is taken first. */
export class OriginPool<K extends Kept = Kept> implements Timed {
  /**
   * See `Timed`: when the first connection has waited too long. It may be gone by then; updating this is not worth it.
   */
  expiresAt = Infinity;
  readonly #clock: Clock;
  readonly #deadlines: Deadlines;
  /** An owner stays here, perhaps with none, until it is released: its next request will keep a connection again. */
  readonly #byOwner = new Map<Owner, Idle<K>[]>();
  /** How many owners have any. */
  #owners = 0;
  #count = 0;
  /** Keys of origins that close without a word → until when they are not trusted. The oldest is first. */
  readonly #distrusted = new Map<string, number>();

  /** `deadlines` watches the expiry. */
  constructor({ clock, deadlines }: { clock: Clock; deadlines: Deadlines }) {
    this.#clock = clock;
    this.#deadlines = deadlines;
  }

  /** How many connections wait. */
  get size(): number {
    return this.#count;
  }

  /** How many connections wait for an owner. */
  count(owner: Owner): number {
    return this.#byOwner.get(owner)?.length ?? 0;
  }

  /**
   * A connection of an owner, with this key, that is still alive as far as is known. If `fresh`, only one that was used a
   * moment ago, of an origin that can be trusted not to close it.
   */
  take(owner: Owner, key?: string, fresh = false): K | undefined {
    if (fresh && this.#isDistrusted(key)) return undefined;
    const idles = this.#byOwner.get(owner);
    for (let i = (idles?.length ?? 0) - 1; i >= 0; i--) {
      const idle = idles![i];
      if (idle.kept.key !== key || !idle.kept.channel.reader.isOpen || fresh && !this.#isFresh(idle)) {
        continue;
      }
      this.#remove(idle);
      return idle.kept;
    }
    return undefined;
  }

  /** Keeps a connection. It may replace another one of the same owner. */
  put(owner: Owner, kept: K): void {
    if (this.#isFull(owner)) this.#makeRoom(owner);
    const idles = this.#byOwner.get(owner);
    const expiresAt = kept.lost ? Infinity : this.#clock.now() + IDLE_TIMEOUT;
    const idle = new Idle(this, owner, kept, expiresAt);
    if (!idles) this.#byOwner.set(owner, [idle]);
    else idles.push(idle);
    if (!idles || idles.length === 1) this.#owners++;
    this.#count++;
    this.#expectAt(expiresAt);
    kept.channel.reader.watch(idle);
  }

  /** Whether an origin has lately closed a connection right behind an answer. */
  #isDistrusted(key: string | undefined): boolean {
    return key !== undefined && this.#distrusted.size > 0 && this.#distrusted.get(key)! > this.#clock.now();
  }

  /** Whether a connection was used a moment ago. */
  #isFresh({ expiresAt }: Idle<K>): boolean {
    return expiresAt >= this.#clock.now() + IDLE_TIMEOUT - FRESH;
  }

  /** The origin has left a connection that was kept. */
  leftBy(idle: Idle<K>): void {
    if (idle.kept.key !== undefined && this.#isFresh(idle)) this.distrust(idle.kept.key);
  }

  /** The origin has closed a connection right behind an answer, without a word. */
  distrust(key: string): void {
    this.#distrusted.delete(key);
    this.#distrusted.set(key, this.#clock.now() + DISTRUST);
    if (this.#distrusted.size <= MAX_DISTRUSTED) return;
    const [oldest] = this.#distrusted.keys();
    this.#distrusted.delete(oldest);
  }

  #isFull(owner: Owner): boolean {
    const count = this.count(owner);
    return count >= MAX_PER_OWNER || (count > 0 && this.#count - this.#owners >= MAX_FURTHER);
  }

  #makeRoom(owner: Owner): void {
    const idles = this.#byOwner.get(owner)!;
    const oldest = idles.find(({ kept }) => !kept.lost) ?? idles[0];
    this.discard(oldest);
    oldest.kept.lost?.();
  }

  /** Drops all connections of an owner. */
  release(owner: Owner): void {
    const idles = this.#byOwner.get(owner);
    if (!idles) return;
    for (const idle of [...idles]) this.discard(idle);
    this.#byOwner.delete(owner);
  }

  #expectAt(time: number): void {
    if (time >= this.expiresAt) return;
    this.expiresAt = time;
    this.#deadlines.watch(this);
  }

  /** See `Timed`. */
  expire(): void {
    const now = this.#clock.now();
    const idles = [...this.#byOwner.values()].flat();
    for (const idle of idles) if (idle.expiresAt <= now) this.discard(idle);
    this.#rest();
    for (const { expiresAt } of idles) if (expiresAt > now) this.#expectAt(expiresAt);
  }

  #rest(): void {
    this.expiresAt = Infinity;
    this.#deadlines.forget(this);
  }

  /** Drops a connection. Returns whether it was still kept. Only the kept connections themselves call it. */
  discard(idle: Idle<K>): boolean {
    if (!this.#remove(idle)) return false;
    idle.kept.channel.drop(DONE);
    return true;
  }

  /** Drops all connections. */
  clear(): void {
    for (const idle of [...this.#byOwner.values()].flat()) this.discard(idle);
    this.#rest();
  }

  #remove(idle: Idle<K>): boolean {
    const { owner } = idle;
    const idles = this.#byOwner.get(owner);
    const index = idles?.lastIndexOf(idle) ?? -1;
    if (!idles || index < 0) return false;
    if (idles.length > 1) idles.splice(index, 1);
    else {
      idles.length = 0;
      this.#owners--;
      // Nobody releases a name.
      if (typeof owner === "string") this.#byOwner.delete(owner);
    }
    this.#count--;
    idle.kept.channel.reader.unwatch();
    return true;
  }
}

const DONE = new Fault("connection_terminated", "The connection is no longer needed");
