/**
 * Host names to addresses, the same on every runtime: both families asked at once, without threads that can run out.
 *
 * `getaddrinfo` blocks a thread for each name, and all runtimes have few: 2 of Node's 4, about as many as there are
 * cores on Bun, 32 on Deno, and on the last two writes to files need the same ones. Names that a client makes up, under
 * a zone that never answers, would hold them all. So name servers are asked without threads first, by what the runtime
 * has for it, and `getaddrinfo` has the final say only where they know no such name: other sources of nsswitch.conf(5)
 * may, mDNS for one. It is asked for a few names at a time; the others wait in line.
 *
 * Name servers that the operator names are asked by this project's own queries, see `name_server.ts`.
 *
 * @module
 */

import { lookup, Resolver } from "node:dns/promises";
import type { Resolution, ResolveOptions, SocketErrorCode } from "../src/runtime/contract.ts";
import { type FoundAddress, nameError } from "./dns_message.ts";
import { NameServerQueries } from "./name_server.ts";
import { socketError } from "./socket_errors.ts";

/** One question for one family. Rejects with an error that has a code of c-ares, `ENOTFOUND` for one. */
export type Ask = (family: 4 | 6) => Promise<readonly FoundAddress[]>;

/** What a runtime has. */
export interface NameLookupOptions {
  /**
   * Asks the hosts file and the system's name servers, search domains and all, without blocking a thread; rejects as
   * {@linkcode Ask} does. It may stop once the signal has fired.
   */
  readonly query: (host: string, over: AbortSignal) => Promise<Resolution>;
  /** Names that `getaddrinfo` may be asked for at once: fewer than there are threads, so that files are written. */
  readonly blocking: number;
}

/**
 * A name whose last label is a number is an address in an odd spelling (WHATWG URL, "ends in a number"): no name
 * server knows it, `getaddrinfo` does without asking one.
 */
const NUMBER = /(?:^|\.)(?:[0-9]+|0[xX][0-9A-Fa-f]*)\.?$/;

/** Answers with which the matter is closed. With any other, the name may be known elsewhere. */
const FINAL = /ETIMEOUT$|ESERVFAIL$/;

/**
 * RFC 8305 section 3, Resolution Delay: how long the other family is waited for once one is known, in milliseconds.
 * IPv4 gets longer: it is what remains where IPv6 leads nowhere, and addresses cannot join a race later here.
 */
const PATIENCE = { 4: 500, 6: 50 } as const;

/** What is said where the name is known to have no address, or DNS cannot carry it. */
const NO_SUCH_NAME = /(?:ENOTFOUND|ENODATA|ENONAME|EBADNAME)$/;

/** Deno's resolver asks nobody for some names, such as `under_score.example`, and says no more than this. */
const NOT_ASKED = /^UNKNOWN$/;

/** Looks names up. */
export class NameLookup {
  readonly #options: NameLookupOptions;
  #blocked = 0;
  readonly #waiting: (() => void)[] = [];

  /** Takes what the runtime has. */
  constructor(options: NameLookupOptions) {
    this.#options = options;
  }

  /** See `Runtime.resolve`. */
  async resolve(host: string, { signal, servers }: ResolveOptions = {}): Promise<Resolution> {
    signal?.throwIfAborted();
    const over = new AbortController();
    let abandon = (): void => {};
    const aborted = new Promise<never>((_, reject) => abandon = () => reject(signal?.reason));
    signal?.addEventListener("abort", abandon);
    try {
      const answer = servers ? this.#ask(host, servers, over.signal) : this.#system(host, over.signal);
      return await Promise.race([answer, aborted]);
    } catch (cause) {
      if (signal?.aborted) throw signal.reason;
      throw socketError(`Cannot resolve "${host}"`, { code: failureCode(cause), cause });
    } finally {
      signal?.removeEventListener("abort", abandon);
      over.abort();
    }
  }

