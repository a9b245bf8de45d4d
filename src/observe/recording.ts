/**
 * A record in the making: what is known of a request so far.
 *
 * @module
 */

import type { Clock } from "../runtime/clock.ts";
import type { Fault } from "../faults.ts";
import type { Protocol } from "../protocols/client_protocols.ts";
import type { AccessRecord, DatagramCounts, Ending } from "./record.ts";

/** What is known when it begins. */
export interface RecordingStart {
  readonly id: string;
  readonly client: string;
  readonly protocol: Protocol | undefined;
  readonly clock: Clock;
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
  status: number | undefined;
  fault: Fault | undefined;
  /** Whether a page of the proxy's own is the answer. */
  ownPage = false;
  /** The counts of an association so far. */
  datagrams: DatagramsSoFar | undefined;
  sent = 0;
  received = 0;
  dnsTime: number | undefined;
  dialTime: number | undefined;
  readonly #start: RecordingStart;
  readonly #time: Date;
  readonly #began: number;
  #firstByteTime: number | undefined;

  /** Begins now. */
  constructor(start: RecordingStart) {
    this.#start = start;
    this.#time = start.clock.date();
    this.#began = start.clock.now();
  }

  /** The first byte of the answer is here; later ones are not the first. */
  firstByte(): void {
    this.#firstByteTime ??= this.#start.clock.now() - this.#began;
  }

  /** The whole record. */
  end(ending: Ending): AccessRecord {
    const { id, client, protocol, clock } = this.#start;
    const {
      user,
      triedUser,
      datagrams,
      method,
      target,
      route,
      dialed,
      status,
      sent,
      received,
      dnsTime,
      dialTime,
    } = this;
    return {
      time: this.#time,
      id,
      client,
      user,
      triedUser,
      protocol,
      method,
      target,
      route,
      dialed,
      status,
      fault: this.fault?.code,
      reason: this.fault?.message,
      sent,
      received,
      datagrams: datagrams && { ...datagrams, dropped: datagrams.dropped() },
      dnsTime,
      dialTime,
      firstByteTime: this.#firstByteTime,
      duration: clock.now() - this.#began,
      ending,
    };
  }
}
