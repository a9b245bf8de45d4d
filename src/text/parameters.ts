/**
 * The parameters of an endpoint: `?NAME=VALUE&NAME=VALUE`.
 *
 * @module
 */

import type { UsageError } from "./usage_error.ts";

/** Parameters, read and checked for their names; a plus sign is a plus sign, and `%26` an ampersand. */
export class Parameters<Name extends string> {
  readonly #values = new Map<string, string[]>();
  readonly #invalid: (why: string) => UsageError;

  /** `invalid` makes the error that is thrown for what cannot be read; it quotes the whole endpoint. */
  constructor(query: string | undefined, known: readonly Name[], invalid: (why: string) => UsageError) {
    this.#invalid = invalid;
    for (const part of query ? query.split("&") : []) {
      const [, name, value] = /^([^=]*)=(.+)$/s.exec(part) ?? [];
      if (name === undefined) throw invalid(`a parameter is written NAME=VALUE`);
      if (!known.some((one) => one === name)) {
        // What looks like a name may be the end of a password with a question mark.
        throw invalid(`there is an unknown parameter; use ${known.join(", ")}`);
      }
      this.#values.set(name, [...this.#values.get(name) ?? [], this.#decode(value)]);
    }
  }

  #decode(value: string): string {
    try {
      return decodeURIComponent(value);
    } catch {
      throw this.#invalid(`a percent sign in a parameter is written %25`);
    }
  }

  /** Every value of a name, in order. */
  all(name: Name): readonly string[] {
    return this.#values.get(name) ?? [];
  }

  /** The value of a name that may be given once. */
  one(name: Name): string | undefined {
    const values = this.all(name);
    if (values.length > 1) throw this.#invalid(`the parameter "${name}" is given twice`);
    return values[0];
  }

  /** The same, of a name whose value is a version of TLS, `1.2` or `1.3`. */
  tlsVersion(name: Name): "TLSv1.2" | "TLSv1.3" | undefined {
    const version = this.one(name);
    if (version === undefined) return undefined;
    if (version === "1.2") return "TLSv1.2";
    if (version === "1.3") return "TLSv1.3";
    throw this.#invalid(`${name} is 1.2 or 1.3`);
  }
}
