/**
 * What connections use of the proxy that they belong to. Types and prose; nothing here runs.
 *
 * @module
 */

import type { Fault } from "../faults.ts";
import type { RequestServices } from "../request/services.ts";
import type { Address, Runtime } from "../runtime/contract.ts";

/** What the proxy provides to a connection. */
export interface Services extends RequestServices {
  /** The date, for `Date` fields. */
  readonly date: () => Date;
  readonly runtime: Pick<Runtime, "acceptTls" | "connectTls" | "dial" | "openDatagrams" | "ownAddresses">;
  /** Why a client from this address is refused. Undefined: it is served. */
  readonly refuseClient: (client: Address) => Fault | undefined;
}
