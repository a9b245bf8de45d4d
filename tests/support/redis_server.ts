/**
 * A Redis of Debian on loopback, which a test may kill and start again. It writes nothing to the disk.
 *
 * @module
 */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import process from "node:process";
import { createInterface } from "node:readline";

/** A running server. */
export class RedisServer implements AsyncDisposable {
  readonly port: number;
  readonly #flags: readonly string[];
  #process: ChildProcess | undefined;

  private constructor(port: number, flags: readonly string[]) {
    this.port = port;
    this.#flags = flags;
  }

  /** Starts one on a free port. */
  static async start(...flags: string[]): Promise<RedisServer> {
    const probe = createServer().listen(0, "127.0.0.1");
    await once(probe, "listening");
    const { port } = probe.address() as AddressInfo;
    probe.close();
    await once(probe, "close");
    const server = new RedisServer(port, flags);
    await server.start();
    return server;
  }

  /** Its address for `--store`. */
  get url(): string {
    return `redis://127.0.0.1:${this.port}/0`;
  }

  /** Starts it again, with nothing in it. */
  async start(): Promise<void> {
    const child = spawn("redis-server", [
      ...["--port", String(this.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"],
      ...this.#flags,
    ], { stdio: ["ignore", "pipe", "ignore"] });
    this.#process = child;
    for await (const line of createInterface({ input: child.stdout! })) {
      if (line.includes("Ready to accept connections")) break;
    }
    child.stdout!.resume();
  }

  /** Stops it as it is, or lets it go on: its connections stay. */
  pause(paused: boolean): void {
    // After `ChildProcess.kill`, Deno takes the process for ended.
    process.kill(this.#process!.pid!, paused ? "SIGSTOP" : "SIGCONT");
  }

  /** Kills it, and with it all that it knows. */
  async kill(): Promise<void> {
    const child = this.#process;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const closed = once(child, "exit");
    child.kill("SIGKILL");
    await closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }
}
