/**
 * The runtimes that the contract suite runs on, and what each of them cannot do, with the reason.
 *
 * @module
 */

import type { Runtime } from "../../src/runtime/contract.ts";

/** A part of the contract that a runtime may be unable to keep. */
export type Capability = "reset" | "tls half-close" | "end behind a failed write" | "refused datagrams";

/** A runtime under test. */
export interface Row {
  /** The arguments with which the runtime's executable starts a script. */
  readonly start: readonly string[];
  /** What the runtime cannot do, and why. The cases that need it are skipped and say so. */
  readonly lacks: Readonly<Partial<Record<Capability, string>>>;
  /** Its adapter. */
  load(): Promise<{ createRuntime(): Runtime }>;
}

export type RuntimeName = "deno" | "bun" | "node";

export const ROWS: Readonly<Record<RuntimeName, Row>> = {
  deno: {
    start: ["run", "-A"],
    lacks: {
      "reset": "Deno.Conn has no SO_LINGER and shuts the socket down before it closes it",
      "refused datagrams": "Deno does not connect UDP sockets, so a server that is not there is silent",
    },
    load: () => import("../../adapters/deno.ts"),
  },
  bun: {
    start: ["run"],
    lacks: {
      "end behind a failed write":
        "Bun does not say why a write has failed, so a FIN is taken for a reset then",
      "tls half-close": "Bun answers close_notify by ending both directions of a TLS socket over a stream",
    },
    load: () => import("../../adapters/bun.ts"),
  },
  node: { start: [], lacks: {}, load: () => import("../../adapters/node.ts") },
};
