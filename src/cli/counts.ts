/**
 * Opens the place where the counts of limits are kept, as the flags say.
 *
 * @module
 */

import { MemoryStore } from "../limits/memory_store.ts";
import { StateFile } from "../limits/state_file.ts";
import type { LimitStore } from "../limits/store.ts";
import type { Log } from "../observe/log.ts";
import { SYSTEM_CLOCK } from "../runtime/clock.ts";
import type { ReadText } from "../text/text_file.ts";
import { UsageError } from "../text/usage_error.ts";
import type { Options } from "./flags/options.ts";

/** An open place. */
export interface Counts {
  readonly store: LimitStore;
  /** Writes down what has to be kept. */
  close(): Promise<void>;
}

/** Opens it. Rejects with a `UsageError` if that cannot be done. */
export async function openCounts(
  { state, store: url }: Pick<Options, "state" | "store">,
  { log, read }: { readonly log: Log; readonly read: ReadText },
): Promise<Counts> {
  const clock = SYSTEM_CLOCK;
  if (url !== undefined) {
    if (state !== undefined) {
      throw new UsageError("Cannot use --state and --store together: the store keeps the quotas");
    }
    const { RedisStore } = await import("../limits/redis_store.ts");
    const store = await RedisStore.open(url, { clock, log, read });
    return { store, close: () => store.close() };
  }
  const store = new MemoryStore(clock);
  const file = state === undefined ? undefined : await StateFile.open(state, { store, clock, log });
  return { store, close: async () => await file?.close() };
}
