/**
 * The watch over a step: its deadline, and how its wait is cut short from outside.
 *
 * A client's connection inherits from it: another object for each idle connection would cost memory.
 *
 * @module
 */

import { Fault, type FaultCode, type Party } from "../faults.ts";
import type { Clock } from "../runtime/clock.ts";
import type { Deadlines, Timed } from "../runtime/deadlines.ts";
import type { Settings } from "../settings/settings.ts";
import type { Deadline } from "../states.ts";
import type { Waiter } from "../streams/byte_reader.ts";
import type { Channel } from "../streams/channel.ts";
import { type DeadlineOfSilence, isOfSilence, nextLook, stalled } from "./silence.ts";

/** Something that a step waits for and that can be cut. */
export interface Cuttable {
  /** The channel at the far end of what passes through, if there is one. */
  readonly far?: Channel;
  /** Who is at that end. Undefined: the target. */
  readonly party?: Party;
  /** Cuts it: whatever waits for it rejects with the fault. */
  cut(fault: Fault): void;
}

/** What a watch works with. */
export interface WatchServices {
  readonly clock: Clock;
  readonly deadlines: Deadlines;
  readonly settings: Pick<Settings, "timeouts">;
}

/** Watches one step after another, over a channel to the client. */
export abstract class Watch implements Timed {
  /** See `Timed`. */
  expiresAt = Infinity;
  /**
   * What to cut so that the wait of the current step rejects. Undefined: the client's channel. Stored as an object:
   * with a closure here V8 kept a quarter of each request's garbage alive (6fc2e11).
   */
  cuttable: Cuttable | undefined;
  /** The channel to the client. */
  abstract readonly client: Channel;
  /** The clock, the deadlines and the timeouts. */
  abstract readonly services: WatchServices;
  #deadline: Deadline = "none";
  #late: FaultCode = "client_timeout";
  /** When bytes last moved, as far as is known. Only deadlines of silence read it. */
  #movedAt = 0;
  /** How many bytes waited to be sent at the last look. */
  #unsent = 0;
  #waiting = false;
  #draining = false;

  /** Whether the client may send another request. */
  get keepAlive(): boolean {
    return !this.#draining;
  }

  /** Begins a step. `deadline` starts, unless it runs already; `late` is the fault when it has passed. */
  enter(deadline: Deadline, late: FaultCode): void {
    this.cuttable = undefined;
    this.#waiting = false;
    this.#late = late;
    if (deadline !== "header" || this.#deadline !== "header") this.setDeadline(deadline);
  }

  /** Starts a deadline instead of the current one. */
  setDeadline(deadline: Deadline): void {
    const before = this.expiresAt;
    this.#deadline = deadline;
    this.#waiting = false;
    this.expiresAt = this.#endOf(deadline);
    if (this.expiresAt < before) this.services.deadlines.watch(this);
  }

  /** The client is between requests, so a draining proxy may let it go. Without `deadline`, the current one goes on. */
  waitForRequest(deadline?: "header" | "idle"): void {
    if (deadline) this.setDeadline(deadline);
    this.#waiting = true;
  }

  /** When a deadline that starts now has passed, or when to look at it first. */
  #endOf(deadline: Deadline): number {
    if (deadline === "none") return Infinity;
    const { clock, settings: { timeouts } } = this.services;
    const now = clock.now();
    if (!isOfSilence(deadline)) return now + timeouts[deadline];
    this.#movedAt = now;
    this.#unsent = 0;
    return nextLook(now, Math.min(timeouts[deadline], timeouts.stalled));
  }

  /** Bytes move: the idle deadline begins anew. */
  touch(): void {
    this.#movedAt = this.services.clock.now();
  }

  /** See `Timed`: the deadline has passed, or it is time to look for moved bytes. */
  expire(): void {
    const fault = isOfSilence(this.#deadline) ? this.#look(this.#deadline) : new Fault(this.#late);
    if (!fault) return;
    this.expiresAt = Infinity;
    this.cut(fault);
  }

  /**
   * The fault of a silence that has lasted too long; undefined while it may go on. Looking now and then keeps the cost
   * of a moving byte at one assignment.
   */
  #look(deadline: DeadlineOfSilence): Fault | undefined {
    const { clock, settings: { timeouts } } = this.services;
    const now = clock.now();
    const toClient = this.client.writer.unsent;
    const unsent = toClient + (this.cuttable?.far?.writer.unsent ?? 0);
    // Part of a write counts as progress. It came at some time since the last look; now is the latest.
    if (unsent !== this.#unsent) this.#movedAt = now;
    this.#unsent = unsent;
    const patience = Math.min(timeouts[deadline], timeouts.stalled);
    const allowed = unsent > 0 ? patience : timeouts[deadline];
    const end = this.#movedAt + allowed;
    if (end > now) this.expiresAt = Math.min(end, nextLook(now, patience));
    else if (unsent === 0) return new Fault(this.#late);
    else return stalled(toClient > 0 ? "client" : this.cuttable?.party ?? "target", allowed);
  }

  /** Cuts what the current step waits for. */
  cut(fault: Fault): void {
    if (this.cuttable) this.cuttable.cut(fault);
    else if (this.client.reader.waiting) this.client.reader.interrupt(fault);
    else this.client.cut(fault);
  }

  /** Finishes the current request and takes no further one. */
  drain(): void {
    this.#draining = true;
    if (this.#waiting) this.cut(new Fault("proxy_shutdown"));
  }

  /** Waits for more bytes of the client, like `fill()` of its reader. A cut ends the wait, but not the connection. */
  fill(): Promise<boolean> {
    if (this.#waiting && this.#draining) return Promise.reject(new Fault("proxy_shutdown"));
    return this.client.reader.fill();
  }

  /** As {@link Watch.fill}, without a promise. */
  wait(waiter: Waiter): void {
    if (this.#waiting && this.#draining) {
      queueMicrotask(() => waiter.failed(new Fault("proxy_shutdown")));
    } else this.client.reader.wait(waiter);
  }

  /** Waits for a promise that nothing else can cut. After a cut, its result is ignored. */
  async interruptible<T>(promise: Promise<T>): Promise<T> {
    try {
      return await new Promise<T>((resolve, reject) => {
        this.cuttable = { cut: reject };
        promise.then(resolve, reject);
      });
    } finally {
      this.cuttable = undefined;
    }
  }

  /** Ends the watch. */
  protected unwatch(): void {
    this.services.deadlines.forget(this);
  }
}
