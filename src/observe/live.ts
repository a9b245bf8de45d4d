/**
 * The live view: the connections that are open, and what is under way on each.
 *
 * Nothing here runs while bytes move. A view reads the counts that the records keep anyway, and compares them with those
 * of the view before.
 *
 * @module
 */

import { formatAuthority } from "../addresses/host.ts";
import type { Clock } from "../runtime/clock.ts";
import type { TcpAddress } from "../runtime/contract.ts";
import type { Protocol } from "../protocols/client_protocols.ts";
import type { Totals } from "./metrics.ts";
import type { RecentView } from "./recent.ts";
import type { Recording } from "./record.ts";

/** A client's connection that is open, and the request on it. Sizes are bytes. */
export interface LiveConnection {
  /** When the request came, in ISO 8601; of a connection without one, when the client connected. */
  readonly time: string;
  /** The connection's id, as in the access log. */
  readonly id: string;
  /** The client's address: `HOST:PORT`, or `unix:` for a Unix socket. */
  readonly client: string;
  /** The user who was let in; undefined if the proxy asks nobody to log in. */
  readonly user: string | undefined;
  /** `idle`: no request is under way. `waiting`: the target is not reached yet. `open`: bytes may move. */
  readonly state: "idle" | "waiting" | "open";
  /** As in an `AccessRecord`; undefined while the connection is idle. */
  readonly protocol: Protocol | undefined;
  /** As in an `AccessRecord`. */
  readonly method: string | undefined;
  /** As in an `AccessRecord`. */
  readonly target: string | undefined;
  /** As in an `AccessRecord`. */
  readonly route: string | undefined;
  /** As in an `AccessRecord`. */
  readonly dialed: string | undefined;
  /** Bytes of the request from the client to the target so far. */
  readonly sent: number;
  /** Bytes from the target to the client so far. */
  readonly received: number;
  /** Bytes a second to the target since the view before, or since the request came if there was none. */
  readonly sendSpeed: number;
  /** The same, to the client. */
  readonly receiveSpeed: number;
  /** Milliseconds since `time`. */
  readonly duration: number;
}

/** Property → key in JSON. The keys are those of the access log where it has them. */
const KEYS: Readonly<Record<keyof LiveConnection, string>> = {
  time: "time",
  id: "id",
  client: "client",
  user: "user",
  state: "state",
  protocol: "protocol",
  method: "method",
  target: "target",
  route: "route",
  dialed: "dialed",
  sent: "bytes_sent",
  received: "bytes_received",
  sendSpeed: "send_speed",
  receiveSpeed: "receive_speed",
  duration: "duration_ms",
};

/** A connection as the admin listener shows it in JSON. */
export function liveJson(live: LiveConnection): Readonly<Record<string, string | number | undefined>> {
  return Object.fromEntries(
    Object.entries(KEYS).map(([name, key]) => [key, live[name as keyof LiveConnection]]),
  );
}

/** Which connections are meant: those that fit everything that is given. */
export interface Selection {
  /** The id of a connection. */
  readonly id?: string;
  /** The name of a user who was let in. */
  readonly user?: string;
  /** An address of clients, with a port or without. */
  readonly client?: string;
  /** A target of a request that is under way: its host, with a port or without. */
  readonly target?: string;
}

/** The names of a selection's properties. */
export const SELECTION_KEYS = [
  "id",
  "user",
  "client",
  "target",
] as const satisfies readonly (keyof Selection)[];

/** The other workers on the same addresses. */
export interface Others {
  /** Their totals; undefined until they are known. */
  readonly totals: Totals | undefined;
  /** Their open connections. */
  live(): Promise<readonly LiveConnection[]>;
  /** What has happened lately at each. */
  recent(): Promise<readonly RecentView[]>;
  /** Has them cut connections. Returns how many. */
  cut(selection: Selection): Promise<number>;
}

/** A connection that can be looked at. */
export interface Watched {
  readonly id: string;
  readonly clientName: string;
  readonly user: string | undefined;
  /** When the client connected, by the clock. */
  readonly since: number;
  /** The record of the request under way. */
  readonly recording: Recording | undefined;
  /** The target of that request and the client's address, once the request was allowed. */
  readonly question: TcpAddress | undefined;
}

/** Whether a selection means a connection. An empty selection means none. */
export function selects(selection: Selection, { id, user, clientName, question }: Watched): boolean {
  if (SELECTION_KEYS.every((key) => selection[key] === undefined)) return false;
  return (selection.id === undefined || selection.id === id) &&
    (selection.user === undefined || selection.user === user) &&
    (selection.client === undefined || names(selection.client, clientName)) &&
    (selection.target === undefined ||
      question !== undefined &&
        names(selection.target.toLowerCase(), formatAuthority(question).toLowerCase()));
}

/** Whether a text is an authority, or its host alone. */
function names(text: string, authority: string): boolean {
  const host = authority.slice(0, authority.lastIndexOf(":"));
  return text === authority || text === host || `[${text}]` === host;
}

/** A look at a request's counts. */
interface Look {
  readonly at: number;
  readonly sent: number;
  readonly received: number;
  readonly sendSpeed: number;
  readonly receiveSpeed: number;
}

/** Looks that follow each other faster than this, in milliseconds, show the same speeds. */
const SHORTEST = 900;

/** Makes views, and remembers of each request what the last one showed. */
export class LiveView {
  readonly #clock: Clock;
  readonly #looks = new WeakMap<Recording, Look>();

  /** Remembers nothing yet. */
  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** A connection as it is now. */
  of({ id, clientName: client, user, since, recording }: Watched): LiveConnection {
    const now = this.#clock.now();
    const duration = Math.round(now - (recording?.began ?? since));
    const look = recording && this.#look(recording, now);
    return {
      time: (recording?.time ?? new Date(this.#clock.date().getTime() - duration)).toISOString(),
      id,
      client,
      user,
      state: !recording ? "idle" : recording.route === undefined ? "waiting" : "open",
      protocol: recording?.protocol,
      method: recording?.method,
      target: recording?.target,
      route: recording?.route,
      dialed: recording?.dialed,
      sent: recording?.sent ?? 0,
      received: recording?.received ?? 0,
      sendSpeed: look?.sendSpeed ?? 0,
      receiveSpeed: look?.receiveSpeed ?? 0,
      duration,
    };
  }

  #look(recording: Recording, now: number): Look {
    const last = this.#looks.get(recording);
    const before = last ?? { at: recording.began, sent: 0, received: 0, sendSpeed: 0, receiveSpeed: 0 };
    if (last && now - last.at < SHORTEST) return last;
    const { sent, received } = recording;
    const seconds = Math.max(now - before.at, 1) / 1_000;
    const look = {
      at: now,
      sent,
      received,
      sendSpeed: Math.round((sent - before.sent) / seconds),
      receiveSpeed: Math.round((received - before.received) / seconds),
    };
    this.#looks.set(recording, look);
    return look;
  }
}
