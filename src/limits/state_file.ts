/**
 * Keeps used quotas over a restart, in a small file.
 *
 * @module
 */

import { readFile, rename, writeFile } from "node:fs/promises";
import type { Log } from "../observe/log.ts";
import type { Clock } from "../runtime/clock.ts";
import { UsageError } from "../text/usage_error.ts";
import type { MemoryStore, SavedQuota } from "./memory_store.ts";

/** How often it is written, if a quota has changed, in milliseconds. */
const INTERVAL = 3_000;

/** The form of the file. */
const VERSION = 1;

/** What a state file works with. */
export interface StateFileOptions {
  readonly store: MemoryStore;
  readonly clock: Clock;
  readonly log: Log;
}

/** The file, and the timer that writes it. */
export class StateFile {
  readonly #path: string;
  readonly #options: StateFileOptions;
  #cancel: () => void = () => {};
  #saving: Promise<void> = Promise.resolve();
  #failed = false;

  private constructor(path: string, options: StateFileOptions) {
    this.#path = path;
    this.#options = options;
  }

  /**
   * Takes up what the file has, and writes it from now on. A file that cannot be understood is set aside, and the log says
   * so. Rejects with a `UsageError` if it cannot be read or written.
   */
  static async open(path: string, options: StateFileOptions): Promise<StateFile> {
    const file = new StateFile(path, options);
    await file.#load();
    try {
      await file.#write([...options.store.quotas()]);
    } catch (cause) {
      throw new UsageError(`Cannot write the state file "${path}": ${(cause as Error).message}`, { cause });
    }
    file.#later();
    return file;
  }

  async #load(): Promise<void> {
    const { store, log } = this.#options;
    let text: string;
    try {
      text = await readFile(this.#path, "utf8");
    } catch (cause) {
      if ((cause as { code?: string }).code === "ENOENT") return;
      throw new UsageError(`Cannot read the state file "${this.#path}": ${(cause as Error).message}`, {
        cause,
      });
    }
    const quotas = parseState(text);
    if (quotas) return quotas.forEach((quota) => store.restore(quota));
    const aside = `${this.#path}.broken`;
    await rename(this.#path, aside);
    log.warn(`The state file "${this.#path}" is broken: it is now "${aside}", and quotas begin anew`);
  }

  #later(): void {
    this.#cancel = this.#options.clock.schedule(INTERVAL, () => {
      this.#saving = this.save();
      this.#later();
    });
  }

  /** Writes the file if a quota has changed. If it cannot, the log says so, once. */
  async save(): Promise<void> {
    const quotas = this.#options.store.changed();
    if (!quotas) return;
    try {
      await this.#write(quotas);
      this.#failed = false;
    } catch (error) {
      if (!this.#failed) this.#options.log.error(`Cannot write the state file "${this.#path}"`, error);
      this.#failed = true;
    }
  }

  /** Nobody reads half a file: it is written beside, and takes the place of the old one whole. */
  async #write(quotas: readonly SavedQuota[]): Promise<void> {
    const temporary = `${this.#path}.new`;
    // The names of users and targets are nobody else's business.
    await writeFile(temporary, JSON.stringify({ version: VERSION, quotas }) + "\n", { mode: 0o600 });
    await rename(temporary, this.#path);
  }

  /** Writes the last state. */
  async close(): Promise<void> {
    this.#cancel();
    await this.#saving;
    await this.save();
  }
}

/** The quotas of a state file; undefined if it is not one. */
export function parseState(text: string): SavedQuota[] | undefined {
  try {
    const { version, quotas } = JSON.parse(text) as { version: unknown; quotas: unknown };
    return version === VERSION && Array.isArray(quotas) && quotas.every(isQuota) ? quotas : undefined;
  } catch {
    return undefined;
  }
}

function isQuota(value: unknown): value is SavedQuota {
  const { limit, key, unit, start, used } = (value ?? {}) as Record<string, unknown>;
  return typeof limit === "string" && typeof key === "string" && Number.isFinite(start) &&
    Number.isFinite(used) && (unit === "day" || unit === "week" || unit === "month");
}
