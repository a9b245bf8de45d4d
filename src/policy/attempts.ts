/**
 * Guessing passwords, slowed down: how many wrong ones a source may try, and when the next.
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import { Fault } from "../faults.ts";
import { formatIpv4, formatIpv6, parseIpv6, unmapped } from "../protocols/host.ts";
import type { Authenticate } from "../services.ts";

/** How much may be tried, by which clock. */
export interface AttemptsOptions {
  /** By which waiting is measured. */
  readonly clock: Clock;
  /** Wrong passwords that are free at once; used up, they come back evenly over a minute. */
  readonly perMinute: number;
}

const MINUTE = 60_000;

/** Attempts of one source that may wait; those beyond are denied unjudged. */
const MAX_WAITING = 50;

/** Sources that are told apart. Attempts of all others share one budget as long as these are being watched. */
const MAX_SOURCES = 10_000;

/** Users of a source that are let in past its line. */
const MAX_PROVEN = 10_000;

/** What is remembered of names that a callback accepts is to stay small. SOCKS5 has no longer ones. */
const MAX_NAME = 255;

/** Idle sources are looked for no more often than this, in milliseconds. */
const SWEEP_INTERVAL = 1_000;

/** Who is meant by the source "" that stands for all those beyond {@linkcode MAX_SOURCES}. */
const OTHERS = "";

/**
 * A token bucket as one number (ITU-T I.371's generic cell rate algorithm): the time at which it will be full again.
 * Each token taken puts that off by the time in which one comes back.
 */
class Bucket {
  readonly #interval: number;
  #fullAt = -Infinity;

  constructor(perMinute: number) {
    this.#interval = MINUTE / perMinute;
  }

  /** Milliseconds until a token may be taken; 0 for now. */
  wait(now: number): number {
    // Whole milliseconds: a timer for less would do nothing but come again.
    return Math.max(0, Math.ceil(this.#fullAt + this.#interval - MINUTE - now - 1e-3));
  }

  take(now: number): boolean {
    if (this.wait(now) > 0) return false;
    this.#fullAt = Math.max(this.#fullAt, now) + this.#interval;
    return true;
  }

  giveBack(): void {
    this.#fullAt -= this.#interval;
  }

  isFull(now: number): boolean {
    return this.#fullAt <= now + 1e-3;
  }
}

/** A source that has tried something, those of its attempts that wait, in order, and how many are being judged. */
class Source {
  readonly bucket: Bucket;
  readonly waiting = new Set<() => void>();
  judging = 0;
  cancel: () => void = () => {};

  constructor(perMinute: number) {
    this.bucket = new Bucket(perMinute);
  }
}

/**
 * Attempts per source: an IPv4 address, the first 64 bits of an IPv6 address, or all Unix sockets together.
 *
 * An attempt is paid for before it is judged, or else guessing at once what may be guessed in turn would help. What
 * it keeps is bounded, and nobody gets a new budget by having others forgotten: only who has used none of it is.
 */
export class Attempts {
  readonly #clock: Clock;
  readonly #perMinute: number;
  readonly #sources = new Map<string, Source>();
  #nextSweep = -Infinity;

  /** Remembers nobody yet. */
  constructor({ clock, perMinute }: AttemptsOptions) {
    this.#clock = clock;
    this.#perMinute = perMinute;
  }

  /** How many sources are being watched. */
  get size(): number {
    return this.#sources.size;
  }

  /**
   * Has an attempt of a source judged when its turn has come, and settles with what the judge says. An attempt that
   * was right costs nothing. Rejects with the signal's reason where that aborts before, and with the fault
   * `proxy_authentication_required` where too many wait already.
   */
  async attempt(
    name: string,
    judge: () => boolean | Promise<boolean>,
    signal?: AbortSignal,
  ): Promise<boolean> {
    signal?.throwIfAborted();
    const source = this.#find(name);
    if (source.waiting.size > 0 || !source.bucket.take(this.#clock.now())) {
      // Where most of the budget is not spent but in the judge's hands, this is no guessing, just many at once.
      if (source.waiting.size >= MAX_WAITING && source.judging < this.#perMinute / 2) {
        throw new Fault("proxy_authentication_required", "Too many attempts of this client wait already");
      }
      await this.#wait(source, signal);
    }
    let right = false;
    source.judging++;
    try {
      right = await judge();
    } finally {
      source.judging--;
      if (right) this.#giveBack(name, source);
    }
    return right;
  }

  #giveBack(name: string, source: Source): void {
    source.bucket.giveBack();
    this.#proceed(source);
    if (source.waiting.size > 0 || !source.bucket.isFull(this.#clock.now())) return;
    // Whoever makes no mistakes leaves no trace.
    if (this.#sources.get(name) === source) this.#sources.delete(name);
  }

  #find(name: string): Source {
    let source = this.#sources.get(name);
    if (source) return source;
    if (this.#sources.size >= MAX_SOURCES) this.#sweep();
    if (this.#sources.size >= MAX_SOURCES && name !== OTHERS) return this.#find(OTHERS);
    this.#sources.set(name, source = new Source(this.#perMinute));
    return source;
  }

  #sweep(): void {
    const now = this.#clock.now();
    if (now < this.#nextSweep) return;
    this.#nextSweep = now + SWEEP_INTERVAL;
    for (const [name, { waiting, bucket }] of this.#sources) {
      if (waiting.size === 0 && bucket.isFull(now)) this.#sources.delete(name);
    }
  }

  #wait(source: Source, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const abandon = () => {
        source.waiting.delete(go);
        this.#proceed(source);
        reject(signal?.reason);
      };
      const go = () => {
        signal?.removeEventListener("abort", abandon);
        resolve();
      };
      signal?.addEventListener("abort", abandon, { once: true });
      source.waiting.add(go);
      this.#proceed(source);
    });
  }

  /** Lets those go whose turn has come, and sets the one timer of a source that still has waiting ones. */
  #proceed(source: Source): void {
    const now = this.#clock.now();
    source.cancel();
    source.cancel = () => {};
    for (const go of source.waiting) {
      if (!source.bucket.take(now)) {
        source.cancel = this.#clock.schedule(source.bucket.wait(now), () => this.#proceed(source));
        return;
      }
      source.waiting.delete(go);
      go();
    }
  }
}

/**
 * What stands before a callback that judges credentials: a source that has been wrong too often waits for its turn
 * before the callback is asked.
 *
 * A user who has been let in from a source has a budget of their own there, so that a neighbour behind the same
 * address who guesses does not lock them out. It goes by the name and not by the password: if right
 * credentials passed where wrong ones wait, all guesses could be tried at once. A wrong password that had a
 * user's budget waits its turn afterwards, so that the time does not tell which names have one.
 */
export class Gate {
  readonly #authenticate: Authenticate;
  readonly #clock: Clock;
  readonly #perMinute: number;
  readonly #attempts: Attempts;
  /** Source and user → the user's own budget there. */
  readonly #proven = new Map<string, Bucket>();

