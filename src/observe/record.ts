/**
 * The record: each request and each tunnel leaves one. The access log and `onRecord` get it.
 *
 * A new field is a property of {@linkcode AccessRecord}, a row in {@linkcode RECORD_FIELDS} that says how the access log
 * shows it, and a property of {@linkcode Recording}, which collects it. None of the three compiles without the others.
 *
 * @module
 */

import type { Clock } from "../runtime/clock.ts";
import type { Fault, FaultCode } from "../faults.ts";
import type { Protocol } from "../protocols/client_protocols.ts";
import type { Paces } from "../traffic/pace.ts";

/** How a request or tunnel ended. */
export type Ending =
  /** Both sides were done. */
  | "completed"
  /** The proxy said no, or could not reach the target, and told the client. */
  | "refused"
  /** A deadline passed. */
  | "timed out"
  /** One side broke off, or the proxy was shut down. */
  | "aborted";

/** The counts of an association. Its bytes are in the record's `sent` and `received`. */
export interface DatagramCounts {
  /** Targets that the client named. It remembers 256: a target that was forgotten and is named again counts twice. */
  readonly targets: number;
  /** Datagrams sent to targets. */
  readonly sent: number;
  /** Datagrams passed on to the client. */
  readonly received: number;
  /** Datagrams of either side that were not passed on. */
  readonly dropped: number;
}

/** One line of the access log. Counts are bytes, durations are milliseconds. */
export interface AccessRecord {
  /** When the request arrived. */
  readonly time: Date;
  /** The connection's id; the requests of one connection share it. */
  readonly id: string;
  /** The client's address: `HOST:PORT`, or `unix:` for a Unix socket. */
  readonly client: string;
  /** The user who was let in; undefined if the proxy asks nobody to log in. */
  readonly user: string | undefined;
  /** The name in a failed login, cut to 64 characters. */
  readonly triedUser: string | undefined;
  /** The protocol that the client speaks. */
  readonly protocol: Protocol | undefined;
  /** The HTTP method; CONNECT for every kind of tunnel, UDP for an association; undefined if no request could be read. */
  readonly method: string | undefined;
  /** The URI of an HTTP request without user information, or `HOST:PORT` of a tunnel or of an association's first datagram. */
  readonly target: string | undefined;
  /** The route taken: `direct`, or the upstream's endpoint without its password. */
  readonly route: string | undefined;
  /** The dialed address, `HOST:PORT`. */
  readonly dialed: string | undefined;
  /** The address of this machine that it was dialed from, if a `bind` rule says which. */
  readonly from: string | undefined;
  /** The HTTP status or SOCKS reply code sent to the client; undefined if it got none. */
  readonly status: number | undefined;
  /** What went wrong, if anything did. */
  readonly fault: FaultCode | undefined;
  /** The fault in a sentence for the operator. */
  readonly reason: string | undefined;
  /** The last limit that the request has reached, with its origin. Shadow limits are named, too, and refuse nothing. */
  readonly limit: string | undefined;
  /** Bytes of the body or the tunnel from the client to the target. */
  readonly sent: number;
  /** Bytes of the body or the tunnel from the target to the client. */
  readonly received: number;
  /** The counts of an association; undefined for other requests. */
  readonly datagrams: DatagramCounts | undefined;
  /** Time spent resolving the name. */
  readonly dnsTime: number | undefined;
  /** Time spent connecting. */
  readonly dialTime: number | undefined;
  /** From the request to the first byte of the answer, or the first byte from a tunnel's target. */
  readonly firstByteTime: number | undefined;
  /** From the request to the end. */
  readonly duration: number;
  /** The client's `traceparent`, with `traceContext`: see `ProxyOptions`. */
  readonly trace: string | undefined;
  /** How it ended. */
  readonly ending: Ending;
}

/** How the access log shows a field. */
export interface RecordField {
  /** Its meaning, for the help. */
  readonly help: string;
  /** Its key in JSON. JSON has the fields in the order of the rows. */
  readonly json: string;
  /** Its name in the Elastic Common Schema; `sluice.*` where that has none. */
  readonly ecs: string;
  /**
   * Its name in text, before an equals sign. A field with a name is left out if it has no value. A field without a name is
   * always there.
   */
  readonly text?: string;
  /** Its place in a line of text. */
  readonly place: number;
  /** The unit behind the value in text. */
  readonly unit?: "ms";
  /** Whether text puts it in quotes: it is a sentence and not a word. */
  readonly quoted?: boolean;
  /** The most bytes that it takes in a line, if strangers choose its length. */
  readonly limit?: number;
  /** The value as text and JSON show it; undefined if the record has none. */
  readonly value: (record: AccessRecord) => string | number | undefined;
}

