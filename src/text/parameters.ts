/**
 * The parameters of an endpoint: `?NAME=VALUE&NAME=VALUE`.
 *
 * @module
 */

import type { UsageError } from "./usage_error.ts";

/** Reads parameters, and checks their names. `%26` becomes an ampersand, and a plus sign stays a plus sign. */
export class Parameters<Name extends string> {
  readonly #values = new Map<string, string[]>();
  readonly #invalid: (why: string) => UsageError;

  /** `invalid` makes the error for a parameter that cannot be read. The error quotes the whole endpoint. */
  constructor(query: string | undefined, known: readonly Name[], invalid: (why: string) => UsageError) {
    this.#invalid = invalid;
    for (const part of query ? query.split("&") : []) {
      const [, name, value] = /^([^=]*)=(.+)$/s.exec(part) ?? [];
      if (name === undefined) throw invalid(`a parameter is written NAME=VALUE`);
      if (!known.some((one) => one === name)) {
        // The name is not quoted: it may be the end of a password that has a question mark.
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

  /** The value of a name that may be given only once; undefined if it is not given. */
  one(name: Name): string | undefined {
    const values = this.all(name);
    if (values.length > 1) throw this.#invalid(`the parameter "${name}" is given twice`);
    return values[0];
  }

  /** The same for a name whose value is a version of TLS, `1.2` or `1.3`. */
  tlsVersion(name: Name): "TLSv1.2" | "TLSv1.3" | undefined {
    const version = this.one(name);
    if (version === undefined) return undefined;
    if (version === "1.2") return "TLSv1.2";
    if (version === "1.3") return "TLSv1.3";
    throw this.#invalid(`${name} is 1.2 or 1.3`);
  }
}

/**
 * Replaces the paths in an endpoint: those in the parameters of these names, and that of a Unix socket. `end` are the
 * characters that end a value.
 */
export function placePaths(
  text: string,
  { names, end, path }: {
    readonly names: readonly string[];
    readonly end: "&" | "&,";
    readonly path: (path: string) => string;
  },
): string {
  const parameter = new RegExp(`([?&](?:${names.join("|")})=)(?!env:)([^${end}]+)`, "g");
  const socket = /^((?:[^:/?@]*:\/\/)?(?:[^/?@]*@)?unix:)([^?,]+)/i;
  return text
    .replace(parameter, (whole, start: string, value: string) => {
      try {
        return start + path(decodeURIComponent(value)).replace(/[%&,]/g, encodeURIComponent);
      } catch {
        return whole;
      }
    })
    .replace(socket, (_, start: string, value: string) => start + path(value));
}
