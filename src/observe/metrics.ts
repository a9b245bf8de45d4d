/**
 * What the proxy has done since it started, in numbers.
 *
 * @module
 */

import type { Clock } from "../runtime/clock.ts";
import type { FaultCode } from "../faults.ts";
import type { Protocol } from "../protocols/client_protocols.ts";
import type { AccessRecord, Ending } from "./record.ts";

/** Totals since the start, as JSON can carry them. Bytes are those of bodies and tunnels. */
export interface Totals {
  /** When the proxy started, in milliseconds since 1970. */
  readonly started: number;
  /** Seconds since then. */
  readonly uptime: number;
  /** Client connections under way. */
  readonly open: number;
  /** Client connections accepted. */
  readonly connections: number;
  /** Requests and tunnels that have ended, by what the client spoke. */
  readonly requests: Readonly<Partial<Record<Protocol, number>>>;
  /** The same, by how they ended. */
  readonly endings: Readonly<Partial<Record<Ending, number>>>;
  /** The same, by what went wrong. */
  readonly faults: Readonly<Partial<Record<FaultCode, number>>>;
  /** From clients to targets. */
  readonly sent: number;
  /** From targets to clients. */
  readonly received: number;
}

/** Counts. Nothing that a stranger chooses (a name, a target) is a key, so that nobody can make it grow. */
export class Metrics {
  readonly #clock: Clock;
  readonly #started: number;
  readonly #began: number;
  readonly #requests: Partial<Record<Protocol, number>> = {};
  readonly #endings: Partial<Record<Ending, number>> = {};
  readonly #faults: Partial<Record<FaultCode, number>> = {};
  #connections = 0;
  #open = 0;
  #sent = 0;
  #received = 0;

  /** Starts at zero. */
  constructor(clock: Clock) {
    this.#clock = clock;
    this.#started = clock.date().getTime();
    this.#began = clock.now();
  }

  /** A client was accepted. */
  connected(): void {
    this.#connections++;
    this.#open++;
  }

  /** A client's connection is over. */
  disconnected(): void {
    this.#open--;
  }

  /** A request or tunnel has ended. */
  add({ protocol, ending, fault, sent, received }: AccessRecord): void {
    if (protocol) count(this.#requests, protocol);
    count(this.#endings, ending);
    if (fault) count(this.#faults, fault);
    this.#sent += sent;
    this.#received += received;
  }

  /** How things stand. */
  totals(): Totals {
    return {
      started: this.#started,
      uptime: (this.#clock.now() - this.#began) / 1_000,
      open: this.#open,
      connections: this.#connections,
      requests: { ...this.#requests },
      endings: { ...this.#endings },
      faults: { ...this.#faults },
      sent: this.#sent,
      received: this.#received,
    };
  }
}

/** What several have done together: proxies side by side, or one after the other. */
export function sumTotals(a: Totals, b: Totals): Totals {
  return {
    started: Math.min(a.started, b.started),
    uptime: Math.max(a.uptime, b.uptime),
    open: a.open + b.open,
    connections: a.connections + b.connections,
    requests: sumCounts(a.requests, b.requests),
    endings: sumCounts(a.endings, b.endings),
    faults: sumCounts(a.faults, b.faults),
    sent: a.sent + b.sent,
    received: a.received + b.received,
  };
}

type Counts<K extends string> = Readonly<Partial<Record<K, number>>>;

function sumCounts<K extends string>(a: Counts<K>, b: Counts<K>): Counts<K> {
  const sum: Partial<Record<K, number>> = { ...a };
  for (const [key, n] of Object.entries(b) as [K, number][]) sum[key] = (sum[key] ?? 0) + n;
  return sum;
}

function count<K extends string>(counts: Partial<Record<K, number>>, key: K): void {
  counts[key] = (counts[key] ?? 0) + 1;
}
