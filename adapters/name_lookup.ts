/**
 * Host names to addresses, the same on every runtime: both families asked at once, without threads that can run out.
 *
 * `getaddrinfo` blocks a thread for each name, and all runtimes have few: 2 of Node's 4, about as many as there are
 * cores on Bun, 32 on Deno, and on the last two writes to files need the same ones. Names that a client makes up, under
 * a zone that never answers, would hold them all. So name servers are asked without threads first, by what the runtime
 * has for it, and `getaddrinfo` has the final say only where they know no such name: other sources of nsswitch.conf(5)
 * may, mDNS for one. It is asked for a few names at a time; the others wait in line.
 *
 * @module
 */

import { lookup, Resolver } from "node:dns/promises";
import type { Resolution, ResolveOptions } from "../src/runtime.ts";

/** An address, and for how many seconds it holds. */
export interface FoundAddress {
  readonly address: string;
  readonly ttl?: number;
}

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
  /** Called for each resolver before it is given its servers. */
  readonly prepare?: (resolver: Resolver) => void;
  /** The TTL that the runtime's resolver gives to entries of the hosts file, where it reads it. */
  readonly listedTtl?: number;
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

/** Milliseconds until a server is asked again, or the next one. Each lookup has a socket, and so a port, of its own. */
const SERVER_PATIENCE = 2000;

/** Answers of a server that another one may improve on. */
const DOWN = /ETIMEOUT$|ESERVFAIL$|EREFUSED$|ECONNREFUSED$/;

/** Looks names up. Errors are the runtime's own, except for the reason of a signal. */
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
    } catch (error) {
      throw signal?.aborted ? signal.reason : error;
    } finally {
      signal?.removeEventListener("abort", abandon);
      over.abort();
    }
  }

  /** One server after the other, since Deno's resolver asks the first alone. */
  async #ask(host: string, servers: readonly string[], over: AbortSignal): Promise<Resolution> {
    const { prepare, listedTtl } = this.#options;
    let failure: unknown;
    for (const server of servers) {
      const resolver = openResolver(over, { timeout: SERVER_PATIENCE, tries: servers.length > 1 ? 1 : 2 });
      prepare?.(resolver);
      resolver.setServers([server]);
      try {
        return await askBoth((family) => askResolver(resolver, { host, family }), listedTtl);
      } catch (error) {
        failure = error;
        if (over.aborted || !DOWN.test((error as { code?: string }).code ?? "")) break;
      }
    }
    throw failure;
  }

  async #system(host: string, over: AbortSignal): Promise<Resolution> {
    if (host !== "" && !NUMBER.test(host)) {
      try {
        return await this.#options.query(host, over);
      } catch (error) {
        if (FINAL.test((error as { code?: string }).code ?? "")) throw error;
      }
    }
    return await this.#finalSay(host, over);
  }

  async #finalSay(host: string, over: AbortSignal): Promise<Resolution> {
    while (this.#blocked >= this.#options.blocking) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    try {
      this.#blocked++;
      // Node answers the empty name with a deprecation warning.
      if (over.aborted || host === "") throw new Error("No address found");
      return resolution(await lookup(host, { all: true, verbatim: true }));
    } finally {
      this.#blocked--;
      this.#waiting.shift()?.();
    }
  }
}

/** A resolver that stops asking when the signal fires. */
export function openResolver(over: AbortSignal, options?: { timeout: number; tries: number }): Resolver {
  const resolver = new Resolver(options);
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
 * Asks for both families at once, IPv6 first in the answer. Rejects where neither has an address.
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
        const final = failures.find((failure) => FINAL.test((failure as { code?: string }).code ?? ""));
        reject(final ?? failures[0] ?? error);
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
  if (found.length === 0) throw new Error("No address found");
  const ttls = found.map(({ ttl }) => ttl).filter((ttl) => ttl !== undefined);
  const addresses = [...new Set(found.map(({ address }) => address))];
  return ttls.length > 0 ? { addresses, ttl: Math.min(...ttls) } : { addresses };
}
