/**
 * The two programs of the third seed, a local and a remote half: an older implementation of the `line` protocol, in
 * Python. A document beside the checkout holds them, if it exists.
 *
 * @module
 */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PATIENCE } from "./condition.ts";
import { ROOT } from "../../scripts/toolchain.ts";

const FOLDER = join(ROOT, "../shared/seeds");
const DOCUMENT = existsSync(FOLDER) ? readdirSync(FOLDER).find((name) => name.startsWith("003_")) : undefined;

/** Whether the document exists. If not, the tests say so. */
export const SEEDS_EXIST: boolean = DOCUMENT !== undefined;

/** How often to read the log for the port, in milliseconds. */
const INTERVAL = 50;

/** The file of each program. */
const FILES = { local: "local_server.py", remote: "remote_server.py" } as const;

/**
 * The source text of a program, with one patch. The local half takes the target of a SOCKS5 request for bytes, but only
 * a name is bytes. Unpatched, it answers "connection refused" to every IPv4 address.
 */
function sourceOf(program: keyof typeof FILES): string {
  const text = readFileSync(join(FOLDER, DOCUMENT!), "utf8");
  const heading = text.indexOf(`${FILES[program]}：`);
  const [, source] = /```python\n(.*?)\n```/s.exec(text.slice(heading)) ?? [];
  if (heading < 0 || source === undefined) throw new Error(`The document has no program "${FILES[program]}"`);
  return source.replace(
    "bytes.decode(remote_addr)",
    "remote_addr if isinstance(remote_addr, str) else bytes.decode(remote_addr)",
  );
}

/** One of the programs, running on a free port of 127.0.0.1. */
export class SeedProgram implements AsyncDisposable {
  readonly port: number;
  readonly #process: ChildProcess;
  readonly #folder: string;

  private constructor(port: number, process: ChildProcess, folder: string) {
    this.port = port;
    this.#process = process;
    this.#folder = folder;
  }

  /** Starts the remote half. */
  static remote(): Promise<SeedProgram> {
    return SeedProgram.#start("remote");
  }

  /** Starts a local half for a remote one on this port. */
  static local(port: number): Promise<SeedProgram> {
    return SeedProgram.#start("local", "--remote_ip", "127.0.0.1", "--remote_port", String(port));
  }

  static async #start(program: keyof typeof FILES, ...args: string[]): Promise<SeedProgram> {
    const folder = mkdtempSync(join(tmpdir(), "sluice-"));
    writeFileSync(join(folder, FILES[program]), sourceOf(program));
    const child = spawn("python3", [
      FILES[program],
      "--listen_ip",
      "127.0.0.1",
      "--listen_port",
      "0",
      ...args,
    ], { cwd: folder, stdio: "ignore" });
    const log = join(folder, FILES[program].replace(".py", ".log"));
    for (const end = Date.now() + PATIENCE; Date.now() < end && child.exitCode === null;) {
      const text = existsSync(log) ? readFileSync(log, "utf8") : "";
      const [, port] = /Serving on \('127\.0\.0\.1', (\d+)\)\n/.exec(text) ?? [];
      if (port !== undefined) return new SeedProgram(Number(port), child, folder);
      await new Promise((resolve) => setTimeout(resolve, INTERVAL));
    }
    child.kill("SIGKILL");
    rmSync(folder, { recursive: true });
    throw new Error(`The program "${FILES[program]}" does not listen`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#process.exitCode === null) {
      const closed = once(this.#process, "close");
      this.#process.kill("SIGKILL");
      await closed;
    }
    rmSync(this.#folder, { recursive: true });
  }
}
