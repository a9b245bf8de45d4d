/**
 * The watch over what a step waits for: the deadline that runs, and how the wait is cut short from outside.
 *
 * A client's connection is one itself, by inheritance: another object for each idle connection would cost memory.
 *
 * @module
 */

import { Fault, type FaultCode, type Party } from "../faults.ts";
import type { Clock } from "../runtime/clock.ts";
import type { Deadlines, Timed } from "../runtime/deadlines.ts";
import type { Settings } from "../settings/settings.ts";
import type { Deadline } from "../states.ts";
import type { Channel } from "../streams/channel.ts";
import { type DeadlineOfSilence, isOfSilence, nextLook, stalled } from "./silence.ts";

/** What can be broken off. */
export interface Cuttable {
  /** The other end of what passes through, where there is one. */
  readonly far?: Channel;
  /** Who is at that end; the target where undefined. */
  readonly party?: Party;
  /** Makes whoever waits for it reject with the fault. */
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
   * What has to be cut so that whatever the current step waits for rejects; the client's channel where undefined.
   * An object for each request: with a closure here V8 kept a quarter of each request's garbage alive (6fc2e11).
   */
  cuttable: Cuttable | undefined;
  /** The client's end of what passes through. */
  abstract readonly client: Channel;
  /** Whose clock, deadlines and timeouts these are. */
  abstract readonly services: WatchServices;
  #deadline: Deadline = "none";
  #late: FaultCode = "client_timeout";
  /** When something has moved for the last time, as far as is known; counts where silence ends the step. */
  #movedAt = 0;
  /** What waited to be sent at the last look. */
  #unsent = 0;
  #waiting = false;
  #draining = false;

  /** Whether the client may send another request. */
  get keepAlive(): boolean {
    return !this.#draining;
  }

  /** Begins a step: `deadline` runs, unless it does so already, and `late` is the fault when it has passed. */
  enter(deadline: Deadline, late: FaultCode): void {
    this.cuttable = undefined;
    this.#waiting = false;
    this.#late = late;
    if (deadline !== "header" || this.#deadline !== "header") this.setDeadline(deadline);
  }

  /** Starts a deadline in place of the one that runs. */
  setDeadline(deadline: Deadline): void {
    const before = this.expiresAt;
    this.#deadline = deadline;
    this.#waiting = false;
    this.expiresAt = this.#endOf(deadline);
    if (this.expiresAt < before) this.services.deadlines.watch(this);
  }

  /**
   * The client owes nothing and is owed nothing: it may be let go when the proxy drains. The deadline that runs goes on
   * where none is given.
   */
  waitForRequest(deadline?: "header" | "idle"): void {
    if (deadline) this.setDeadline(deadline);
    this.#waiting = true;
  }

  /** When a deadline that starts now has passed, or is looked at first. */
  #endOf(deadline: Deadline): number {
    if (deadline === "none") return Infinity;
    const { clock, settings: { timeouts } } = this.services;
    const now = clock.now();
    if (!isOfSilence(deadline)) return now + timeouts[deadline];
    this.#movedAt = now;
    this.#unsent = 0;
    return nextLook(now, Math.min(timeouts[deadline], timeouts.stalled));
  }

  /** Something moves: the idle deadline begins anew. */
  touch(): void {
    this.#movedAt = this.services.clock.now();
  }

  /** See `Timed`: the deadline has passed, or it is time for a look at what moves. */
  expire(): void {
    const fault = isOfSilence(this.#deadline) ? this.#look(this.#deadline) : new Fault(this.#late);
    if (!fault) return;
    this.expiresAt = Infinity;
    this.cut(fault);
  }

  /** Undefined where the silence may go on. Looked at now and then, so that what moves costs one assignment. */
  #look(deadline: DeadlineOfSilence): Fault | undefined {
    const { clock, settings: { timeouts } } = this.services;
    const now = clock.now();
    const toClient = this.client.writer.unsent;
    const unsent = toClient + (this.cuttable?.far?.writer.unsent ?? 0);
    // A part of a write is progress too. It came at some time since the last look; now is the latest.
    if (unsent !== this.#unsent) this.#movedAt = now;
    this.#unsent = unsent;
    const patience = Math.min(timeouts[deadline], timeouts.stalled);
    const allowed = unsent > 0 ? patience : timeouts[deadline];
    const end = this.#movedAt + allowed;
    if (end > now) this.expiresAt = Math.min(end, nextLook(now, patience));
    else if (unsent === 0) return new Fault(this.#late);
    else return stalled(toClient > 0 ? "client" : this.cuttable?.party ?? "target", allowed);
  }

  /** Breaks off what the current step waits for. */
  cut(fault: Fault): void {
    if (this.cuttable) this.cuttable.cut(fault);
    else if (this.client.reader.waiting) this.client.reader.interrupt(fault);
    else this.client.cut(fault);
  }

  /** Finishes what was begun and takes no further request. */
  drain(): void {
    this.#draining = true;
    if (this.#waiting) this.cut(new Fault("proxy_shutdown"));
  }

  /** Waits for more of what the client says, as `fill()` of its reader; a cut ends the wait and not the connection. */
  fill(): Promise<boolean> {
    if (this.#waiting && this.#draining) return Promise.reject(new Fault("proxy_shutdown"));
    return this.client.reader.fill();
  }

  /** Waits for a promise that nothing else can cut. Nobody learns what it settles with after a cut. */
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
