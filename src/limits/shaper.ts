/**
 * Shapes a bandwidth: who would move more bytes waits, and nothing is lost.
 *
 * The next turn is that of the flow that has had least since it began to want more (start-time fair queueing: Goyal, Vin
 * and Cheng, SIGCOMM 1996). So a small request is not behind everybody's bulk.
 *
 * @module
 */

import type { Desk } from "./desk.ts";
import type { Whose } from "./lease.ts";
import type { Grant } from "./store.ts";

/** One turn is the bytes of this part of a second, within these bounds: a packet, and the largest read. */
const TURNS_PER_SECOND = 500;
const LEAST_TURN = 1_400;
const MOST_TURN = 262_144;

/** A lease is the bytes of this time at least and at most, in milliseconds. In between, of one turn for each that waits. */
const LEAST_LEASE = 10;
const MOST_LEASE = 50;

/** The bytes of one request, one way. */
export class Flow {
  /** The virtual time at which its last turn ends. */
  finish = 0;
  /** Whether the request has ended. It needs no turn any more. */
  over = false;
}

interface Turn {
  readonly flow: Flow;
  readonly start: number;
  readonly count: number;
  readonly begin: () => void;
}

/** A bandwidth that one limit has for one key and one way, in this process. */
export class Shaper {
  /** How many bytes a turn may have. */
  readonly turn: number;
  readonly #whose: Whose;
  readonly #desk: Desk;
  readonly #shadow: boolean;
  /** The turns that wait, as a binary heap by their start. */
  readonly #heap: Turn[] = [];
  #virtual = 0;
  /** Bytes that may move now. Below zero: a turn was larger than what was left. */
  #balance = 0;
  #asking = false;
  #usedAt = -Infinity;

  /** In the shadow, nobody waits. */
  constructor(whose: Whose, desk: Desk, { shadow }: { readonly shadow: boolean }) {
    this.#whose = whose;
    this.#desk = desk;
    this.#shadow = shadow;
    const { most } = whose.allowance;
    this.turn = Math.ceil(Math.min(Math.max(most / TURNS_PER_SECOND, LEAST_TURN), MOST_TURN));
  }

  /** Whether it has no bytes to give now. */
  get isEmpty(): boolean {
    return this.#balance <= 0;
  }

  /** Lets a flow move `count` bytes, which is a turn at most. Returns a promise if it has to wait. */
  take(flow: Flow, count: number): Promise<void> | undefined {
    this.#usedAt = this.#desk.clock.now();
    if (this.#heap.length === 0 && (this.#balance > 0 || this.#refill() || this.#shadow)) {
      flow.finish = Math.max(this.#virtual, flow.finish) + count;
      this.#balance -= count;
      if (this.#shadow) this.#balance = Math.max(this.#balance, -this.turn);
      this.#ask();
      return undefined;
    }
    return new Promise((begin) => {
      const start = Math.max(this.#virtual, flow.finish);
      flow.finish = start + count;
      push(this.#heap, { flow, start, count, begin });
      this.#ask();
    });
  }

  /** Lets `count` bytes move if nobody has to wait for them: datagrams that may not are dropped. */
  offer(count: number): boolean {
    this.#usedAt = this.#desk.clock.now();
    const passes = this.#heap.length === 0 && (this.#balance > 0 || this.#refill());
    if (passes) this.#balance -= count;
    this.#ask();
    return passes;
  }

  /** Whether nothing has moved since a time, and nothing waits. */
  isIdle(since: number): boolean {
    return this.#heap.length === 0 && !this.#asking && this.#usedAt < since;
  }

  /** Asks a near store for what it can give without a wait. */
  #refill(): boolean {
    if (!this.#desk.far) this.#ask();
    return this.#balance > 0;
  }

  /** Asks for the next lease, if the last has come and little is left. */
  #ask(): void {
    const bytes = this.#whose.allowance.most / 1_000;
    if (this.#asking || this.#balance > bytes * LEAST_LEASE / 2) return;
    this.#asking = true;
    const waiting = this.#desk.far ? this.#heap.length * this.turn : 0;
    const want = Math.ceil(
      Math.min(Math.max(waiting, bytes * LEAST_LEASE, this.turn), Math.max(bytes * MOST_LEASE, this.turn)),
    );
    const granted = this.#desk.ask({ ...this.#whose, want });
    if (!(granted instanceof Promise)) return this.#granted(granted);
    granted.then(
      (grant) => this.#granted(grant),
      () => this.#desk.clock.schedule(1_000, () => this.#arrived(0)),
    );
  }

  #granted({ granted, wait }: Grant): void {
    if (wait < 1) this.#arrived(granted);
    else this.#desk.clock.schedule(wait, () => this.#arrived(granted));
  }

  #arrived(granted: number): void {
    this.#asking = false;
    this.#balance += granted;
    while (this.#balance > 0 && this.#heap.length > 0) {
      const { flow, start, count, begin } = pop(this.#heap);
      if (!flow.over) {
        this.#virtual = start;
        this.#balance -= count;
      }
      begin();
    }
    if (this.#heap.length > 0) this.#ask();
  }
}

function push(heap: Turn[], turn: Turn): void {
  let at = heap.length;
  while (at > 0) {
    const above = (at - 1) >> 1;
    if (heap[above].start <= turn.start) break;
    heap[at] = heap[above];
    at = above;
  }
  heap[at] = turn;
}

function pop(heap: Turn[]): Turn {
  const first = heap[0];
  const last = heap.pop()!;
  if (heap.length === 0) return first;
  let at = 0;
  while (true) {
    let below = 2 * at + 1;
    if (below + 1 < heap.length && heap[below + 1].start < heap[below].start) below++;
    if (below >= heap.length || heap[below].start >= last.start) break;
    heap[at] = heap[below];
    at = below;
  }
  heap[at] = last;
  return first;
}
