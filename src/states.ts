/**
 * START HERE: every state, event and transition of a client's connection, and of a request on it.
 *
 * Two rules. This file alone decides where a connection or a request may go next. And this file does not know bytes,
 * protocols or sockets. `driver.ts` drives both tables: one step function per state does the work and returns an event,
 * and the table says where that event leads. The steps are in `connection/` and `request/`.
 *
 * ## A connection
 *
 * On a listener behind a load balancer it begins in `introducing`: the balancer says whose connection it passes on (the
 * PROXY protocol). On a listener with TLS, `securing` is the handshake. In `detecting`, the first byte names the
 * protocol. `serving` runs its requests. HTTP/1 and SOCKS send one after another, so `served` leads to `serving` again;
 * a protocol that carries many requests at once stays in `serving` while they run. `closing` lets the last bytes
 * arrive.
 *
 * ## A request
 *
 * `reading` waits until the protocol's codec has an event. If users are configured, the first event is the client's
 * credentials. `authenticating` judges them, and `reading` goes on to the request: SOCKS5 sends the two apart, HTTP has
 * both in one head, and the table needs no branch for that. `authorizing` judges the request, and `dialing` reaches its
 * target. Then it goes on in one of three ways. A tunnel (CONNECT, SOCKS) is `relaying` bytes until both sides have
 * ended. An HTTP message is `exchanging` a request for a response; it may turn into a tunnel (101 Switching Protocols),
 * and is dialed once more if a kept connection to the origin was `stale`. SOCKS5's UDP ASSOCIATE is `associating`: the
 * connection carries nothing itself, but datagrams pass while it lasts. `refusing` answers a request that is refused.
 *
 * The last state of a request is an event of its connection: after `served` the client may send another request, after
 * `over` the connection closes when the last bytes have arrived, and after `broken` it is reset.
 *
 * A SOCKS5 client with a password, from accept to close:
 *
 * - the connection: `detecting → serving`;
 * - its request: `reading → authenticating → reading → authorizing → dialing → relaying → over`;
 * - the connection: `closing → closed`.
 *
 * A denied user or a closed port is an event, not an exception. {@link IllegalTransition} is for our own bugs.
 *
 * @module
 */

/** A connection: state → event → next state. */
export const CONNECTION = {
  introducing: { introduced: "securing", unintroduced: "closing", ended: "closing" },
  securing: { secured: "detecting", unsecured: "closing" },
  detecting: { recognized: "serving", unrecognized: "closing", ended: "closing" },
  serving: { served: "serving", over: "closing", broken: "closing" },
  closing: { closed: "closed" },
  closed: {},
} as const;

/** A request: state → event → next state. */
export const REQUEST = {
  reading: {
    credentials: "authenticating",
    request: "authorizing",
    malformed: "refusing",
    timedOut: "refusing",
    ended: "over",
  },
  authenticating: { accepted: "reading", denied: "refusing" },
  authorizing: { allowed: "dialing", answered: "exchanging", forbidden: "refusing" },
  dialing: {
    tunnel: "relaying",
    exchange: "exchanging",
    association: "associating",
    unreachable: "refusing",
  },
  exchanging: {
    reusable: "served",
    upgraded: "relaying",
    stale: "dialing",
    unanswered: "refusing",
    finished: "over",
  },
  relaying: { drained: "over" },
  associating: { dissociated: "over" },
  refusing: { retryable: "served", replied: "over" },
  served: {},
  over: {},
  broken: {},
} as const;

/**
 * Events that may happen in any state, unless its own row says otherwise: the step threw, its deadline passed, or the
 * connection was cut from outside (the client reset it, or the proxy is shutting down). A connection is then `closing`,
 * and a request is `broken`.
 */
export const FROM_ANY = ["failed", "timedOut", "aborted"] as const;

/** Where the events of {@linkcode FROM_ANY} lead. */
export const INTERRUPTED = { connection: "closing", request: "broken" } as const;

type Table = Readonly<Record<string, Readonly<Record<string, string>>>>;

/** The name of a state of a connection. */
export type ConnectionState = keyof typeof CONNECTION;

/** The name of a state of a request. */
export type RequestState = keyof typeof REQUEST;

/** The name of a state in either table. */
export type State = ConnectionState | RequestState;

/** An event that may happen anywhere. */
export type Interruption = typeof FROM_ANY[number];