/** The names of rows: each property of a record, and each count of an association. */
type RecordFieldName = Exclude<keyof AccessRecord, "datagrams"> | `datagrams.${keyof DatagramCounts}`;

/**
 * The most bytes in a line for a target, and for any other text that strangers choose. A longer text is cut, so that a line
 * is shorter than 4,096 bytes (PIPE_BUF on Linux, see pipe(7)): a pipe takes it whole, and lines of several workers never mix.
 */
const MAX_TARGET = 2_000;
const MAX_TEXT = 320;

/** Field → how the access log shows it. */
export const RECORD_FIELDS: Readonly<Record<RecordFieldName, RecordField>> = {
  time: {
    help: "When the request arrived (UTC)",
    json: "time",
    ecs: "@timestamp",
    place: 1,
    value: ({ time }) => time.toISOString(),
  },
  id: {
    help: "The connection; its requests share it",
    json: "id",
    ecs: "sluice.connection",
    place: 2,
    value: ({ id }) => id,
  },
  client: {
    help: "The client's address; unix: for a Unix socket",
    json: "client",
    ecs: "client.address",
    place: 3,
    value: ({ client }) => client,
  },
  user: {
    help: "The user who was let in",
    json: "user",
    ecs: "user.name",
    place: 4,
    limit: MAX_TEXT,
    value: ({ user }) => user,
  },
  triedUser: {
    help: "The name of a failed login, cut to 64 characters",
    json: "tried_user",
    ecs: "sluice.tried_user",
    text: "tried_user",
    place: 22,
    value: ({ triedUser }) => triedUser,
  },
  protocol: {
    help: "What the client speaks",
    json: "protocol",
    ecs: "network.protocol",
    place: 5,
    value: ({ protocol }) => protocol,
  },
  method: {
    help: "The HTTP method; CONNECT for every tunnel, UDP for an association",
    json: "method",
    ecs: "http.request.method",
    place: 6,
    limit: MAX_TEXT,
    value: ({ method }) => method,
  },
  target: {
    help: "The URI, or HOST:PORT of a tunnel or of the first datagram",
    json: "target",
    ecs: "url.original",
    place: 7,
    limit: MAX_TARGET,
    value: ({ target }) => target,
  },
  route: {
    help: "direct, or the upstream without its password",
    json: "route",
    ecs: "sluice.route",
    text: "route",
    place: 20,
    limit: MAX_TEXT,
    value: ({ route }) => route,
  },
  dialed: {
    help: "The address that was dialed",
    json: "dialed",
    ecs: "destination.address",
    text: "dialed",
    place: 21,
    value: ({ dialed }) => dialed,
  },
  trace: {
    help: "The trace that the client's request belongs to, with --trace-context",
    json: "trace",
    text: "trace",
    place: 27,
    ecs: "trace.id",
    value: ({ trace }) => trace?.split("-")[1],
  },
  from: {
    help: "The address that it was dialed from, if a bind rule says which",
    json: "from",
    text: "from",
    place: 26,
    ecs: "source.nat.ip",
    value: ({ from }) => from,
  },
  status: {
    help: "The HTTP status or the SOCKS reply",
    json: "status",
    ecs: "sluice.status",
    place: 8,
    value: ({ status }) => status,
  },
  fault: {
    help: 'What went wrong: see "sluice help faults"',
    json: "fault",
    ecs: "error.code",
    text: "fault",
    place: 23,
    value: ({ fault }) => fault,
  },
  reason: {
    help: "The same in words",
    json: "reason",
    ecs: "error.message",
    text: "reason",
    place: 24,
    quoted: true,
    limit: MAX_TEXT,
    value: ({ reason }) => reason,
  },
  limit: {
    help: "The limit that it has reached, in the shadow too",
    json: "limit",
    ecs: "rule.name",
    text: "limit",
    place: 25,
    quoted: true,
    limit: MAX_TEXT,
    value: ({ limit }) => limit,
  },
  sent: {
    help: "Bytes of bodies, tunnels and datagrams to the target",
    json: "bytes_sent",
    ecs: "client.bytes",
    text: "sent",
    place: 10,
    value: ({ sent }) => sent,
  },
  received: {
    help: "The same from the target",
    json: "bytes_received",
    ecs: "destination.bytes",
    text: "received",
    place: 11,
    value: ({ received }) => received,
  },
  "datagrams.targets": {
    help: "Of an association: how many targets it had",
    json: "targets",
    ecs: "sluice.targets",
    text: "targets",
    place: 12,
    value: ({ datagrams }) => datagrams?.targets,
  },
  "datagrams.sent": {
    help: "Of an association: datagrams to targets",
    json: "datagrams_sent",
    ecs: "client.packets",
    text: "datagrams_sent",
    place: 13,
    value: ({ datagrams }) => datagrams?.sent,
  },
  "datagrams.received": {
    help: "Of an association: datagrams to the client",
    json: "datagrams_received",
    ecs: "destination.packets",
    text: "datagrams_received",
    place: 14,
    value: ({ datagrams }) => datagrams?.received,
  },
  "datagrams.dropped": {
    help: "Of an association: datagrams that were passed on to nobody",
    json: "datagrams_dropped",
    ecs: "sluice.datagrams_dropped",
    text: "datagrams_dropped",
    place: 15,
    value: ({ datagrams }) => datagrams?.dropped,
  },
  dnsTime: {
    help: "Until the name was resolved",
    json: "dns_ms",
    ecs: "sluice.dns_ms",
    text: "dns",
    place: 17,
    unit: "ms",
    value: ({ dnsTime }) => thousandths(dnsTime),
  },
  dialTime: {
    help: "Until the target was connected",
    json: "dial_ms",
    ecs: "sluice.dial_ms",
    text: "dial",
    place: 18,
    unit: "ms",
    value: ({ dialTime }) => thousandths(dialTime),
  },
  firstByteTime: {
    help: "Until the first byte of the answer",
    json: "first_byte_ms",
    ecs: "sluice.first_byte_ms",
    text: "first_byte",
    place: 19,
    unit: "ms",
    value: ({ firstByteTime }) => thousandths(firstByteTime),
  },
  duration: {
    help: "Until the end",
    json: "duration_ms",
    ecs: "sluice.duration_ms",
    text: "duration",
    place: 16,
    unit: "ms",
    value: ({ duration }) => thousandths(duration),
  },
  ending: {
    help: "completed, refused, timed_out or aborted",
    json: "ending",
    ecs: "event.action",
    place: 9,
    value: ({ ending }) => ending.replace(" ", "_"),
  },
};