  /** One server after the other; the next one may improve on every failure but a name that does not exist. */
  async #ask(host: string, servers: readonly string[], over: AbortSignal): Promise<Resolution> {
    let failure: unknown;
    for (const server of servers) {
      try {
        const queries = new NameServerQueries(server, { tries: servers.length > 1 ? 1 : 2, over });
        return await askBoth((family) => queries.ask(host, family));
      } catch (error) {
        failure = error;
        if (over.aborted || NO_SUCH_NAME.test(codeOf(error))) break;
      }
    }
    throw failure;
  }

  async #system(host: string, over: AbortSignal): Promise<Resolution> {
    if (host === "" || NUMBER.test(host)) return await this.#finalSay(host, over);
    try {
      return await this.#options.query(host, over);
    } catch (error) {
      const code = codeOf(error);
      if (FINAL.test(code)) throw error;
      // `getaddrinfo` may say that there is no such name where it has reached no server either.
      const certain = NO_SUCH_NAME.test(code) || NOT_ASKED.test(code);
      return await this.#finalSay(host, over).catch((last) => {
        throw certain ? last : error;
      });
    }
  }

  async #finalSay(host: string, over: AbortSignal): Promise<Resolution> {
    while (this.#blocked >= this.#options.blocking) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    try {
      this.#blocked++;
      // Node answers the empty name with a deprecation warning.
      if (over.aborted || host === "") throw noAddress();
      return resolution(await lookup(host, { all: true, verbatim: true }));
    } finally {
      this.#blocked--;
      this.#waiting.shift()?.();
    }
  }
}

/** A resolver that stops asking when the signal fires. */
export function openResolver(over: AbortSignal): Resolver {
  const resolver = new Resolver();
  over.addEventListener("abort", () => resolver.cancel());
  return resolver;
}

/** Asks a resolver for one family. */
export function askResolver(
  resolver: Resolver,
  { host, family }: { host: string; family: 4 | 6 },
): Promise<readonly FoundAddress[]> {
  return family === 4 ? resolver.resolve4(host, { ttl: true }) : resolver.resolve6(host, { ttl: true });
}

/**
 * Asks for both families at once, IPv6 first in the answer. Rejects where neither has an address; where the one has
 * failed and the other is known to have none, with the failure.
 *
 * `listedTtl` is what the runtime says of entries in the hosts file. They stand alone, as with `getaddrinfo`: a name
 * that has an IPv4 address there must not get an IPv6 one from a name server.
 */
export function askBoth(ask: Ask, listedTtl?: number): Promise<Resolution> {
  return new Promise((resolve, reject) => {
    const found: Record<4 | 6, readonly FoundAddress[]> = { 4: [], 6: [] };
    const failures: unknown[] = [];
    let timer: ReturnType<typeof setTimeout> | undefined;
    let open = 2;
    function finish(): void {
      clearTimeout(timer);
      try {
        const both = [...found[6], ...found[4]];
        const listed = both.filter(({ ttl }) => ttl !== undefined && ttl === listedTtl);
        resolve(resolution(listed.length > 0 ? listed : both));
      } catch (error) {
        const final = failures.find((failure) => FINAL.test(codeOf(failure)));
        const uncertain = failures.find((failure) => !NO_SUCH_NAME.test(codeOf(failure)));
        reject(final ?? uncertain ?? failures[0] ?? error);
      }
    }
    for (const family of [4, 6] as const) {
      ask(family).then((addresses) => {
        found[family] = addresses;
        if (addresses.length > 0) timer = setTimeout(finish, PATIENCE[family === 4 ? 6 : 4]);
      }, (error) => failures.push(error)).then(() => {
        if (--open === 0) finish();
      });
    }
  });
}

function resolution(found: readonly FoundAddress[]): Resolution {
  if (found.length === 0) throw noAddress();
  const ttls = found.map(({ ttl }) => ttl).filter((ttl) => ttl !== undefined);
  const addresses = [...new Set(found.map(({ address }) => address))];
  return ttls.length > 0 ? { addresses, ttl: Math.min(...ttls) } : { addresses };
}

function noAddress(): Error {
  return nameError("ENODATA", "No address found");
}

/** The code of c-ares, or of the system, that an error has. */
function codeOf(error: unknown): string {
  return String((error as { code?: unknown } | undefined)?.code ?? "");
}

function failureCode(error: unknown): SocketErrorCode {
  const code = codeOf(error);
  if (NO_SUCH_NAME.test(code)) return "dns_error";
  if (/ETIMEOUT$/.test(code)) return "dns_timeout";
  return /^(?:EMFILE|ENFILE)$/.test(code) ? "connection_limit_reached" : "name_server_failed";
}
