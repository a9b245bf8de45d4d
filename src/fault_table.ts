/**
 * The table of all faults: what each code means in each protocol, and the words for people.
 *
 * Codes are the error types of RFC 9209 section 2.3 where it has one. The codes below the line are ours: they never
 * appear in a Proxy-Status field.
 *
 * @module
 */

/** Who caused a fault: the client, the target or a proxy on the way to it, the rules, or this program. */
export type Blame = "client" | "upstream" | "policy" | "proxy";

/** The meaning of a code. */
export interface FaultEntry {
  /** The HTTP status code (RFC 9110 section 15). A fault may use a more exact one, such as 431 instead of 400. */
  readonly status: number;
  /**
   * The SOCKS5 reply field (RFC 1928 section 6): 1 general, 2 not allowed, 3 net, 4 host, 5 refused, 7 command, 8
   * address. SOCKS4 has only one, 0x5B.
   */
  readonly socks5: number;
  /** Who caused it. */
  readonly blame: Blame;
  /** One sentence for the person at the client: what happened. */
  readonly happened: string;
  /** The same sentence for a failure of the next proxy. */
  readonly atNextProxy?: string;
  /** One sentence for the person at the client: what to do. */
  readonly advice: string;
  /** Whether a deadline has passed. */
  readonly late?: boolean;
  /** Whether TLS with the next proxy has failed. A target cannot cause that. */
  readonly tls?: boolean;
  /** Whether an HTTP client may send its next request on the same connection, because this one was understood. */
  readonly retryable?: boolean;
  /** Whether the code is one of RFC 9209, and may appear in a Proxy-Status field. */
  readonly registered?: boolean;
  /** The code of RFC 9209 that says the same in fewer words, for a code of ours. */
  readonly reportedAs?: string;
}

const TRY_LATER = "Try again in a moment.";
const CHECK_NAME = "Check the spelling of the host name.";
/** The advice for failures that only the operator can explain. */
export const TELL_PROXY = "Whoever runs the proxy finds more in its log.";
const TELL_TARGET = "The target is at fault; whoever runs it can mend it.";

