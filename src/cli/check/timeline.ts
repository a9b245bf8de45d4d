/**
 * Times steps: what each did, how it ended, how long it took.
 *
 * @module
 */

import type { Clock } from "../../runtime/clock.ts";
import { type Fault, toFault } from "../../faults.ts";

/** A step that has ended. Its texts may come from the network, and are not escaped. */
export interface Step {
  /** The kind of step, in one word. */
  readonly name: string;
  /** The object of the step: a name, an address, a request. */
  readonly what: string;
  /** The result; undefined if there is nothing to say about it. */
  readonly outcome?: string;
  /** How long it took, in milliseconds. */
  readonly time: number;
  /** Why it failed; undefined if it did not. */
  readonly fault?: Fault;
}

/** The clock and the callbacks of a timeline. */
export interface TimelineOptions {
  readonly clock: Pick<Clock, "now">;
  /** Called when a step begins. */
  readonly onBegin?: (name: string) => void;
  /** Called when a step ends. */
  readonly onStep: (step: Step) => void;
}

/** A step that is running. Once it has ended or was forgotten, further calls are ignored. */
export class RunningStep {
  readonly name: string;
  /** The object of the step, as far as it is known. */
  what: string;
  readonly #started: number;
  readonly #clock: TimelineOptions["clock"];
  readonly #over: (step: Step) => void;

  /** The step starts now. */
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

  /** Ends the step with success. */
  end(outcome?: string): void {
    this.#over({ name: this.name, what: this.what, time: this.#time(), ...outcome && { outcome } });
  }

  /** Ends the step with a fault. */
  fail(fault: Fault): void {
    this.#over({ name: this.name, what: this.what, time: this.#time(), fault });
  }

  #time(): number {
    return this.#clock.now() - this.#started;
  }
}

/** The steps of one probe. `onStep` gets each as soon as it ends. Steps may overlap. */
export class Timeline {
  readonly #options: TimelineOptions;
  readonly #running = new Set<RunningStep>();

  /** No step is running at first. */
  constructor(options: TimelineOptions) {
    this.#options = options;
  }

  /** The name of the running step that began last. */
  get current(): string | undefined {
    return [...this.#running].at(-1)?.name;
  }

  /** Begins a step. */
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

  /** Runs `work` as one step. Rejects as `work` does. */
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

  /** Forgets the running steps with this name: another step has made them needless. */
  forget(name: string): void {
    for (const running of this.#running) if (running.name === name) this.#running.delete(running);
  }

  /** Ends all running steps with a fault. */
  abandon(fault: Fault): void {
    for (const running of [...this.#running]) running.fail(fault);
  }
}
