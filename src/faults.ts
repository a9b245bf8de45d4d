/**
 * The one taxonomy of failures, and the one table that says what each means on every protocol and to people.
 *
 * Codes are the error types of RFC 9209 section 2.3 where it has one. The codes below the line are ours: they
 * never appear in a Proxy-Status field.
 *
 * @module
 */

/** Who caused a fault: the client, the target or a proxy on the way to it, the rules, or this program. */
export type Blame = "client" | "upstream" | "policy" | "proxy";

/** The name of a fault; logs, metrics and events use the same one. */
export type FaultCode =
  | "dns_timeout"
  | "dns_error"
  | "destination_unavailable"
  | "destination_ip_prohibited"
  | "destination_ip_unroutable"
  | "connection_refused"
  | "connection_terminated"
  | "connection_timeout"
  | "connection_read_timeout"
  | "connection_write_timeout"
  | "connection_limit_reached"
  | "http_request_error"
  | "http_request_denied"
  | "http_response_incomplete"
  | "http_response_header_section_size"
  | "http_response_transfer_coding"
  | "http_response_timeout"
  | "http_upgrade_failed"
  | "http_protocol_error"
  | "tls_protocol_error"
  | "tls_certificate_error"
  | "tls_alert_received"
  | "proxy_configuration_error"
  | "proxy_internal_error"
  | "proxy_loop_detected"
  // -- not of RFC 9209 --
  | "proxy_authentication_required"
  | "authentication_unavailable"
  | "client_disconnected"
  | "client_timeout"
  | "proxy_shutdown";

/** What a code means, on every protocol and to people. */
export interface FaultEntry {
  /** The HTTP status code (RFC 9110 section 15); a fault may narrow it, as 431 does 400. */
  readonly status: number;
  /** The SOCKS5 reply field (RFC 1928 section 6). SOCKS4 has one answer to all of them, 0x5B. */
  readonly socks5: number;
  /** Who caused it. */
  readonly blame: Blame;
  /** One sentence for the person at the client: what happened. */
  readonly happened: string;
  /** One sentence for the same person: what to do. */
  readonly advice: string;
  /** Whether the code is one of RFC 9209, and may be told in a Proxy-Status field. */
  readonly registered: boolean;
}

function entry(status: number, socks5: number, blame: Blame, happened: string, advice: string): FaultEntry {
  return { status, socks5, blame, happened, advice, registered: true };
}

function own(status: number, socks5: number, blame: Blame, happened: string, advice: string): FaultEntry {
  return { status, socks5, blame, happened, advice, registered: false };
}

const TRY_LATER = "Try again in a moment.";
const CHECK_NAME = "Check the spelling of the host name.";
const TELL_PROXY = "Whoever runs the proxy finds more in its log.";
const TELL_TARGET = "The target is at fault; whoever runs it can mend it.";

/** Code → what it means. RFC 1928 replies: 1 general, 2 not allowed, 3 net, 4 host, 5 refused, 7 command, 8 address. */
export const FAULTS: Readonly<Record<FaultCode, FaultEntry>> = {
  dns_timeout: entry(504, 4, "upstream", "The name server did not answer in time.", TRY_LATER),
  dns_error: entry(502, 4, "upstream", "The host name could not be resolved.", CHECK_NAME),
  destination_unavailable: entry(502, 1, "upstream", "The target is not available.", TRY_LATER),
  destination_ip_prohibited: entry(
    403,
    2,
    "policy",
    "The target's address is not allowed through this proxy.",
    "Ask whoever runs the proxy.",
  ),
  destination_ip_unroutable: entry(502, 3, "upstream", "There is no route to the target.", TRY_LATER),
  connection_refused: entry(
    502,
    5,
    "upstream",
    "The target refused the connection.",
    "Check the port, and that the server is running.",
  ),
  connection_terminated: entry(502, 1, "upstream", "The target closed the connection too early.", TRY_LATER),
  connection_timeout: entry(
    504,
    4,
    "upstream",
    "The target did not accept the connection in time.",
    TRY_LATER,
  ),
  connection_read_timeout: entry(504, 1, "upstream", "The target fell silent.", TRY_LATER),
  connection_write_timeout: entry(504, 1, "upstream", "The target stopped taking bytes.", TRY_LATER),
  connection_limit_reached: entry(503, 1, "proxy", "The proxy is at its limit of connections.", TRY_LATER),
  http_request_error: entry(
    400,
    1,
    "client",
    "The proxy could not understand the request.",
    "Check the program that sent it.",
  ),
  http_request_denied: entry(
    403,
    2,
    "policy",
    "The proxy's rules do not allow this request.",
    "Ask whoever runs the proxy.",
  ),
  http_response_incomplete: entry(502, 1, "upstream", "The target's answer was cut short.", TRY_LATER),
  http_response_header_section_size: entry(
    502,
    1,
    "upstream",
    "The head of the target's answer is too large.",
    TELL_TARGET,
  ),
  http_response_transfer_coding: entry(
    502,
    1,
    "upstream",
    "The target's answer has a transfer coding that the proxy does not know.",
    TELL_TARGET,
  ),
  http_response_timeout: entry(504, 1, "upstream", "The target did not answer in time.", TRY_LATER),
  http_upgrade_failed: entry(502, 1, "upstream", "The target switched protocols unasked.", TELL_TARGET),
  http_protocol_error: entry(502, 1, "upstream", "The target's answer is not valid HTTP.", TELL_TARGET),
  tls_protocol_error: entry(
    502,
    1,
    "upstream",
    "The next proxy does not speak TLS as it should.",
    TELL_PROXY,
  ),
  tls_certificate_error: entry(502, 1, "upstream", "The next proxy's certificate is not good.", TELL_PROXY),
  tls_alert_received: entry(502, 1, "upstream", "The next proxy broke the TLS handshake off.", TELL_PROXY),
  proxy_configuration_error: entry(
    500,
    1,
    "proxy",
    "The next proxy does not accept this proxy.",
    TELL_PROXY,
  ),
  proxy_internal_error: entry(
    500,
    1,
    "proxy",
    "The proxy failed.",
    TELL_PROXY,
  ),
  proxy_loop_detected: entry(
    502,
    2,
    "client",
    "The request leads back to this proxy.",
    "Check the target, and the proxies on the way.",
  ),
  // -- not of RFC 9209 --
  proxy_authentication_required: own(
    407,
    1,
    "client",
    "This proxy wants a user name and a password.",
    "Set them in the program or in the system's proxy settings.",
  ),
  authentication_unavailable: own(
    503,
    1,
    "proxy",
    "The proxy has too many passwords to check at the moment.",
    TRY_LATER,
  ),
  client_disconnected: own(400, 1, "client", "The client went away.", TRY_LATER),
  client_timeout: own(408, 1, "client", "The client fell silent.", TRY_LATER),
  proxy_shutdown: own(503, 1, "proxy", "The proxy is shutting down.", TRY_LATER),
};

