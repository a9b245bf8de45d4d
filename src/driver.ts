/**
 * The driver of the tables in `states.ts`: takes one step after another until a last state.
 *
 * A step may return its outcome at once, or {@linkcode LATER}. In both cases the driver goes on without a promise: a
 * request on a kept connection costs none. The driver is an object and not an async function: a suspended function keeps
 * all its arguments alive, which cost an idle tunnel 6 KiB on Deno.
 *
 * @module
 */

/** The outcome of a step: an event, and the payload of the state that the event leads to. */
export interface Moved {
  readonly event: string;
  readonly payload: unknown;
}

/** What a step returns if it tells its outcome later, to the {@linkcode Resume} that it was given. */
export const LATER: unique symbol = Symbol("later");

/** Goes on with a step that has returned {@linkcode LATER}. One of the methods is called, once. */
export interface Resume<M extends Moved = Moved> {
  /** The step has come to this outcome. May be called before the step returns. */
  moved(outcome: M): void;
  /** The step has failed, as if it had thrown this. */
  failed(error: unknown): void;
}

/** What a step returns. */
export type Step<M extends Moved = Moved> = M | Promise<M> | typeof LATER;

/** A position in a table. */
export interface At<Subject, State extends string = string> {
  /** What the steps work on. */
  readonly subject: Subject;
  readonly state: State;
  /** The payload of the state. */
  readonly payload: unknown;
}

/** The other outcome of a step: another table runs inside the state, and its last state becomes the state's event. */
export interface Nested extends At<unknown> {
  readonly machine: Machine;
}

/** A table with its steps. */
// deno-lint-ignore no-explicit-any -- each machine knows its own subject, and the driver none.
export interface Machine<Subject = any, State extends string = any> {
  /** Whether a state is a last one. */
  isLast(state: State): boolean;
  /** Does the work of a state, under the state's deadline. */
  step(at: At<Subject, State>, resume: Resume): Step | Nested;
  /** The outcome of a step that threw. */
  interrupted(at: At<Subject, State>, error: unknown): Moved;
  /** Looks up the next state, and calls the hook. If it throws, that is a bug, and ends the drive. */
  next(at: At<Subject, State>, moved: Moved): State;
}

/** Told of the end of a drive. */
export interface DriveEnd {
  /** The drive has come to a last state. The event is the name of that state. */
  done(last: Moved): void;
  /** The table has no such transition, or the hook threw. */
  failed(bug: unknown): void;
}

/** Drives from a state to a last one. */
export function drive<Subject, State extends string>(
  machine: Machine<Subject, State>,
  from: At<Subject, State>,
  end: DriveEnd,
): void {
  new Drive(machine, from, end).advance();
}

class Drive implements At<unknown>, Resume {
  subject: unknown;
  state: string;
  payload: unknown;
  #machine: Machine;
  /** The state of the outer table in which this table runs. */
  #outer: Nested | undefined;
  /** Whether a step is under way. Its outcome, if it tells it before it returns, waits in `#early`. */
  #stepping = false;
  #early: Moved | undefined;
  readonly #end: DriveEnd;

  constructor(machine: Machine, { subject, state, payload }: At<unknown>, end: DriveEnd) {
    this.subject = subject;
    this.state = state;
    this.payload = payload;
    this.#machine = machine;
    this.#end = end;
  }

  /** Goes on until a step has to wait. */
  advance(): void {
    try {
      while (true) {
        if (this.#machine.isLast(this.state)) {
          const last = { event: this.state, payload: this.payload };
          if (!this.#outer) return this.#end.done(last);
          this.#enter(this.#outer, undefined);
          this.#arrive(last);
          continue;
        }
        const outcome = this.#step();
        if (outcome === LATER) return;
        if (outcome instanceof Promise) {
          outcome.then((moved) => this.moved(moved), (error) => this.failed(error));
          return;
        }
        if ("event" in outcome) this.#arrive(outcome);
        else this.#enter(outcome, this.#here());
      }
    } catch (bug) {
      this.#end.failed(bug);
    }
  }

  #step(): Step | Nested {
    this.#stepping = true;
    try {
      const outcome = this.#machine.step(this, this);
      return outcome === LATER ? this.#early ?? LATER : outcome;
    } catch (error) {
      return this.#machine.interrupted(this, error);
    } finally {
      this.#stepping = false;
      this.#early = undefined;
    }
  }

  #here(): Nested {
    return { machine: this.#machine, subject: this.subject, state: this.state, payload: this.payload };
  }

  #enter({ machine, subject, state, payload }: Nested, outer: Nested | undefined): void {
    this.#outer = outer;
    this.#machine = machine;
    this.subject = subject;
    this.state = state;
    this.payload = payload;
  }

  #arrive(moved: Moved): void {
    this.state = this.#machine.next(this, moved);
    this.payload = moved.payload;
  }

  /** See `Resume`. */
  moved(outcome: Moved): void {
    if (this.#stepping) {
      this.#early = outcome;
      return;
    }
    try {
      this.#arrive(outcome);
    } catch (bug) {
      return this.#end.failed(bug);
    }
    this.advance();
  }

  /** See `Resume`. */
  failed(error: unknown): void {
    this.moved(this.#machine.interrupted(this, error));
  }
}
