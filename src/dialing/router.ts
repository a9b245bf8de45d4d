/**
 * The route that a request takes: directly, through upstreams, or to a function.
 *
 * @module
 */

import { Fault, toFault } from "../faults.ts";
import type { RuleProtocol, RuleRequest } from "../policy/rule_request.ts";
import type { ReadRule } from "../policy/rule.ts";
import type { Rules } from "../policy/rules.ts";
import type { RequestHead } from "../protocols/http/message.ts";
import type { ByteStream, TcpAddress } from "../runtime/contract.ts";
import { noProxy } from "./no_proxy.ts";
import { type Chain, parseChain } from "./upstream.ts";

/** What a route is told of a request. */
export interface RouteRequest {
  /** The target that the client asked for; a name is not resolved yet. */
  readonly target: TcpAddress;
  /** The client's IP address; undefined on a Unix socket. */
  readonly client: string | undefined;
  /** The user who was let in. Undefined: nobody is asked for a password. */
  readonly user: string | undefined;
  /** The protocol that the client speaks. */
  readonly protocol: RuleProtocol;
  /** The head of an HTTP request; undefined for tunnels. */
  readonly head?: RouteHead;
}

/** What a route is told of an HTTP request. */
export interface RouteHead {
  /** The method, such as `GET`. */
  readonly method: string;
  /** The request target, a URI. */
  readonly uri: string;
  /** The value of the first field with this name, which is in lower case. */
  field(name: string): string | undefined;
}

/**
 * The route of a request:
 *
 * - endpoints of upstreams, such as `"socks5h://127.0.0.1:1080"`, `"http://a:3128,http://b:3128"` for a chain, or
 *   `"direct"`; of several, the first that works;
 * - `{ deny }`: the request is refused, and the text is for the log;
 * - `{ handle }`: a function acts as the target, and gets the connection: the bytes of a tunnel, or HTTP requests in
 *   origin-form. It closes or aborts the stream when it is done;
 * - undefined: the request goes as it would without a route.
 */
export type RouteAnswer =
  | string
  | readonly string[]
  | { readonly deny: string }
  | { readonly handle: (stream: ByteStream) => void | Promise<void> }
  | undefined;

/**
 * Chooses the route of each request. If it throws a `Fault`, the client is told of that. If it throws anything else,
 * the message is for the log, and the client is told of a failure (500).
 *
 * @example
 * ```ts
 * import { createProxy, type Route } from "sluice";
 *
 * const route: Route = ({ target, head }) => {
 *   if (head?.method === "PUT") return { deny: "This proxy only reads" };
 *   if (target.host === "echo.test") return { handle: (stream) => stream.readable.pipeTo(stream.writable) };
 *   return target.host.endsWith(".onion") ? "socks5h://127.0.0.1:9050" : undefined;
 * };
 * const proxy = await createProxy({ listen: "127.0.0.1:0", route });
 * await proxy.close();
 * ```
 */
export type Route = (request: RouteRequest) => RouteAnswer | Promise<RouteAnswer>;

/** What a router chooses from. */
export interface RouterOptions {
  /** The endpoints of upstreams, in the order in which they are tried. */
  readonly proxies: readonly string[];
  /** Targets that are reached directly, as in the environment variable NO_PROXY. */
  readonly noProxy: string;
  readonly route: Route | undefined;
  readonly rules: () => Rules;
}

/**
 * The route that was chosen for a request: chains in the order in which they are tried, or a function that acts as the
 * target.
 */
export type ChosenRoute =
  | { readonly alternatives: readonly Chain[] }
  | { readonly handle: (stream: ByteStream) => void | Promise<void> };

/** How many parsed endpoints are remembered. */
const MAX_PARSED = 1_000;

const DIRECT: ChosenRoute = { alternatives: [[]] };

/**
 * Asks the library's route first, then the rules, then the list of targets that go directly. All other requests go
 * through the upstreams.
 */
export class Router {
  readonly #route: Route | undefined;
  readonly #rules: () => Rules;
  readonly #isPast: (target: TcpAddress) => boolean;
  readonly #default: ChosenRoute;
  readonly #parsed = new Map<string, Chain>();

  /** @throws {UsageError} If an endpoint cannot be used. */
  constructor({ proxies, noProxy: patterns, route, rules }: RouterOptions) {
    this.#route = route;
    this.#rules = rules;
    this.#isPast = noProxy(patterns);
    this.#default = proxies.length === 0 ? DIRECT : { alternatives: proxies.map(parseChain) };
  }

  /** The route of a request. Throws a `Fault` if it is refused. Needs a promise only if it has to ask a function. */
  choose(question: RuleRequest, head?: RequestHead): ChosenRoute | Promise<ChosenRoute> {
    return this.#route ? this.#ask(this.#route, question, head) : this.#usual(question);
  }

  #usual(question: RuleRequest): ChosenRoute {
    const via = this.#rules().route(question);
    if (via !== undefined) return { alternatives: [this.#parse(via)] };
    return this.#default !== DIRECT && this.#isPast(question) ? DIRECT : this.#default;
  }

  async #ask(route: Route, question: RuleRequest, head?: RequestHead): Promise<ChosenRoute> {
    const { host, port, client, user, protocol } = question;
    const told = head && {
      head: { method: head.method, uri: head.target, field: (name: string) => head.fields.get(name) },
    };
    const answer = await route({ target: { host, port }, client, user, protocol, ...told });
    if (answer === undefined) return this.#usual(question);
    if (typeof answer === "object" && "handle" in answer) return answer;
    if (typeof answer === "object" && "deny" in answer) throw new Fault("http_request_denied", answer.deny);
    try {
      const alternatives = (typeof answer === "string" ? [answer] : answer).map((text) => this.#parse(text));
      return alternatives.length === 0 ? DIRECT : { alternatives };
    } catch (error) {
      throw new Fault("proxy_internal_error", toFault(error).message, { cause: error });
    }
  }

  #parse(text: string): Chain {
    const known = this.#parsed.get(text);
    if (known) return known;
    if (this.#parsed.size >= MAX_PARSED) this.#parsed.clear();
    const chain = parseChain(text);
    this.#parsed.set(text, chain);
    return chain;
  }
}

/** @throws {UsageError} If a route of these rules names upstreams that cannot be used. */
export function checkRoutes(rules: readonly ReadRule[]): void {
  const routes = rules.filter((rule) => rule.kind === "route");
  for (const via of new Set(routes.map(({ via }) => via))) parseChain(via);
}
