/**
 * What signals, or the process that started it, tell a running proxy.
 *
 * @module
 */

import type { Address } from "../../runtime/contract.ts";
import type { Texts } from "../../text/text_file.ts";
import type { StopSignal } from "./signals.ts";

/** Tells the proxy when to stop, to reload files and to reopen logs. The proxy tells it where it listens. */
export interface Control {
  /** Settles with the name of the first signal: the proxy drains, then stops. */
  readonly stop: Promise<StopSignal>;
  /** Settles with the name of the second signal: the proxy stops at once. */
  readonly stopNow: Promise<StopSignal>;
  /** Calls back whenever the proxy should reopen its log files, since they may have been renamed. */
  onReopen(callback: () => void): void;
  /**
   * Calls back whenever the files may have changed. It passes their texts if another process has already read and
   * checked them. A rejection is told to that process.
   */
  onReload(callback: (texts?: Texts) => Promise<void>): void;
  /** Called by the proxy once all its listeners accept connections. */
  listening(addresses: readonly Address[]): void;
}
