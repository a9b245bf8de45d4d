/**
 * The driver of the tables in `states.ts`: takes one step after another until a last state.
 *
 * A step may return its outcome at once. The driver then goes on without a promise, so a request whose bytes are all
 * there costs none. The driver is an object and not an async function: a suspended function keeps all its arguments
 * alive, which cost an idle tunnel 6 KiB on Deno.
 *
 * @module
 */

/** The outcome of a step: an event, and the payload of the state that the event leads to. */
export interface Moved {
  readonly event: string;
  readonly payload: unknown;
}

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
  step(at: At<Subject, State>): Moved | Nested | Promise<Moved>;
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

class Drive implements At<unknown> {
  subject: unknown;
  state: string;
  payload: unknown;
  #machine: Machine;
  /** The state of the outer table in which this table runs. */
  #outer: Nested | undefined;
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
          const moved = { event: this.state, payload: this.payload };
          if (!this.#outer) return this.#end.done(moved);
          this.#enter(this.#outer, undefined);
          this.#arrive(moved);
          continue;
        }
        const moved = this.#step();
        if (moved instanceof Promise) {
          moved.then(this.#moved, this.#failed);
          return;
        }
        if ("event" in moved) this.#arrive(moved);
        else this.#enter(moved, this.#here());
      }
    } catch (bug) {
      this.#end.failed(bug);
    }
  }

  #step(): Moved | Nested | Promise<Moved> {
    try {
      return this.#machine.step(this);
    } catch (error) {
      return this.#machine.interrupted(this, error);
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

  readonly #moved = (moved: Moved): void => {
    try {
      this.#arrive(moved);
    } catch (bug) {
      return this.#end.failed(bug);
    }
    this.advance();
  };

  readonly #failed = (error: unknown): void => this.#moved(this.#machine.interrupted(this, error));
}
