/**
 * What connections work with, given by the proxy that they belong to. Types and prose; nothing here runs.
 *
 * @module
 */

import type { Fault } from "../faults.ts";
import type { RequestServices } from "../request/services.ts";
import type { Address, Runtime } from "../runtime/contract.ts";

/** The proxy's side of a connection. */
export interface Services extends RequestServices {
  readonly runtime: Pick<Runtime, "acceptTls" | "connectTls" | "dial" | "openDatagrams">;
  /** Why a client from an address is not served at all; undefined where it is. */
  readonly refuseClient: (client: Address) => Fault | undefined;
}
