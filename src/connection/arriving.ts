/**
 * The steps before the first request: the PROXY protocol, the TLS handshake, and the protocol that the client speaks.
 *
 * @module
 */

import { blockContains, type IpBlock, parseIpAddress } from "../addresses/ip_block.ts";
import { LATER, type Resume } from "../driver.ts";
import { type Fault, malformed, toFault } from "../faults.ts";
import { detect } from "../protocols/detection.ts";
import { readProxyHeader } from "../protocols/proxy_protocol.ts";
import { beginRecord, finishRecord } from "../request/records.ts";
import { GRACEFUL, RESET } from "../request/step.ts";
import type { Address } from "../runtime/contract.ts";
import type { Waiter } from "../streams/byte_reader.ts";
import type { ConnectionSteps, Outcome } from "./step.ts";
import type { Connection } from "./connection.ts";

/** The steps from the first byte to the detected protocol. */
export const ARRIVING = {
  async introducing(connection) {
    const { client, listener: { trusts = [] } } = connection;
    const { reader } = client;
    connection.waitForRequest("header");
    try {
      if (!mayIntroduce(client.remote, trusts)) {
        turnedAway(connection, malformed("Only who is trusted to may send a PROXY header"));
        return { event: "unintroduced", payload: GRACEFUL };
      }
      if (!await speaks(connection)) return { event: "ended", payload: GRACEFUL };
      let header = readProxyHeader(reader.buffer);
      while (!header) {
        if (!await connection.fill()) return { event: "ended", payload: GRACEFUL };
        header = readProxyHeader(reader.buffer);
      }
      if (header.ends) connection.introduce(header.ends);
      return { event: "introduced", payload: {} };
    } catch (error) {
      turnedAway(connection, toFault(error, "client"));
      return { event: "unintroduced", payload: RESET };
    }
  },

  async securing(connection) {
    const { tls } = connection.listener;
    if (!tls) return { event: "secured", payload: {} };
    if (!await speaks(connection)) return { event: "unsecured", payload: GRACEFUL };
    try {
      await connection.secure(tls);
      return { event: "secured", payload: {} };
    } catch (error) {
      turnedAway(connection, toFault(error, "client"));
      return { event: "unsecured", payload: RESET };
    }
  },

  detecting(connection, _here, resume) {
    connection.waitForRequest("header");
    const outcome = detected(connection);
    if (outcome) return outcome;
    connection.wait(new Detecting(connection, resume));
    return LATER;
  },
} satisfies Partial<ConnectionSteps>;

/** What the bytes that have come tell of the protocol. Undefined: more are needed. */
function detected({ client, listener, services, id }: Connection): Outcome<"detecting"> | undefined {
  const detected = detect(client.reader.buffer, listener.accepts);
  // A web server answers whatever a client sends, so a disguised proxy does too.
  if (services.settings.disguised && (detected === "tls" || detected === "unknown")) {
    return { event: "recognized", payload: { protocol: "http" } };
  }
  if (detected === "tls" || detected === "unknown") {
    const spoken = detected === "tls" ? "TLS" : "no protocol known here";
    services.log.debug(`${id}: Closed a client that speaks ${spoken}`);
    return { event: "unrecognized", payload: RESET };
  }
  return detected && { event: "recognized", payload: { protocol: detected } };
}

const ENDED = { event: "ended", payload: GRACEFUL } as const;

/** Waits for the bytes that tell the protocol. */
class Detecting implements Waiter {
  readonly #connection: Connection;
  readonly #resume: Resume<Outcome<"detecting">>;

  constructor(connection: Connection, resume: Resume<Outcome<"detecting">>) {
    this.#connection = connection;
    this.#resume = resume;
  }

  /** See `Waiter`. */
  filled(more: boolean): void {
    const outcome = more ? detected(this.#connection) : ENDED;
    if (outcome) this.#resume.moved(outcome);
    else this.#connection.wait(this);
  }

  /** See `Waiter`. */
  failed(fault: Fault): void {
    if (fault.code === "client_disconnected") this.#resume.failed(fault);
    else this.#resume.moved(ENDED);
  }
}

/**
 * Waits for the first byte. A client that leaves before its first byte leaves no record: health checks of load
 * balancers do that.
 */
async function speaks(connection: Connection): Promise<boolean> {
  try {
    const { reader } = connection.client;
    return reader.buffer.length > 0 || await connection.fill();
  } catch {
    return false;
  }
}

/** Whether the listener trusts the sender to name another client in a PROXY header. */
function mayIntroduce(sender: Address, trusts: readonly IpBlock[]): boolean {
  if ("path" in sender) return true;
  const address = parseIpAddress(sender.host);
  return address !== undefined && trusts.some((block) => blockContains(block, address));
}

/** Leaves one record of a client that did not get as far as a request. */
function turnedAway(connection: Connection, fault: Fault): void {
  const recording = beginRecord(connection, undefined, {});
  recording.fault = fault;
  finishRecord(connection, recording, fault.code === "client_timeout" ? "timed out" : "refused");
}
