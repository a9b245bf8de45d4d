/**
 * Slows down guessing of passwords: it limits how many wrong ones a source may try in a minute.
 *
 * @module
 */

import type { Clock } from "../runtime/clock.ts";
import { Fault } from "../faults.ts";
import type { Authenticate } from "./authentication.ts";
import { type Block, originOf } from "./sources.ts";
import { Line, Turns } from "./turns.ts";

/** How many wrong passwords are free, and the clock. */
export interface AttemptsOptions {
  /** Measures the waiting. */
  readonly clock: Clock;
  /** How many wrong passwords may be tried without waiting. They come back one by one, evenly over a minute. */
  readonly perMinute: number;
}

const MINUTE = 60_000;

/** How many attempts of one source may wait. Beyond this, the one whose turn would come last is refused unjudged. */
const MAX_WAITING = 50;

/** How many sources have budgets of their own. While there are so many, all other sources share one budget. */
const MAX_SOURCES = 10_000;

/** How many pairs of a source and a user have a budget of their own. */
const MAX_PROVEN = 10_000;

/** The longest name that is remembered, so that memory stays small. SOCKS5 has no longer names. */
const MAX_NAME = 255;

/** How many times as many wrong passwords one name may be tried with, from all sources together. */
const TIMES_PER_NAME = 10;

/** Two searches for idle sources are at least this many milliseconds apart. */
const SWEEP_INTERVAL = 1_000;

/** The name of the source that stands for all sources beyond {@linkcode MAX_SOURCES}. */
const OTHERS = "";

/**
 * A token bucket as one number (ITU-T I.371's generic cell rate algorithm): the time at which it will be full again.
 * Each taken token makes this time later, by the interval in which one token returns.
 */
class Bucket {
  readonly #interval: number;
  #fullAt = -Infinity;

  constructor(perMinute: number) {
    this.#interval = MINUTE / perMinute;
  }

