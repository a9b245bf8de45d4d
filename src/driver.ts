/**
 * The driver of the tables in `states.ts`: takes one step after another until a last state.
 *
 * A step may have its outcome at once. The driver goes on without a promise then, so that a request whose bytes are all
 * there costs none.
 *
 * @module
 */

/** What a step has come to: an event, and the payload of the state that the event leads to. */
export interface Moved {
  readonly event: string;
  readonly payload: unknown;
}

/** A table with its steps. `Subject` is what the steps work with. */
export interface Machine<Subject, State extends string = string> {
  /** Whether no event leads on. */
  isLast(state: State): boolean;
  /** Called before each step: starts the state's deadline. */
  enter(subject: Subject, state: State): void;
  /** Does the work of a state. */
  step(subject: Subject, state: State, payload: unknown): Moved | Promise<Moved>;
  /** The outcome of a step that threw. */
  interrupted(subject: Subject, error: unknown, at: At<State>): Moved;
  /** Looks the next state up, and tells whoever wants to know. */
  next(subject: Subject, at: At<State>, moved: Moved): State;
}

/** Where something stands. */
export interface At<State extends string = string> {
  readonly state: State;
  readonly payload: unknown;
}

/** A bug: the table has no such transition, or who is told of transitions threw. Nothing takes it for a step's failure. */
export class Crash extends Error {
  override readonly name = "Crash";

  /** `cause` is what was thrown. */
  constructor(cause: unknown) {
    super("A transition failed", { cause });
  }
}

/**
 * Drives from a state to a last one, and gives that as an event with its payload: the last state of a request is an
 * event of its connection. Throws, or rejects with, a {@linkcode Crash} alone.
 */
export function drive<Subject, State extends string>(
  machine: Machine<Subject, State>,
  subject: Subject,
  from: At<State>,
): Moved | Promise<Moved> {
  let at = from;
  while (!machine.isLast(at.state)) {
    const moved = step(machine, subject, at);
    if (moved instanceof Promise) return driveOn(machine, subject, { at, moving: moved });
    at = arrive(machine, subject, { at, moved });
  }
  return { event: at.state, payload: at.payload };
}

async function driveOn<Subject, State extends string>(
  machine: Machine<Subject, State>,
  subject: Subject,
  { at, moving }: { at: At<State>; moving: Promise<Moved> },
): Promise<Moved> {
  let moved: Moved | Promise<Moved> = moving;
  while (true) {
    if (moved instanceof Promise) {
      try {
        moved = await moved;
      } catch (error) {
        moved = interrupted(machine, subject, { at, error });
      }
    }
    at = arrive(machine, subject, { at, moved });
    if (machine.isLast(at.state)) return { event: at.state, payload: at.payload };
    moved = step(machine, subject, at);
  }
}

function step<Subject, State extends string>(
  machine: Machine<Subject, State>,
  subject: Subject,
  at: At<State>,
): Moved | Promise<Moved> {
  machine.enter(subject, at.state);
  try {
    return machine.step(subject, at.state, at.payload);
  } catch (error) {
    return interrupted(machine, subject, { at, error });
  }
}

function interrupted<Subject, State extends string>(
  machine: Machine<Subject, State>,
  subject: Subject,
  { at, error }: { at: At<State>; error: unknown },
): Moved {
  if (error instanceof Crash) throw error;
  return machine.interrupted(subject, error, at);
}

function arrive<Subject, State extends string>(
  machine: Machine<Subject, State>,
  subject: Subject,
  { at, moved }: { at: At<State>; moved: Moved },
): At<State> {
  try {
    return { state: machine.next(subject, at, moved), payload: moved.payload };
  } catch (error) {
    throw new Crash(error);
  }
}
