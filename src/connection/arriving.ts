/**
 * The steps by which a client arrives: who it is, over TLS or not, and what it speaks.
 *
 * @module
 */

import { type Fault, malformed, toFault } from "../faults.ts";
import { blockContains, type IpBlock } from "../addresses/ip_block.ts";
import { detect } from "../protocols/detection.ts";
import { parseIp } from "../addresses/host.ts";
import { readProxyHeader } from "../protocols/proxy_protocol.ts";
import type { Address } from "../runtime/contract.ts";
import type { Session } from "./session.ts";
import { freshHandshake, GRACEFUL, RESET, type Steps } from "./step.ts";

/** From the first byte to the protocol. */
export const ARRIVING = {
  async introducing(session) {
    const { client, entrance: { trusts = [] } } = session;
    const { reader } = client;
    session.waitForRequest("header");
    try {
      if (!mayIntroduce(client.remote, trusts)) {
        turnedAway(session, malformed("Only who is trusted to may send a PROXY header"));
        return { event: "unintroduced", payload: GRACEFUL };
      }
      if (!await speaks(session)) return { event: "ended", payload: GRACEFUL };
      let header = readProxyHeader(reader.buffer);
      while (!header) {
        if (!await session.fill()) return { event: "ended", payload: GRACEFUL };
        header = readProxyHeader(reader.buffer);
      }
      if (header.ends) session.introduce(header.ends);
      return { event: "introduced", payload: {} };
    } catch (error) {
      turnedAway(session, toFault(error, "client"));
      return { event: "unintroduced", payload: RESET };
    }
  },

  async securing(session) {
    const { tls } = session.entrance;
    if (!tls) return { event: "secured", payload: {} };
    if (!await speaks(session)) return { event: "unsecured", payload: GRACEFUL };
    try {
      await session.secure(tls);
      return { event: "secured", payload: {} };
    } catch (error) {
      turnedAway(session, toFault(error, "client"));
      return { event: "unsecured", payload: RESET };
    }
  },

  async detecting(session) {
    const { client, entrance: { accepts }, services, id } = session;
    session.waitForRequest("header");
    try {
      do {
        const detected = detect(client.reader.buffer, accepts);
        // A web server answers to whatever it is sent.
        if (services.disguised && (detected === "tls" || detected === "unknown")) {
          return { event: "recognized", payload: freshHandshake(session, "http") };
        }
        if (detected === "tls" || detected === "unknown") {
          const spoken = detected === "tls" ? "TLS" : "no protocol known here";
          services.log.debug(`${id}: Closed a client that speaks ${spoken}`);
          return { event: "unrecognized", payload: RESET };
        }
        if (detected) return { event: "recognized", payload: freshHandshake(session, detected) };
      } while (await session.fill());
    } catch (error) {
      const fault = toFault(error, "client");
      if (fault.code === "client_disconnected") throw fault;
    }
    return { event: "ended", payload: GRACEFUL };
  },
} satisfies Partial<Steps>;

/**
 * Waits for the first byte. Who leaves without one, as load balancers do that look whether somebody is there, leaves no
 * record either.
 */
async function speaks(session: Session): Promise<boolean> {
  try {
    const { reader } = session.client;
    return reader.buffer.length > 0 || await session.fill();
  } catch {
    return false;
  }
}

/** Whether a load balancer at an address speaks for others. */
function mayIntroduce(sender: Address, trusts: readonly IpBlock[]): boolean {
  if ("path" in sender) return true;
  const octets = parseIp(sender.host);
  return octets !== undefined && trusts.some((block) => blockContains(block, octets));
}

/** Leaves one record of a client that did not get as far as a request. */
function turnedAway(session: Session, fault: Fault): void {
  const recording = session.record(undefined, {});
  recording.fault = fault;
  session.finish(recording, fault.code === "client_timeout" ? "timed out" : "refused");
}