const ROWS = {
  dns_timeout: {
    status: 504,
    socks5: 4,
    blame: "upstream",
    happened: "The name server did not answer in time.",
    atNextProxy: "The name server did not answer in time about the next proxy.",
    advice: TRY_LATER,
    late: true,
    retryable: true,
    registered: true,
  },
  dns_error: {
    status: 502,
    socks5: 4,
    blame: "upstream",
    happened: "The host name could not be resolved.",
    atNextProxy: "The next proxy's name could not be resolved.",
    advice: CHECK_NAME,
    retryable: true,
    registered: true,
  },
  destination_unavailable: {
    status: 502,
    socks5: 1,
    blame: "upstream",
    happened: "The target is not available.",
    atNextProxy: "The next proxy is not available.",
    advice: TRY_LATER,
    retryable: true,
    registered: true,
  },
  destination_ip_prohibited: {
    status: 403,
    socks5: 2,
    blame: "policy",
    happened: "The target's address is not allowed through this proxy.",
    advice: "Ask whoever runs the proxy.",
    retryable: true,
    registered: true,
  },
  destination_ip_unroutable: {
    status: 502,
    socks5: 3,
    blame: "upstream",
    happened: "There is no route to the target.",
    atNextProxy: "There is no route to the next proxy.",
    advice: TRY_LATER,
    retryable: true,
    registered: true,
  },
  connection_refused: {
    status: 502,
    socks5: 5,
    blame: "upstream",
    happened: "The target refused the connection.",
    atNextProxy: "The next proxy refused the connection.",
    advice: "Check the port, and that the server is running.",
    retryable: true,
    registered: true,
  },
  connection_terminated: {
    status: 502,
    socks5: 1,
    blame: "upstream",
    happened: "The target closed the connection too early.",
    atNextProxy: "The next proxy closed the connection too early.",
    advice: TRY_LATER,
    retryable: true,
    registered: true,
  },
  connection_timeout: {
    status: 504,
    socks5: 4,
    blame: "upstream",
    happened: "The target did not accept the connection in time.",
    atNextProxy: "The next proxy did not answer in time.",
    advice: TRY_LATER,
    late: true,
    retryable: true,
    registered: true,
  },
  connection_read_timeout: {
    status: 504,
    socks5: 1,
    blame: "upstream",
    happened: "The target fell silent.",
    atNextProxy: "The next proxy fell silent.",
    advice: TRY_LATER,
    late: true,
    registered: true,
  },
  connection_write_timeout: {
    status: 504,
    socks5: 1,
    blame: "upstream",
    happened: "The target stopped taking bytes.",
    atNextProxy: "The next proxy stopped taking bytes.",
    advice: TRY_LATER,
    late: true,
    registered: true,
  },
  connection_limit_reached: {
    status: 503,
    socks5: 1,
    blame: "proxy",
    happened: "The proxy is at its limit of connections.",
    atNextProxy: "The next proxy is at its limit of connections.",
    advice: TRY_LATER,
    registered: true,
  },
  http_request_error: {
    status: 400,
    socks5: 1,
    blame: "client",
    happened: "The proxy could not understand the request.",
    advice: "Check the program that sent it.",
    registered: true,
  },
  http_request_denied: {
    status: 403,
    socks5: 2,
    blame: "policy",
    happened: "The proxy's rules do not allow this request.",
    advice: "Ask whoever runs the proxy.",
    retryable: true,
    registered: true,
  },
  http_response_incomplete: {
    status: 502,
    socks5: 1,
    blame: "upstream",
    happened: "The target's answer was cut short.",
    atNextProxy: "The next proxy's answer was cut short.",
    advice: TRY_LATER,
    registered: true,
  },
  http_response_header_section_size: {
    status: 502,
    socks5: 1,
    blame: "upstream",
    happened: "The head of the target's answer is too large.",
    atNextProxy: "The head of the next proxy's answer is too large.",
    advice: TELL_TARGET,
    registered: true,
  },
  http_response_transfer_coding: {
    status: 502,
    socks5: 1,
    blame: "upstream",
    happened: "The target's answer has a transfer coding that the proxy does not know.",
    atNextProxy: "The next proxy's answer has a transfer coding that this proxy does not know.",
    advice: TELL_TARGET,
    registered: true,
  },
  http_response_timeout: {
    status: 504,
    socks5: 1,
    blame: "upstream",
    happened: "The target did not answer in time.",
    atNextProxy: "The next proxy did not answer in time.",
    advice: TRY_LATER,
    late: true,
    registered: true,
  },
  http_upgrade_failed: {
    status: 502,
    socks5: 1,
    blame: "upstream",
    happened: "The target switched protocols unasked.",
    atNextProxy: "The next proxy switched protocols unasked.",
    advice: TELL_TARGET,
    registered: true,
  },
  http_protocol_error: {
    status: 502,
    socks5: 1,
    blame: "upstream",
    happened: "The target's answer is not valid HTTP.",
    atNextProxy: "The next proxy does not answer as a proxy should.",
    advice: TELL_TARGET,
    registered: true,
  },
  tls_protocol_error: {
    status: 502,
    socks5: 1,
    blame: "upstream",
    happened: "The next proxy does not speak TLS as it should.",
    advice: TELL_PROXY,
    tls: true,
    registered: true,
  },
  tls_certificate_error: {
    status: 502,
    socks5: 1,
    blame: "upstream",
    happened: "The next proxy's certificate is not good.",
    advice: TELL_PROXY,
    tls: true,
    registered: true,
  },
  tls_alert_received: {
    status: 502,
    socks5: 1,
    blame: "upstream",
    happened: "The next proxy broke the TLS handshake off.",
    advice: TELL_PROXY,
    tls: true,
    registered: true,
  },
  proxy_configuration_error: {
    status: 500,
    socks5: 1,
    blame: "proxy",
    happened: "The next proxy does not accept this proxy.",
    advice: TELL_PROXY,
    registered: true,
  },
  proxy_internal_error: {
    status: 500,
    socks5: 1,
    blame: "proxy",
    happened: "The proxy failed.",
    atNextProxy: "The next proxy failed.",
    advice: TELL_PROXY,
    registered: true,
  },
  proxy_loop_detected: {
    status: 502,
    socks5: 2,
    blame: "client",
    happened: "The request leads back to this proxy.",
    advice: "Check the target, and the proxies on the way.",
    registered: true,
  },
  // -- not of RFC 9209 --
  proxy_authentication_required: {
    status: 407,
    socks5: 1,
    blame: "client",
    happened: "This proxy wants a user name and a password.",
    advice: "Set them in the program or in the system's proxy settings.",
    retryable: true,
  },
  authentication_unavailable: {
    status: 503,
    socks5: 1,
    blame: "proxy",
    happened: "The proxy has too many passwords to check at the moment.",
    advice: TRY_LATER,
  },
  request_limited: {
    status: 429,
    socks5: 2,
    blame: "policy",
    happened: "A limit of this proxy is reached.",
    advice: TRY_LATER,
    retryable: true,
    reportedAs: "http_request_denied",
  },
  client_disconnected: {
    status: 400,
    socks5: 1,
    blame: "client",
    happened: "The client went away.",
    advice: TRY_LATER,
  },
  client_timeout: {
    status: 408,
    socks5: 1,
    blame: "client",
    happened: "The client fell silent.",
    advice: TRY_LATER,
    late: true,
  },
  connection_closed: {
    status: 503,
    socks5: 1,
    blame: "policy",
    happened: "Whoever runs the proxy has closed this connection.",
    advice: "Ask whoever runs the proxy.",
  },
  proxy_shutdown: {
    status: 503,
    socks5: 1,
    blame: "proxy",
    happened: "The proxy is shutting down.",
    advice: TRY_LATER,
  },
} as const satisfies Record<string, FaultEntry>;

/** A code of the table. */
export type FaultName = keyof typeof ROWS;

/** The entry of each code. */
export const FAULTS: Readonly<Record<FaultName, FaultEntry>> = ROWS;
