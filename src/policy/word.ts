/**
 * What a word of a rule is to those who judge requests.
 *
 * @module
 */

import type { IpBlock } from "../addresses/ip_block.ts";
import type { Answer, Subject } from "./rule_request.ts";

/** Something that a request has where a word holds: `ending` is a name, or what a name ends with behind a dot. */
export type Key =
  | { readonly of: "name" | "ending" | "user"; readonly text: string }
  | { readonly of: "address" | "client"; readonly block: IpBlock };

/** One word of a rule, or all of its words. Objects and not functions, which take twice the memory in long lists. */
export abstract class Word {
  /** As it was written. */
  abstract readonly text: string;

  /** Whether it holds for a request; undefined while that depends on an address that is not known yet. */
  abstract holds(subject: Subject): Answer;

  /** Wherever the word may hold, the request has one of these keys. Undefined if there are no such keys. */
  keys(): readonly Key[] | undefined {
    return undefined;
  }

  /** While an address is not known, words with the same gist give the same answer. */
  get gist(): string {
    return this.text;
  }

  /** The words that it consists of. */
  get parts(): readonly Word[] {
    return [this];
  }
}

/** The words of a rule. All of them must hold. */
export class AllWords extends Word {
  readonly #parts: readonly Word[];

  /** Takes two words or more. */
  constructor(parts: readonly Word[]) {
    super();
    this.#parts = parts;
  }

  override get parts(): readonly Word[] {
    return this.#parts;
  }

  get text(): string {
    return this.#parts.map(({ text }) => text).join(" ");
  }

  override get gist(): string {
    return this.#parts.map(({ gist }) => gist).join(" ");
  }

  /** One false word decides, even while others are undefined. */
  holds(subject: Subject): Answer {
    let answer: Answer = true;
    for (const word of this.#parts) {
      const held = word.holds(subject);
      if (held === false) return false;
      if (held === undefined) answer = undefined;
    }
    return answer;
  }
}

/** A word with a `!` before it. */
export class Negation extends Word {
  readonly #word: Word;

  /** Takes the word without the `!`. */
  constructor(word: Word) {
    super();
    this.#word = word;
  }

  get text(): string {
    return `!${this.#word.text}`;
  }

  holds(subject: Subject): Answer {
    const held = this.#word.holds(subject);
    return held === undefined ? undefined : !held;
  }
}
