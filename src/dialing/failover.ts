/**
 * Alternative chains to a target, in order of preference.
 *
 * @module
 */

import type { Clock } from "../runtime/clock.ts";
import { type Fault, toFault } from "../faults.ts";
import type { Log } from "../observe/log.ts";
import { UpstreamFault } from "../protocols/common/connector.ts";
import {
  type ChainConnection,
  type ChainOptions,
  type ChainRequest,
  dialChain,
  greetChain,
} from "./chain.ts";
import { dialDirect } from "./direct.ts";
import { Health } from "./health.ts";
import { chainKey } from "./route_key.ts";
import { isTarget, protocolOf, takesRequests } from "./upstream_schemes.ts";
import { Unanswered } from "./unanswered.ts";
import { type Chain, formatRoute } from "./upstream.ts";

/** The most time for one alternative while there are others, in milliseconds. */
const MAX_ATTEMPT = 5_000;

/** After this part of that time, the upstream is asked whether it is there: perhaps only the target is slow. */
const PATIENCE = 0.6;

/** How long an upstream has to answer a greeting, in milliseconds. */
const MAX_GREETING = 2_000;

/**
 * A request may wait in line for this part of its time. It has to be refused before the requests in front of it run out
 * of time: otherwise a loop of proxies would go on at its end.
 */
const WAITING = 0.75;

/** What failing over uses. */
export interface FailoverOptions extends ChainOptions {
  /** The milliseconds until the caller will abort the signal. The alternatives share them. */
  readonly timeout: number;
  /** Its connect deadline starts anew when the request has waited in line and is dialed. */
  readonly caller?: { setDeadline(deadline: "connect"): void };
}

/** A connection, and the alternative that it goes through. */
export interface RoutedConnection extends ChainConnection {
  readonly chain: Chain;
  /** How the record names the chain. */
  readonly route: string;
}

/**
 * Dials alternatives until one of them works, and remembers the ones that failed. One object serves all connections.
 */
export class Failover {
  readonly #health: Health;
  /** Chains whose last upstream is being greeted, with the result to come. */
  readonly #greetings = new Map<string, Promise<boolean>>();

  readonly #unanswered: Unanswered;

  /** Time comes from `clock`; warnings go to `log`. */
  constructor(
    options: { readonly clock: Pick<Clock, "now" | "schedule">; readonly log?: Pick<Log, "warn"> },
  ) {
    this.#health = new Health(options.clock);
    this.#unanswered = new Unanswered(options);
  }

  /**
   * Connects to a target by the first alternative that works. Those that failed a while ago come last. Without
   * alternatives, connects directly.
   *
   * If the upstream of an alternative fails, the next one is tried. If the target may have caused the failure, it
   * counts only if the upstream does not answer a greeting either: otherwise one origin could send everybody another
   * way. If the target is refused or cannot be reached, that is the answer: another way would lead to the same target,
   * and perhaps past a rule. Rejects with the fault of the last alternative, with the messages of all.
   */
  dial(
    alternatives: readonly Chain[],
    request: ChainRequest,
    options: FailoverOptions,
  ): Promise<RoutedConnection> {
    const chains = alternatives.length > 0 ? alternatives : [[]];
    const [chain] = chains;
    if (chains.length > 1 || chain.length > 0) return this.#dialInOrder(chains, request, options);
    return dialDirect(request.target, options).then((dialed) => ({
      ...dialed,
      chain,
      route: formatRoute(chain),
    }));
  }

