/**
 * Resolves host names the same way on every runtime: it asks for both families at once, and keeps free of threads.
 *
 * `getaddrinfo` blocks a thread for each name, and all runtimes have few: Node lends 2 of its 4, Bun has about as many
 * as there are cores, and Deno has 32. On Bun and Deno, writing files needs the same threads. A client could hold all
 * of them with made-up names under a zone that never answers. So name servers are asked first, by an API of the runtime
 * that needs no thread. `getaddrinfo` is asked only about names that they do not know, because other sources of
 * nsswitch.conf(5) may know them, mDNS for one. It gets a few names at a time; the others wait in line.
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

/** Asks one question for one family. Rejects with an error that has a code of c-ares, such as `ENOTFOUND`. */
export type Ask = (family: 4 | 6) => Promise<readonly FoundAddress[]>;

/** What differs by runtime. */
export interface NameLookupOptions {
  /**
   * Asks the hosts file and the system's name servers, with search domains, without blocking a thread. Rejects as
   * {@linkcode Ask} does. It may stop once the signal has fired.
   */
  readonly query: (host: string, over: AbortSignal) => Promise<Resolution>;
  /** How many names `getaddrinfo` is asked for at once: fewer than there are threads, so that files can be written. */
  readonly blocking: number;
}

/**
 * A name whose last label is a number is an oddly spelled address (WHATWG URL, "ends in a number"). No name server
 * knows it; `getaddrinfo` reads it without asking one.
 */
const NUMBER = /(?:^|\.)(?:[0-9]+|0[xX][0-9A-Fa-f]*)\.?$/;

/** Errors that settle the question. After any other, another source may know the name. */
const FINAL = /ETIMEOUT$|ESERVFAIL$/;

/**
 * RFC 8305 section 3, Resolution Delay: how long to wait for the other family once one is known, in milliseconds. IPv4
 * gets longer: if IPv6 does not work here, IPv4 is the only way, and addresses cannot join a race later.
 */
const PATIENCE = { 4: 500, 6: 50 } as const;

/** The codes if the name has no address, or DNS cannot carry the name. */
const NO_SUCH_NAME = /(?:ENOTFOUND|ENODATA|ENONAME|EBADNAME)$/;

/** Deno's resolver sends no query for some names, such as `under_score.example`, and reports only this. */
const NOT_ASKED = /^UNKNOWN$/;

/** Looks names up. */
export class NameLookup {
  readonly #options: NameLookupOptions;
  #blocked = 0;
  readonly #waiting: (() => void)[] = [];

  /** Takes what differs by runtime. */
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

  /** Asks one server after another. The next one is asked after every failure except a name that does not exist. */
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
      // `getaddrinfo` may report that a name does not exist although it has reached no server.
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
      // Node resolves the empty name with a deprecation warning.
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
 * Asks for both families at once. The answer has IPv6 first. Rejects if neither has an address; if one query has failed
 * and the other has shown that there is no address, with the failure.
 *
 * `listedTtl` is the TTL that the runtime gives to entries of the hosts file. If there are such entries, they are the
 * whole answer, as with `getaddrinfo`: a name with an IPv4 address there must not get an IPv6 one from a name server.
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

/** The code of an error: of c-ares, or of the system. */
function codeOf(error: unknown): string {
  return String((error as { code?: unknown } | undefined)?.code ?? "");
}

function failureCode(error: unknown): SocketErrorCode {
  const code = codeOf(error);
  if (NO_SUCH_NAME.test(code)) return "dns_error";
  if (/ETIMEOUT$/.test(code)) return "dns_timeout";
  return /^(?:EMFILE|ENFILE)$/.test(code) ? "connection_limit_reached" : "name_server_failed";
}