type EventIn<T extends Table, S extends keyof T> = S extends keyof T ? (keyof T[S] & string) | Interruption
  : never;

/** The events of a connection's states. */
export type ConnectionEvent<S extends ConnectionState = ConnectionState> = EventIn<typeof CONNECTION, S>;

/** The events of a request's states. */
export type RequestEvent<S extends RequestState = RequestState> = EventIn<typeof REQUEST, S>;

type NextIn<T extends Table, Broken, S extends keyof T, E> = E extends keyof T[S] ? T[S][E] : Broken;

/**
 * What a step of a connection may return: an event of its state with the payload of the state that the event leads to.
 * An illegal event, or a payload that the next state cannot work with, does not compile.
 */
export type ConnectionOutcome<S extends ConnectionState, Payloads extends Record<ConnectionState, unknown>> =
  {
    [E in ConnectionEvent<S>]: {
      readonly event: E;
      readonly payload: Payloads[NextIn<typeof CONNECTION, "closing", S, E> & ConnectionState];
    };
  }[ConnectionEvent<S>];

/** The same for a step of a request. */
export type RequestOutcome<S extends RequestState, Payloads extends Record<RequestState, unknown>> = {
  [E in RequestEvent<S>]: {
    readonly event: E;
    readonly payload: Payloads[NextIn<typeof REQUEST, "broken", S, E> & RequestState];
  };
}[RequestEvent<S>];

/** The time limits of a state. Their values are the user's: see `Timeouts` in `settings/timeouts.ts`. */
export type Deadline = "header" | "connect" | "idle" | "halfClosed" | "linger" | "none";

/**
 * The deadline of each state of a connection. `header` runs from accept over all states that share it, including those
 * of the first request. While a connection is `serving`, its requests have the deadlines.
 */
export const CONNECTION_DEADLINES = {
  introducing: "header",
  securing: "header",
  detecting: "header",
  serving: undefined,
  closing: "linger",
  closed: "none",
} as const satisfies Record<ConnectionState, Deadline | undefined>;

/**
 * The deadline of each state of a request. `header` is not reset by trickling bytes; `idle` starts again with every
 * byte that moves.
 */
export const REQUEST_DEADLINES = {
  reading: "header",
  authenticating: "header",
  authorizing: "connect",
  dialing: "connect",
  exchanging: "idle",
  relaying: "idle",
  associating: "idle",
  refusing: "linger",
  served: undefined,
  over: undefined,
  broken: undefined,
} as const satisfies Record<RequestState, Deadline | undefined>;

/** A step returned an event that its state does not know. That is our bug, never the client's doing. */
export class IllegalTransition extends Error {
  override readonly name = "IllegalTransition";
  readonly state: State;
  readonly event: string;

  /** Names the state, which stays as it was, and the event. */
  constructor(state: State, event: string) {
    const row = Object.hasOwn(CONNECTION, state)
      ? CONNECTION[state as ConnectionState]
      : REQUEST[state as RequestState];
    super(
      `Cannot take the event "${event}" in the state "${state}": its events are ${
        Object.keys(row).join(", ") || "none"
      }`,
    );
    this.state = state;
    this.event = event;
  }
}

/** Whether a connection or a request in this state is done. */
export function isLast(state: State): boolean {
  return state === "closed" || state === "served" || state === "over" || state === "broken";
}

/** The state of a connection that an event leads to. Throws {@link IllegalTransition} if there is none. */
export function nextOfConnection(state: ConnectionState, event: string): ConnectionState {
  const row: Readonly<Record<string, ConnectionState>> = CONNECTION[state];
  return row[own(row, event)] ?? interrupted(state, event, INTERRUPTED.connection);
}

/** The state of a request that an event leads to. Throws {@link IllegalTransition} if there is none. */
export function nextOfRequest(state: RequestState, event: string): RequestState {
  const row: Readonly<Record<string, RequestState>> = REQUEST[state];
  return row[own(row, event)] ?? interrupted(state, event, INTERRUPTED.request);
}

/** The event if the row has it; otherwise a name that no row has. */
function own(row: object, event: string): string {
  return Object.hasOwn(row, event) ? event : "";
}

function interrupted<S extends State>(state: State, event: string, to: S): S {
  if (!isLast(state) && (FROM_ANY as readonly string[]).includes(event)) return to;
  throw new IllegalTransition(state, event);
}
