/**
 * The errors of TLS in the contract's form.
 *
 * @module
 */

import type { SocketError, SocketErrorCode } from "../src/runtime/contract.ts";
import { socketError } from "./socket_errors.ts";

/** How OpenSSL, BoringSSL and rustls report an alert that the peer has sent. */
const ALERT = /(?:received fatal alert: |(?:tlsv1|tlsv13|sslv3)[ _](?:alert[ _])?)([a-z_ ]+)/i;

/** The codes of `node:tls` for what OpenSSL finds wrong with certificates. */
const CERTIFICATE =
  /^ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE$|^(?!ERR_SSL_).*(?:CERT|SIGNATURE|INVALID_CA|PURPOSE|PATH_LENGTH|HOSTNAME)/;

/** The code for an error of a TLS socket. */
export function tlsFailure({ code = "", message }: Error & { code?: string }): SocketErrorCode {
  if (CERTIFICATE.test(code)) return "tls_certificate_error";
  return ALERT.test(message) ? "tls_alert_received" : "tls_protocol_error";
}

/** An error in the contract's form. */
export function tlsError(
  problem: string,
  { code, cause }: { code: SocketErrorCode; cause?: unknown },
): SocketError {
  const { message = "the runtime has closed it" } = (cause ?? {}) as { message?: string };
  const [, alert] = code === "tls_alert_received" ? ALERT.exec(message) ?? [] : [];
  const why = alert === undefined
    ? message.trim()
    : `the peer sent the alert "${
      alert.replace(/\B(?=[A-Z][a-z])/g, " ").replaceAll("_", " ").trim().toLowerCase()
    }"`;
  return socketError(problem, { code, cause, why });
}
