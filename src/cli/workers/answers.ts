/**
 * The answers of several workers to one question.
 *
 * @module
 */

import type { Answer } from "./messages.ts";

/** Collects the answers of workers to one question. Those who end, or take too long, are left out. */
export class Answers<Member> {
  readonly #waiting: Set<Member>;
  readonly #told: (answers: readonly Answer[]) => void;
  readonly #answers: Answer[] = [];

  /** `told` gets the answers once none is missing. */
  constructor(asked: readonly Member[], told: (answers: readonly Answer[]) => void) {
    this.#waiting = new Set(asked);
    this.#told = told;
  }

  /** An answer has come. */
  answered(member: Member, answer: Answer): void {
    if (this.#waiting.has(member)) this.#answers.push(answer);
    this.left(member);
  }

  /** Somebody will not answer any more. */
  left(member: Member): void {
    if (this.#waiting.delete(member)) this.check();
  }

  /** Waits no longer. */
  giveUp(): void {
    this.#waiting.clear();
    this.check();
  }

  /** Tells the answers if none is missing. */
  check(): void {
    if (this.#waiting.size === 0) this.#told(this.#answers);
  }
}
