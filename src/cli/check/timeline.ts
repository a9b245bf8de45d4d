/**
 * Steps with their times: what was done, what came of it, how long it took.
 *
 * @module
 */

import type { Clock } from "../../runtime/clock.ts";
import { type Fault, toFault } from "../../faults.ts";

/** One step that is over. Its texts may come from the network, and are not escaped. */
export interface Step {
  /** What kind of step it was, in one word. */
  readonly name: string;
  /** What it was about: a name, an address, a request. */
  readonly what: string;
  /** What came of it, where there is more to say than that it is done. */
  readonly outcome?: string;
  /** Milliseconds that it took. */
  readonly time: number;
  /** Why it failed; undefined where it did not. */
  readonly fault?: Fault;
}

/** What a timeline works with. */
export interface TimelineOptions {
  readonly clock: Pick<Clock, "now">;
  /** Called as a step begins. */
  readonly onBegin?: (name: string) => void;
  /** Called as a step is over. */
  readonly onStep: (step: Step) => void;
}

/** A step that is under way. What is told of it once it is over, or given up, is ignored. */
export class RunningStep {
  readonly name: string;
  /** What it is about, by what is known so far. */
  what: string;
  readonly #started: number;
  readonly #clock: TimelineOptions["clock"];
  readonly #over: (step: Step) => void;

  /** Starts now. */
  constructor(
    name: string,
    what: string,
    { clock, over }: { clock: TimelineOptions["clock"]; over: (step: Step) => void },
  ) {
    this.name = name;
    this.what = what;
    this.#clock = clock;
    this.#started = clock.now();
    this.#over = over;
  }

  /** It is done. */
  end(outcome?: string): void {
    this.#over({ name: this.name, what: this.what, time: this.#time(), ...outcome && { outcome } });
  }

  /** It failed. */
  fail(fault: Fault): void {
    this.#over({ name: this.name, what: this.what, time: this.#time(), fault });
  }

  #time(): number {
    return this.#clock.now() - this.#started;
  }
}

/** The steps of one undertaking, each told as soon as it is over. Steps may overlap. */
export class Timeline {
  readonly #options: TimelineOptions;
  readonly #running = new Set<RunningStep>();

  /** Nothing is under way at first. */
  constructor(options: TimelineOptions) {
    this.#options = options;
  }

  /** The name of what began last and is under way. */
  get current(): string | undefined {
    return [...this.#running].at(-1)?.name;
  }

  /** A step begins. */
  begin(name: string, what: string): RunningStep {
    const { clock, onBegin, onStep } = this.#options;
    const over = (step: Step) => {
      if (this.#running.delete(running)) onStep(step);
    };
    const running = new RunningStep(name, what, { clock, over });
    this.#running.add(running);
    onBegin?.(name);
    return running;
  }

  /** A step that is a piece of work of its own; its failure is thrown on. */
  async watch<T>(
    name: string,
    what: string,
    { work, outcome }: { work: () => Promise<T>; outcome?: (result: T) => string },
  ): Promise<T> {
    const running = this.begin(name, what);
    try {
      const result = await work();
      running.end(outcome?.(result));
      return result;
    } catch (error) {
      running.fail(toFault(error));
      throw error;
    }
  }

  /** Forgets steps of a name that are under way: another one has made them needless. */
  forget(name: string): void {
    for (const running of this.#running) if (running.name === name) this.#running.delete(running);
  }

  /** Whatever is under way has failed. */
  abandon(fault: Fault): void {
    for (const running of [...this.#running]) running.fail(fault);
  }
}
