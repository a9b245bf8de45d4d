/**
 * Faults: failures that have a name. `fault_table.ts` says what each name means.
 *
 * @module
 */

import { type Blame, type FaultName, FAULTS, TELL_PROXY } from "./fault_table.ts";

/** The name of a fault, such as `dns_error`, in logs and metrics. `sluice help faults` lists all of them. */
export type FaultCode = FaultName;

/** Who is at the other end of the connection that failed. */
export type Party = "target" | "next proxy";

/** What else a fault may carry. */
export interface FaultOptions extends ErrorOptions {
  /** An HTTP status that is more exact than the table's. */
  readonly status?: number;
  /** A SOCKS5 reply that is more exact than the table's. */
  readonly socks5?: number;
  /** What happened, more exact than the table's words. Nothing from the request. */
  readonly happened?: string;
  /** After how many seconds it is worth trying again. */
  readonly retryAfter?: number;
  /** Advice for the person at the client that is more exact than the table's. Fixed words, nothing from the request. */
  readonly advice?: string;
  /** The party that failed; by default the target. */
  readonly party?: Party;
}

/**
 * A failure that has a name. The message is for the operator's log and may name addresses; what the client is told
 * comes from the table.
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
  /** The HTTP status for clients. */
  readonly status: number;
  /** The SOCKS5 reply for clients. */
  readonly socks5: number;
  /** The party that failed, if it was a target or a proxy on the way to it. */
  readonly party: Party;
  /** What happened, in words for the person at the client. */
  readonly happened: string;
  /** What to do, in words for the person at the client. */
  readonly advice: string;
  /** After how many seconds it is worth trying again, if that is known. */
  readonly retryAfter: number | undefined;

  /** Takes the table's entry for the code, and a message for the operator. */
  constructor(code: FaultCode, message?: string, options: FaultOptions = {}) {
    const { party = "target" } = options;
    const { happened: atTarget, atNextProxy = atTarget } = FAULTS[code];
    const happened = party === "next proxy" ? atNextProxy : atTarget;
    super(message ?? happened, options);
    this.party = party;
    this.happened = options.happened ?? happened;
    this.retryAfter = options.retryAfter;
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

/** The fault for a client's message that breaks its protocol. The status is 400 unless the options name another. */
export function malformed(message: string, options?: FaultOptions): Fault {
  return new Fault("http_request_error", message, options);
}

/** The side of the proxy on which something happened. */
export type Side = "client" | "target";

/**
 * The fault for any error: the fault itself, the code that an adapter gave (see `SocketError` in
 * `runtime/contract.ts`), or `proxy_internal_error` for unexpected errors. A connection that broke on the client's side
 * is the client's doing.
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
