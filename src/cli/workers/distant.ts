/**
 * What a worker asks of the process that started it: places for clients, tokens of limits, and what the other workers know.
 *
 * @module
 */

import type { Ask, Grant, LimitStore } from "../../limits/store.ts";
import type { LiveConnection, Others, Selection } from "../../observe/live.ts";
import type { Totals } from "../../observe/metrics.ts";
import type { RecentView } from "../../observe/recent.ts";
import type { Places } from "../../policy/places.ts";
import type { Answer, Question, Report } from "./messages.ts";

type Send = (report: Report) => void;

/** Questions that are sent with a number, until the answers with the same numbers come. */
class Questions<Reply> {
  readonly #waiting = new Map<number, (reply: Reply) => void>();
  #asked = 0;

  /** Sends a question with the number that it gets. */
  ask(send: (number: number) => void): Promise<Reply> {
    const number = ++this.#asked;
    send(number);
    return new Promise((resolve) => this.#waiting.set(number, resolve));
  }

  answered(number: number, reply: Reply): void {
    this.#waiting.get(number)?.(reply);
    this.#waiting.delete(number);
  }
}

/** The places of clients, which the process that started the workers counts. */
export class DistantPlaces implements Places {
  readonly #send: Send;
  readonly #questions = new Questions<boolean>();

  /** `send` reaches that process. */
  constructor(send: Send) {
    this.#send = send;
  }

  /** See `Places`. */
  take(source: string): Promise<boolean> {
    return this.#questions.ask((place) => this.#send({ take: source, place }));
  }

  /** See `Places`. */
  give(source: string): void {
    this.#send({ give: source });
  }

  /** An answer has come. */
  answered({ place, taken }: { readonly place: number; readonly taken: boolean }): void {
    this.#questions.answered(place, taken);
  }
}

/** The counts of limits, which the process that started the workers has. */
export class DistantStore implements LimitStore {
  readonly #send: Send;
  readonly #questions = new Questions<readonly Grant[]>();

  /** `send` reaches that process. */
  constructor(send: Send) {
    this.#send = send;
  }

  /** See `LimitStore`. */
  ask(limits: readonly Ask[]): Promise<readonly Grant[]> {
    return this.#questions.ask((batch) => this.#send({ limits, batch }));
  }

  /** That process notices itself when a worker ends. */
  forget(): void {}

  /** An answer has come. */
  answered({ grants, batch }: { readonly grants: readonly Grant[]; readonly batch: number }): void {
    this.#questions.answered(batch, grants);
  }
}

/** The other workers, asked through the process that started them all. */
export class DistantOthers implements Others {
  totals: Totals | undefined;
  readonly #send: Send;
  readonly #questions = new Questions<readonly Answer[]>();

  /** `send` reaches that process. */
  constructor(send: Send) {
    this.#send = send;
  }

  /** See `Others`. */
  async live(): Promise<readonly LiveConnection[]> {
    return (await this.#ask("live")).flatMap((answer) => answer as readonly LiveConnection[]);
  }

  /** See `Others`. */
  async recent(): Promise<readonly RecentView[]> {
    return (await this.#ask("recent")) as readonly RecentView[];
  }

  /** See `Others`. */
  async cut(selection: Selection): Promise<number> {
    const counts = await this.#ask({ cut: selection });
    return (counts as readonly number[]).reduce((sum, count) => sum + count, 0);
  }

  #ask(question: Question): Promise<readonly Answer[]> {
    return this.#questions.ask((call) => this.#send({ question, call }));
  }

  /** The answers of all have come. */
  answered({ call, answers }: { readonly call: number; readonly answers: readonly Answer[] }): void {
    this.#questions.answered(call, answers);
  }
}