/** Rounds to three decimals. */
function thousandths(duration: number | undefined): number | undefined {
  return duration === undefined ? undefined : Math.round(duration * 1_000) / 1_000;
}

/** Whose request it is. */
export interface RecordedClient {
  readonly id: string;
  readonly clientName: string;
  readonly services: { readonly clock: Clock };
}

/** What an association counts, and what it knows itself. */
export interface DatagramsSoFar extends Omit<DatagramCounts, "dropped"> {
  readonly dropped: () => number;
}

/** Collects what becomes an {@link AccessRecord}. */
export class Recording {
  user: string | undefined;
  triedUser: string | undefined;
  method: string | undefined;
  target: string | undefined;
  route: string | undefined;
  dialed: string | undefined;
  from: string | undefined;
  /** The value of `traceparent`. */
  trace: string | undefined;
  status: number | undefined;
  fault: Fault | undefined;
  /** The limit that was reached. */
  limit: string | undefined;
  /** How fast its bytes may move, where limits are about it. Released with the record. */
  paces: Paces | undefined;
  /** The page of the proxy's own that is the answer, if it is one. */
  page: string | undefined;
  /** The counts of an association so far. */
  datagrams: DatagramsSoFar | undefined;
  sent = 0;
  received = 0;
  dnsTime: number | undefined;
  dialTime: number | undefined;
  readonly protocol: Protocol | undefined;
  readonly #client: RecordedClient;
  /** When the request came. */
  readonly time: Date;
  /** When the request came, by the clock. */
  readonly began: number;
  /** From the request to the first byte of the answer; undefined while there is none. */
  firstByteTime: number | undefined;

  /** Begins now. */
  constructor(client: RecordedClient, protocol: Protocol | undefined) {
    const { clock } = client.services;
    this.#client = client;
    this.protocol = protocol;
    this.time = clock.date();
    this.began = clock.now();
  }

  /** The connection's id. */
  get id(): string {
    return this.#client.id;
  }

  /** The first byte of the answer is here; later ones are not the first. */
  firstByte(): void {
    this.firstByteTime ??= this.#client.services.clock.now() - this.began;
  }

  /** The whole record. */
  end(ending: Ending): AccessRecord {
    const { id, clientName: client, services: { clock } } = this.#client;
    const {
      protocol,
      user,
      triedUser,
      datagrams,
      method,
      target,
      route,
      dialed,
      from,
      trace,
      status,
      limit,
      sent,
      received,
      dnsTime,
      dialTime,
    } = this;
    return {
      time: this.time,
      id,
      client,
      user,
      triedUser,
      protocol,
      method,
      target,
      route,
      dialed,
      from,
      trace,
      status,
      fault: this.fault?.code,
      reason: this.fault?.message,
      limit,
      sent,
      received,
      datagrams: datagrams && { ...datagrams, dropped: datagrams.dropped() },
      dnsTime,
      dialTime,
      firstByteTime: this.firstByteTime,
      duration: clock.now() - this.began,
      ending,
    };
  }
}
