/**
 * Resolves names: from the operator's own table, a small cache, and the runtime. Requests for the same name share one
 * query.
 *
 * @module
 */

import type { Clock } from "../runtime/clock.ts";
import { Fault, toFault } from "../faults.ts";
import { isLocalhost, spelledAddresses } from "../addresses/spelled_addresses.ts";
import type { Runtime } from "../runtime/contract.ts";
import { hostKey } from "./hosts_file.ts";
import { interleaved } from "./racing.ts";

/** How names are resolved. A reload replaces it. */
export interface ResolverTerms {
  /** Names, as {@linkcode hostKey} makes them, with their addresses. These names are never looked up. */
  readonly hosts?: ReadonlyMap<string, readonly string[]>;
  /** Name servers to ask instead of the system's; see `ResolveOptions`. */
  readonly servers?: readonly string[];
  /** The time for one name, in milliseconds. */
  readonly timeout: number;
}

/** What resolving uses. */
export interface ResolverOptions extends ResolverTerms {
  readonly runtime: Pick<Runtime, "resolve">;
  readonly clock: Clock;
}

/**
 * RFC 1035 section 2.3.4: 255 octets, including the lengths of the labels and the root. c-ares asks for longer names,
 * too.
 */
const MAX_NAME = 253;

/**
 * `127.1.` ends in a number, so it is an oddly spelled address and not a name (WHATWG URL, "ends in a number"). Because
 * of its last dot, a resolver would ask name servers for it.
 */
const NUMBER_AND_DOT = /((?:^|\.)(?:[0-9]+|0[xX][0-9A-Fa-f]*))\.$/;

/** How long an answer is kept, in milliseconds. At least a second, so that a name in use is asked for once. */
const LIFETIME = { least: 1_000, most: 300_000, untold: 5_000, failure: 1_000 } as const;

/** The advice to a client if no name server said whether the name exists. */
const SERVER_FAILED = "The name server failed. Try again in a moment.";

/** The most names in the cache. */
const CAPACITY = 1_000;

/** The most addresses of a name that are kept and tried. If it has both families, both are among them. */
const MAX_ADDRESSES = 16;

interface Answer {
  readonly expires: number;
  readonly result: readonly string[] | Fault;
}

interface Query {
  readonly controller: AbortController;
  readonly answer: Promise<readonly string[]>;
  waiters: number;
}

/** The resolver of a proxy. */
export class Resolver {
  readonly #options: Pick<ResolverOptions, "clock" | "runtime">;
  #terms: ResolverTerms;
  /** By name; the oldest is first. */
  readonly #answers = new Map<string, Answer>();
  readonly #queries = new Map<string, Query>();

  /** Starts with an empty cache. */
  constructor(options: ResolverOptions) {
    this.#options = options;
    this.#terms = options;
  }

  /** Replaces the terms. Other name servers may have other answers, so those that are kept are forgotten then. */
  use(terms: ResolverTerms): void {
    if (String(terms.servers ?? []) !== String(this.#terms.servers ?? [])) this.#answers.clear();
    this.#terms = terms;
  }

  /**
   * The addresses of a name, in the order in which to try them. Needs a promise only if somebody has to be asked.
   *
   * Throws a `Fault` (`dns_timeout` or `dns_error`) or the reason of the signal. A `connection_timeout` becomes
   * `dns_timeout`, because the name took all the time.
   */
  resolve(host: string, signal: AbortSignal): readonly string[] | Promise<readonly string[]> {
    signal.throwIfAborted();
    const { hosts, servers } = this.#terms;
    const listed = hosts?.get(hostKey(host));
    if (listed) return listed;
    // RFC 6761 section 6.3: name servers are never asked for localhost.
    if (servers?.length && isLocalhost(hostKey(host))) return spelledAddresses(host);
    if (host.replace(/\.$/, "").length > MAX_NAME) {
      throw new Fault("dns_error", `The name is too long: ${host}`);
    }
    const name = host.replace(NUMBER_AND_DOT, "$1").toLowerCase();
    const known = this.#recall(name);
    if (known instanceof Fault) throw known;
    return known ?? this.#join(name, signal);
  }

  #recall(name: string): Answer["result"] | undefined {
    const answer = this.#answers.get(name);
    if (answer && answer.expires > this.#options.clock.now()) return answer.result;
    this.#answers.delete(name);
    return undefined;
  }

  #remember(name: string, result: Answer["result"], lifetime: number): void {
    this.#answers.delete(name);
    this.#answers.set(name, { result, expires: this.#options.clock.now() + lifetime });
    if (this.#answers.size > CAPACITY) this.#answers.delete(this.#answers.keys().next().value!);
  }

  /**
   * Waits for a query together with other callers. A caller that gives up leaves it to the others; the last one to give
   * up cancels it.
   */
  #join(name: string, signal: AbortSignal): Promise<readonly string[]> {
    const query = this.#queries.get(name) ?? this.#begin(name);
    query.waiters++;
    return new Promise((resolve, reject) => {
      const leave = () => {
        if (--query.waiters === 0) {
          this.#forget(name, query);
          query.controller.abort(signal.reason);
        }
        const { reason } = signal;
        const late = reason instanceof Fault && reason.code === "connection_timeout";
        reject(late ? tooLate(name) : reason);
      };
      signal.addEventListener("abort", leave);
      query.answer.then(resolve, reject).then(() => signal.removeEventListener("abort", leave));
    });
  }

  #begin(name: string): Query {
    const controller = new AbortController();
    const query = { controller, answer: this.#ask(name, controller), waiters: 0 };
    this.#queries.set(name, query);
    const forget = () => this.#forget(name, query);
    query.answer.then(forget, forget);
    return query;
  }

  #forget(name: string, query: Query): void {
    if (this.#queries.get(name) === query) this.#queries.delete(name);
  }

  async #ask(name: string, controller: AbortController): Promise<readonly string[]> {
    const { runtime, clock } = this.#options;
    const { servers, timeout } = this.#terms;
    const { signal } = controller;
    const late = tooLate(name);
    const cancel = clock.schedule(timeout, () => controller.abort(late));
    try {
      const asked = servers?.length ? { signal, servers } : { signal };
      const { addresses, ttl } = await runtime.resolve(name, asked);
      const result = interleaved(addresses).slice(0, MAX_ADDRESSES);
      this.#remember(name, result, lifetimeOf(ttl));
      return result;
    } catch (error) {
      const fault = nameFault(error);
      if (!signal.aborted || signal.reason === late) this.#remember(name, fault, LIFETIME.failure);
      throw fault;
    } finally {
      cancel();
    }
  }
}

function lifetimeOf(ttl: number | undefined): number {
  if (ttl === undefined) return LIFETIME.untold;
  return Math.min(Math.max(ttl * 1_000, LIFETIME.least), LIFETIME.most);
}

/** A name server that failed says nothing about the name, so the client is not told to check its spelling. */
function nameFault(error: unknown): Fault {
  const { code, message } = (error ?? {}) as { code?: unknown; message?: unknown };
  if (code !== "name_server_failed") return toFault(error);
  return new Fault("dns_error", String(message), { cause: error, advice: SERVER_FAILED });
}

function tooLate(name: string): Fault {
  return new Fault("dns_timeout", `The name was not resolved in time: ${name}`);
}