  async #dialInOrder(
    chains: readonly Chain[],
    request: ChainRequest,
    options: FailoverOptions,
  ): Promise<RoutedConnection> {
    const faults: Fault[] = [];
    for (const chain of this.#inOrder(chains)) {
      const key = chainKey(chain);
      const limit = faults.length < chains.length - 1
        ? Math.min(MAX_ATTEMPT, options.timeout / chains.length)
        : undefined;
      try {
        const routed = await this.#inPlace(chain, request, options, limit);
        this.#health.recovered(key);
        return { ...routed, chain, route: formatRoute(chain) };
      } catch (error) {
        const fault = toFault(error);
        if (options.signal.aborted) throw fault;
        if (!(fault instanceof UpstreamFault)) {
          this.#health.recovered(key);
          throw fault;
        }
        if (fault.doubtful && chains.length > 1 && await this.#lives(chain, request, options)) {
          this.#health.recovered(key);
          throw fault;
        }
        this.#health.failed(key, formatRoute(chain));
        faults.push(fault);
      }
    }
    const [last] = faults.slice(-1);
    if (faults.length === 1) throw last;
    throw new UpstreamFault(last.code, faults.map(({ message }) => message).join("; "), {
      advice: last.advice,
      cause: last,
    });
  }

  /** An alternative has failed after its dial: it gets a pause. */
  failed(chain: Chain): void {
    this.#health.failed(chainKey(chain), formatRoute(chain));
  }

  /** The routes that have failed and not succeeded since. */
  get failing(): string[] {
    return this.#health.failing;
  }

  /**
   * An alternative has brought no answer to a request. That may be the origin's doing, so the alternative gets a pause
   * only if its upstream does not answer a greeting either. Never rejects.
   */
  async suspect(chain: Chain, request: Pick<ChainRequest, "client">, options: ChainOptions): Promise<void> {
    if (!await this.#lives(chain, request, options)) this.failed(chain);
  }

  /** Greets the last upstream of a chain once for all requests that want to know. */
  #lives(
    chain: Chain,
    { client }: Pick<ChainRequest, "client">,
    options: ChainOptions,
    limit: number = MAX_GREETING,
  ): Promise<boolean> {
    const key = chainKey(chain);
    const asked = this.#greetings.get(key);
    if (asked) return asked;
    const controller = new AbortController();
    const late = new UpstreamFault("connection_timeout", `No answer within ${limit} ms`);
    const cancel = options.clock.schedule(limit, () => controller.abort(late));
    const greeting = greetChain(chain, client, { ...options, signal: controller.signal })
      .then(() => true, () => false)
      .finally(() => {
        cancel();
        this.#greetings.delete(key);
      });
    this.#greetings.set(key, greeting);
    return greeting;
  }

  /** Whether an alternative has failed and is in its pause. */
  pauses(chain: Chain): boolean {
    return this.#health.pauses(chainKey(chain));
  }

  /** Asks about each chain only when it is its turn, because asking claims the next try. */
  *#inOrder(chains: readonly Chain[]): Generator<Chain> {
    const paused: Chain[] = [];
    for (const chain of chains) {
      if (this.#health.admits(chainKey(chain))) yield chain;
      else paused.push(chain);
    }
    yield* paused;
  }

  /**
   * Limits how many connections wait for an answer at once: see `unanswered.ts`. A request in absolute-form needs no
   * limit, since its Via shows a loop.
   */
  async #inPlace(
    chain: Chain,
    request: ChainRequest,
    options: FailoverOptions,
    limit: number | undefined,
  ): Promise<ChainConnection> {
    const last = chain.at(-1);
    if (!last || isTarget(last) || request.kind === "exchange" && takesRequests(last)) {
      return await this.#attempt(chain, request, options, limit);
    }
    const { signal, timeout, caller } = options;
    const patience = limit ?? timeout * WAITING;
    const entering = this.#unanswered.enter(chain, request.target, { signal, patience, timeout });
    const place = await entering;
    if (entering instanceof Promise) caller?.setDeadline("connect");
    try {
      const routed = await this.#attempt(chain, request, options, limit);
      if (protocolOf(last).confirms) place.answered();
      else place.follow(routed.channel.reader);
      return routed;
    } catch (error) {
      place.ended();
      throw error;
    }
  }

  async #attempt(
    chain: Chain,
    request: ChainRequest,
    options: FailoverOptions,
    limit: number | undefined,
  ): Promise<ChainConnection> {
    if (limit === undefined || chain.length === 0) return await dialChain(chain, request, options);
    const { signal, clock } = options;
    const controller = new AbortController();
    const abort = () => controller.abort(signal.reason);
    const doubt = async () => {
      if (await this.#lives(chain, request, options, limit * (1 - PATIENCE))) return;
      controller.abort(new UpstreamFault("connection_timeout", `No answer within ${limit} ms`));
    };
    const cancel = clock.schedule(limit * PATIENCE, doubt);
    signal.addEventListener("abort", abort);
    if (signal.aborted) abort();
    try {
      return await dialChain(chain, request, { ...options, signal: controller.signal });
    } finally {
      cancel();
      signal.removeEventListener("abort", abort);
    }
  }
}
