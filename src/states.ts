/**
 * START HERE: every state, event and transition of a client connection.
 *
 * Two rules. Everything that decides where a connection may go next lives in this file; and this file does
 * not know bytes, protocols or sockets. `connection.ts` drives it: one step function per state does the
 * work and returns an event, and the table says what that event leads to.
 *
 * ## How a connection runs
 *
 * The first byte is looked at in `detecting`; it names the protocol. `handshaking` reads until the protocol's
 * codec has an event. Where users are configured it yields the client's credentials, which are judged in
 * `authenticating`, and is visited again for the request: SOCKS5 sends the two apart, HTTP has
 * both in one head, and the table needs no branch for that. A request is judged in `authorizing`, reaches
 * its target in `dialing`, and goes on in one of three ways: a tunnel (CONNECT, SOCKS) is `relaying`
 * bytes until both sides have ended; an HTTP message is `exchanging` a request for a response, after which
 * the connection returns to `handshaking` for the next one, turns into a tunnel (101 Switching
 * Protocols), or ends; a kept connection to the origin that proves `stale` is dialed once more; and a connection
 * that is `associating` (SOCKS5's UDP ASSOCIATE) carries nothing itself, but datagrams pass while it lasts. Whatever
 * is refused is told so in `refusing`. `closing` sees to it that the last bytes arrive.
 *
 * Two states come before the first on listeners that are told so: `introducing`, where a load balancer says whose
 * connection it passes on (the PROXY protocol), and `securing`, the TLS handshake.
 *
 * A SOCKS5 client with a password, from accept to close:
 * `detecting → handshaking → authenticating → handshaking → authorizing → dialing → relaying → closing → closed`.
 *
 * A denied user or a closed port is an event, not an exception. {@link IllegalTransition} is for our own bugs.
 *
 * @module
 */

/** State → event → next state. */
export const TRANSITIONS = {
  introducing: { introduced: "securing", unintroduced: "closing", ended: "closing" },
  securing: { secured: "detecting", unsecured: "closing" },
  detecting: { recognized: "handshaking", unrecognized: "closing", ended: "closing" },
  handshaking: {
    credentials: "authenticating",
    request: "authorizing",
    malformed: "refusing",
    timedOut: "refusing",
    ended: "closing",
  },
  authenticating: { accepted: "handshaking", denied: "refusing" },
  authorizing: { allowed: "dialing", answered: "exchanging", forbidden: "refusing" },
  dialing: {
    tunnel: "relaying",
    exchange: "exchanging",
    association: "associating",
    unreachable: "refusing",
  },
  exchanging: {
    reusable: "handshaking",
    upgraded: "relaying",
    stale: "dialing",
    unanswered: "refusing",
    finished: "closing",
  },
  relaying: { drained: "closing" },
  associating: { dissociated: "closing" },
  refusing: { retryable: "handshaking", replied: "closing" },
  closing: { closed: "closed" },
  closed: {},
} as const;

/**
 * Events that may happen in any state whose own row does not say otherwise: the step threw or was broken off, its
 * deadline passed, or the connection was cut from outside (the client reset it, the proxy is shutting down).
 */
export const FROM_ANY = { failed: "closing", timedOut: "closing", aborted: "closing" } as const;

/** The name of a state. */
export type State = keyof typeof TRANSITIONS;

/** The events that a state's row names, and those that may happen anywhere. */
export type Event<S extends State = State> = S extends State
  ? keyof typeof TRANSITIONS[S] | keyof typeof FROM_ANY
  : never;

/** The state that an event leads to. */
export type Next<S extends State, E> = E extends keyof typeof TRANSITIONS[S] ? typeof TRANSITIONS[S][E]
  : E extends keyof typeof FROM_ANY ? typeof FROM_ANY[E]
  : never;

/**
 * What a step may return: an event of its state with the payload of the state that the event leads to.
 * An illegal event, or a payload that the next state cannot work with, does not compile.
 */
export type Outcome<S extends State, Payloads extends Record<State, unknown>> = {
  [E in Event<S>]: Next<S, E> extends State ? { event: E; payload: Payloads[Next<S, E>] } : never;
}[Event<S>];

/** The time limits that a connection runs under. The values are the user's: see `Timeouts` in `settings/timeouts.ts`. */
export type Deadline = "header" | "connect" | "idle" | "halfClosed" | "linger" | "none";

/**
 * What bounds the stay in each state. `header` runs from the first byte (or accept) over all states that
 * share it and is not reset by trickling bytes; `idle` starts again with every byte that moves.
 */
export const DEADLINES = {
  introducing: "header",
  securing: "header",
  detecting: "header",
  handshaking: "header",
  authenticating: "header",
  authorizing: "connect",
  dialing: "connect",
  exchanging: "idle",
  relaying: "idle",
  associating: "idle",
  refusing: "linger",
  closing: "linger",
  closed: "none",
} as const satisfies Record<State, Deadline>;

/** A step returned an event that its state does not know: a bug of ours, never the client's doing. */
export class IllegalTransition extends Error {
  override readonly name = "IllegalTransition";
  readonly state: State;
  readonly event: string;

  /** Names the state that stays as it was, and the event that it cannot take. */
  constructor(state: State, event: string) {
    const known = Object.keys(TRANSITIONS[state]).join(", ") || "none";
    super(`Cannot take the event "${event}" in the state "${state}": its events are ${known}`);
    this.state = state;
    this.event = event;
  }
}

/** The state that an event leads to; throws {@link IllegalTransition} where the tables name none. */
export function next(state: State, event: string): State {
  const row: Record<string, State> = TRANSITIONS[state];
  if (Object.hasOwn(row, event)) return row[event];
  if (state !== "closed" && Object.hasOwn(FROM_ANY, event)) return FROM_ANY[event as keyof typeof FROM_ANY];
  throw new IllegalTransition(state, event);
}