  /** Asks the callback. */
  constructor(authenticate: Authenticate, options: AttemptsOptions) {
    this.#authenticate = authenticate;
    this.#clock = options.clock;
    this.#perMinute = options.perMinute;
    this.#attempts = new Attempts(options);
  }

  /**
   * See `Authenticate`. Rejects with what the callback throws, with the signal's reason, and as
   * {@linkcode Attempts.attempt} does.
   */
  readonly admit: Authenticate = async (request, signal) => {
    const source = sourceOf(request.client);
    const id = `${source} ${request.user}`;
    const judge = () => this.#authenticate(request, signal);
    const own = this.#proven.get(id);
    if (own?.take(this.#clock.now())) {
      if (await judge()) {
        own.giveBack();
        return true;
      }
      return await this.#attempts.attempt(source, () => false, signal);
    }
    const right = await this.#attempts.attempt(source, judge, signal);
    if (right && request.user.length <= MAX_NAME) this.#prove(id);
    return right;
  };

  #prove(id: string): void {
    if (this.#proven.has(id)) return;
    this.#proven.set(id, new Bucket(this.#perMinute));
    if (this.#proven.size > MAX_PROVEN) this.#proven.delete(this.#proven.keys().next().value!);
  }
}

/**
 * Whose attempts those of a client are counted with: its IPv4 address, the /64 of its IPv6 address, which is what one
 * customer has at least (RFC 6177 section 2), or `unix:`. Takes `HOST:PORT` and `unix:`.
 */
export function sourceOf(client: string): string {
  return sourceOfHost(client.replace(/:\d+$/, "").replace(/^\[(.*)\]$/, "$1"));
}

/** The same of an address without its port. */
export function sourceOfHost(host: string): string {
  // What has no colon is an IPv4 address, of which there is one spelling.
  const ip = host.includes(":") ? parseIpv6(host) : undefined;
  if (!ip) return host;
  const bytes = unmapped(ip);
  return bytes.length === 4 ? formatIpv4(bytes) : `${formatIpv6(bytes.fill(0, 8))}/64`;
}
