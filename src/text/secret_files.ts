/**
 * Files of secrets: those that the endpoints of upstreams name, and whether others can read a file.
 *
 * @module
 */

import { stat } from "node:fs/promises";
import type { Runtime } from "../runtime/contract.ts";
import type { ReadText } from "./text_file.ts";
import { UsageError } from "./usage_error.ts";

/** What begins with this is not the name of a file, but that of an environment variable. */
const VARIABLE = "env:";

/** Reads each file once, and again after {@linkcode SecretFiles.forget}. */
export class SecretFiles {
  readonly #runtime: Pick<Runtime, "environment">;
  readonly #readText: ReadText;
  readonly #texts = new Map<string, Promise<string>>();

  /** Variables are read from the runtime's environment. */
  constructor(runtime: Pick<Runtime, "environment">, readText: ReadText) {
    this.#runtime = runtime;
    this.#readText = readText;
  }

  /** The text of a file, or of a variable (`env:NAME`). Rejects with a `UsageError`; then the next call tries again. */
  read(path: string): Promise<string> {
    let text = this.#texts.get(path);
    if (text) return text;
    text = this.#read(path);
    this.#texts.set(path, text);
    text.catch(() => this.#texts.delete(path));
    return text;
  }

  async #read(path: string): Promise<string> {
    if (!path.startsWith(VARIABLE)) return await this.#readText(path, "the upstream's file");
    const name = path.slice(VARIABLE.length);
    const value = this.#runtime.environment(name);
    if (value === undefined) {
      throw new UsageError(`The environment variable "${name}" is not set, or may not be read`);
    }
    return value;
  }

  /** Forgets all texts, because the files may have changed. */
  forget(): void {
    this.#texts.clear();
  }
}

/** Refuses a file of secrets that other users can read, as ssh does. Windows has no such modes. */
export async function refuseShared(path: string, what: string): Promise<void> {
  const file = await stat(path).catch(() => undefined);
  if (!file || (file.mode & 0o077) === 0) return;
  throw new UsageError(`Others can read ${what} "${path}": run "chmod 600 ${path}"`);
}
