/**
 * What a running proxy is told by signals, or by the process that has started it.
 *
 * @module
 */

import type { Address } from "../../runtime/contract.ts";
import type { Texts } from "../../text/text_file.ts";
import type { StopSignal } from "./signals.ts";

/** Who tells the proxy to stop and to renew what it has from files, and is told where it listens. */
export interface Control {
  /** Settles with the name of the signal. */
  readonly stop: Promise<StopSignal>;
  /** Settles with the name of the second signal: nothing is waited for any more. */
  readonly stopNow: Promise<StopSignal>;
  /** Calls back whenever log files are to be opened anew, since somebody may have renamed them. */
  onReopen(callback: () => void): void;
  /**
   * Calls back whenever there may be something new in the files: with their texts where somebody has read and checked
   * them already.
   */
  onReload(callback: (texts?: Texts) => void): void;
  /** Every listener accepts. */
  listening(addresses: readonly Address[]): void;
}