/** Who is at the other end of the connection that failed. */
export type Party = "target" | "next proxy";

/** Code → what happened, where it was the next proxy and not the target that failed. */
const AT_NEXT_PROXY: Readonly<Partial<Record<FaultCode, string>>> = {
  dns_timeout: "The name server did not answer in time about the next proxy.",
  dns_error: "The next proxy's name could not be resolved.",
  destination_unavailable: "The next proxy is not available.",
  destination_ip_unroutable: "There is no route to the next proxy.",
  connection_refused: "The next proxy refused the connection.",
  connection_terminated: "The next proxy closed the connection too early.",
  connection_timeout: "The next proxy did not answer in time.",
  connection_read_timeout: "The next proxy fell silent.",
  connection_write_timeout: "The next proxy stopped taking bytes.",
  connection_limit_reached: "The next proxy is at its limit of connections.",
  http_response_incomplete: "The next proxy's answer was cut short.",
  http_response_header_section_size: "The head of the next proxy's answer is too large.",
  http_response_transfer_coding:
    "The next proxy's answer has a transfer coding that this proxy does not know.",
  http_response_timeout: "The next proxy did not answer in time.",
  http_upgrade_failed: "The next proxy switched protocols unasked.",
  http_protocol_error: "The next proxy does not answer as a proxy should.",
  proxy_internal_error: "The next proxy failed.",
};

/** What the person at the client is told to have happened. */
function happening(code: FaultCode, party: Party): string {
  return party === "next proxy" ? AT_NEXT_PROXY[code] ?? FAULTS[code].happened : FAULTS[code].happened;
}

/** What else a fault may carry. */
export interface FaultOptions extends ErrorOptions {
  /** An HTTP status more exact than the table's. */
  readonly status?: number;
  /** A SOCKS5 reply more exact than the table's. */
  readonly socks5?: number;
  /** Advice for the person at the client that is more exact than the table's: fixed words, and nothing of the request. */
  readonly advice?: string;
  /** Who failed; the target by default. */
  readonly party?: Party;
}

/**
 * Something went wrong that has a name. The message is for the operator's log and may name addresses; what the
 * client is told comes from the table.
 *
 * @example
 * ```ts
 * throw new Fault("http_request_error", "The head is longer than 65536 bytes", { status: 431 });
 * ```
 */
export class Fault extends Error {
  /** Always `Fault`. */
  override readonly name = "Fault";
  /** What went wrong. */
  readonly code: FaultCode;
  /** The HTTP status that tells it. */
  readonly status: number;
  /** The SOCKS5 reply that tells it. */
  readonly socks5: number;
  /** Who failed, where a target and a proxy on the way to it can. */
  readonly party: Party;
  /** What the person at the client is told to have happened. */
  readonly happened: string;
  /** What the person at the client is told to do. */
  readonly advice: string;

  /** Takes what the table says of the code, and the operator's words. */
  constructor(code: FaultCode, message?: string, options: FaultOptions = {}) {
    const { party = "target" } = options;
    const happened = happening(code, party);
    super(message ?? happened, options);
    this.party = party;
    this.happened = happened;
    this.code = code;
    this.status = options.status ?? FAULTS[code].status;
    this.socks5 = options.socks5 ?? FAULTS[code].socks5;
    this.advice = options.advice ?? (party === "target" ? FAULTS[code].advice : TELL_PROXY);
  }

  /** Who caused it. */
  get blame(): Blame {
    return FAULTS[this.code].blame;
  }
}

/** A client's message that does not follow its protocol: 400 unless a narrower status is given. */
export function malformed(message: string, options?: FaultOptions): Fault {
  return new Fault("http_request_error", message, options);
}

/** Which of a proxy's two connections something happened on. */
export type Side = "client" | "target";

/**
 * The fault behind any error: itself, the code that an adapter gave (see `SocketError` in `runtime/contract.ts`), or
 * `proxy_internal_error` for what nobody foresaw. A connection that broke on the client's side is the client's doing.
 */
export function toFault(error: unknown, side: Side = "target"): Fault {
  if (error instanceof Fault) return error;
  const { code, message } = (error ?? {}) as { code?: unknown; message?: unknown };
  const known = typeof code === "string" && Object.hasOwn(FAULTS, code)
    ? code as FaultCode
    : "proxy_internal_error";
  const named = known === "connection_terminated" && side === "client" ? "client_disconnected" : known;
  return new Fault(named, String(message ?? error), { cause: error });
}