  /** Milliseconds until a token may be taken; 0 if it may be taken now. */
  wait(now: number): number {
    // Rounded up to whole milliseconds: a timer that fires a fraction too early would only be set again.
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

/** A source: its budget, its attempts that wait, and how many are being judged. */
class Source {
  readonly bucket: Bucket;
  readonly line: Line;
  judging = 0;
  cancel: () => void = () => {};

  constructor(perMinute: number, turns: Turns) {
    this.bucket = new Bucket(perMinute);
    this.line = new Line(turns);
  }
}

/** Who makes an attempt. */
export interface Attempter {
  /** The source that pays for the attempt. */
  readonly source: string;
  /** The larger blocks around the source. They pay, too. */
  readonly blocks?: readonly Block[];
  /** The name that is tried. */
  readonly user: string;
}

/**
 * Counts attempts per source: an IPv4 address, the first 64 bits of an IPv6 address, or all Unix sockets together.
 *
 * An attempt is paid for before it is judged. Otherwise a client could make all its guesses at once. When the budget of
 * a source is used up, its further attempts wait in a line. Names that were not wrong lately come first there, so that
 * a name with a stale password does not hold up the others. A larger block has no line: neighbours would wait in it.
 *
 * Memory is bounded. Only sources whose budget is full are forgotten, so that no source gains a budget this way.
 */
export class Attempts {
  readonly #clock: Clock;
  readonly #perMinute: number;
  readonly #sources = new Map<string, Source>();
  /** When names were wrong. */
  readonly #wrong = new Turns();
  #nextSweep = -Infinity;

  /** Remembers nobody yet. */
  constructor({ clock, perMinute }: AttemptsOptions) {
    this.#clock = clock;
    this.#perMinute = perMinute;
  }

  /** How many sources and blocks are being watched. */
  get size(): number {
    return this.#sources.size;
  }

  /**
   * Has an attempt judged when its turn has come, and settles with the judge's answer. A right attempt costs nothing.
   * Rejects with the signal's reason if the signal aborts before that. Rejects with the fault
   * `authentication_unavailable` if too many attempts wait already, or if a larger block has used up its budget.
   */
  async attempt(
    { source: name, blocks = [], user }: Attempter,
    judge: () => boolean | Promise<boolean>,
    signal?: AbortSignal,
  ): Promise<boolean> {
    signal?.throwIfAborted();
    const source = this.#find(name);
    const key = `${name} ${user.slice(0, MAX_NAME)}`;
    if (source.line.size > 0 || !source.bucket.take(this.#clock.now())) {
      await this.#wait(source, { name, key, signal });
    }
    const paid = [source, ...this.#takeFrom(blocks, source)];
    let right = false;
    source.judging++;
    try {
      right = await judge();
    } finally {
      source.judging--;
      if (right) {
        for (const { bucket } of paid) bucket.giveBack();
        this.#proceed(source);
        // A source that makes no mistakes is not remembered.
        for (const watched of [name, ...blocks.map(({ name }) => name)]) this.#forget(watched);
      } else this.#wrong.note(key);
    }
    return right;
  }

  /** Takes a token from every block. If a block has no token left, gives back all that was taken, and throws. */
  #takeFrom(blocks: readonly Block[], source: Source): Source[] {
    if (blocks.length === 0) return [];
    const now = this.#clock.now();
    const taken: Source[] = [];
    for (const { name, times } of blocks) {
      const block = this.#find(name, times);
      // This block has no budget of its own, and its source has paid already.
      if (block === this.#sources.get(OTHERS)) continue;
      if (!block.bucket.take(now)) {
        for (const { bucket } of [source, ...taken]) bucket.giveBack();
        this.#proceed(source);
        throw unavailable(`Too many wrong credentials came from ${name}`);
      }
      taken.push(block);
    }
    return taken;
  }

  #forget(name: string): void {
    const source = this.#sources.get(name);
    if (source && isUnused(source, this.#clock.now())) this.#sources.delete(name);
  }

  #find(name: string, times = 1): Source {
    let source = this.#sources.get(name);
    if (source) return source;
    if (this.#sources.size >= MAX_SOURCES) this.#sweep();
    if (this.#sources.size >= MAX_SOURCES && name !== OTHERS) return this.#find(OTHERS);
    this.#sources.set(name, source = new Source(this.#perMinute * times, this.#wrong));
    return source;
  }

  #sweep(): void {
    const now = this.#clock.now();
    if (now < this.#nextSweep) return;
    this.#nextSweep = now + SWEEP_INTERVAL;
    for (const [name, source] of this.#sources) if (isUnused(source, now)) this.#sources.delete(name);
  }

  #wait(
    source: Source,
    { name, key, signal }: { name: string; key: string; signal: AbortSignal | undefined },
  ): Promise<void> {
    const { line } = source;
    const turn = line.wait([key], { signal, onAbandoned: () => this.#proceed(source) });
    this.#proceed(source);
    // If half of the budget or more is still being judged, this is not guessing: many attempts came at once.
    if (line.size > MAX_WAITING && source.judging < this.#perMinute / 2) {
      line.dismiss(unavailable(`Too many attempts from ${name} wait already`));
    }
    return turn;
  }

  /** Lets those attempts go whose turn has come. If others still wait, sets the timer of the source. */
  #proceed(source: Source): void {
    const now = this.#clock.now();
    source.cancel();
    source.cancel = () => {};
    while (source.line.size > 0) {
      if (!source.bucket.take(now)) {
        source.cancel = this.#clock.schedule(source.bucket.wait(now), () => this.#proceed(source));
        return;
      }
      source.line.next();
    }
  }
}

function isUnused({ line, bucket, judging }: Source, now: number): boolean {
  return line.size === 0 && judging === 0 && bucket.isFull(now);
}

function unavailable(reason: string): Fault {
  return new Fault("authentication_unavailable", reason);
}

/**
 * Stands before a callback that judges credentials. A source that was wrong too often waits for its turn before the
 * callback is asked.
 *
 * A user who was let in from a source has a budget of their own there. So somebody behind the same address who guesses
 * does not lock this user out. The budget depends on the name, not on the password: if right credentials passed while
 * wrong ones wait, a client could try all its guesses at once. A wrong password that used a user's own budget waits its
 * turn afterwards, so that the time does not tell which names have such a budget.
 *
 * A name has a budget, too: many sources that guess at one name get no further together. Who comes from a source that was
 * not wrong lately waits for one turn, and users who were let in before from theirs for none.
 */
export class Gate {
  readonly #authenticate: Authenticate;
  readonly #clock: Clock;
  readonly #perMinute: number;
  readonly #attempts: Attempts;
  /** The same with names in the place of sources, and sources in that of names. */
  readonly #names: Attempts;
  /** Source and user → the user's own budget there. */
  readonly #proven = new Map<string, Bucket>();

  /** `authenticate` judges the credentials. */
  constructor(authenticate: Authenticate, options: AttemptsOptions) {
    this.#authenticate = authenticate;
    this.#clock = options.clock;
    this.#perMinute = options.perMinute;
    this.#attempts = new Attempts(options);
    this.#names = new Attempts({ ...options, perMinute: options.perMinute * TIMES_PER_NAME });
  }

  /**
   * See `Authenticate`. Rejects with what the callback throws, with the signal's reason, and like
   * {@linkcode Attempts.attempt}.
   */
  readonly admit: Authenticate = async (request, signal) => {
    const who = { ...originOf(request.client), user: request.user };
    const id = `${who.source} ${request.user}`;
    const judge = () => this.#authenticate(request, signal);
    const own = this.#proven.get(id);
    if (own?.take(this.#clock.now())) {
      if (await judge()) {
        own.giveBack();
        return true;
      }
      return await this.#attempts.attempt(who, () => false, signal);
    }
    const name = { source: `the name ${JSON.stringify(request.user.slice(0, MAX_NAME))}`, user: who.source };
    const right = await this.#attempts.attempt(who, () => this.#names.attempt(name, judge, signal), signal);
    if (right && request.user.length <= MAX_NAME) this.#prove(id);
    return right;
  };

  #prove(id: string): void {
    if (this.#proven.has(id)) return;
    this.#proven.set(id, new Bucket(this.#perMinute));
    if (this.#proven.size > MAX_PROVEN) this.#proven.delete(this.#proven.keys().next().value!);
  }
}
