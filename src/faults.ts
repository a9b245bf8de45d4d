/**
 * Failures: something went wrong that has a name. What each name means is in `fault_table.ts`.
 *
 * @module
 */

import { type Blame, type FaultName, FAULTS, TELL_PROXY } from "./fault_table.ts";

/** The name of a fault, such as `dns_error`: logs and metrics use the same one. `sluice help faults` tells all of them. */
export type FaultCode = FaultName;

/** Who is at the other end of the connection that failed. */
export type Party = "target" | "next proxy";

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
 * const fault = new Fault("http_request_error", "The head is longer than 65536 bytes", { status: 431 });
 * fault.status; // 431
 * fault.blame; // "client"
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
    const { happened: atTarget, atNextProxy = atTarget } = FAULTS[code];
    const happened = party === "next proxy" ? atNextProxy : atTarget;
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
