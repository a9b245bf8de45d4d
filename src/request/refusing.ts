/**
 * The step that refuses a request.
 *
 * @module
 */

import { PROTOCOLS } from "../protocols/client_protocols.ts";
import { GRACEFUL, type RequestSteps } from "./step.ts";

/** Tells the client why it is not served. */
export const REFUSING = {
  async refusing(requester, { handshake, recording, fault }) {
    const { bytes, status, retryable } = handshake.refused(fault);
    recording.fault = fault;
    if (bytes.length > 0) recording.status = status ?? PROTOCOLS[handshake.protocol].refused(fault);
    if (fault.code === "proxy_internal_error") requester.services.log.error(fault.message, fault.cause);
    await requester.reply(bytes);
    return retryable
      ? { event: "retryable", payload: { protocol: handshake.protocol } }
      : { event: "replied", payload: GRACEFUL };
  },
} satisfies Partial<RequestSteps>;
