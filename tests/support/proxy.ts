/**
 * The proxy as a program: started as people start it, watched from outside, stopped by signals.
 *
 * @module
 */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import process from "node:process";
import { createInterface } from "node:readline";
import { COMPILED } from "../../scripts/toolchain.ts";
import type { Address, TcpAddress } from "../../src/runtime/contract.ts";
import { Arrivals, Condition } from "./condition.ts";
import { connect, type RawConnection } from "./raw_client.ts";
import type { Row } from "./toolchain.ts";

/** A line of the access log in JSON. */
export type LogRecord = Readonly<Record<string, string | number>>;

/** How a process ended: its exit code, or the signal that killed it. */
export type Exit = number | NodeJS.Signals;

/**
 * The environment without the tests' own variables, such as SLUICE_LOAD: the program would refuse them. Node may keep
 * what it has compiled (its documentation, "Module compile cache"): with that, a start takes a tenth less CPU time.
 */
export function inheritedEnvironment(): Record<string, string | undefined> {
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith("SLUICE_"));
  return { ...Object.fromEntries(inherited), NODE_COMPILE_CACHE: COMPILED };
}

/** A run of the program with any arguments. */
export class ProgramRun implements AsyncDisposable {
  /** Lines of standard output. */
  readonly output = new Arrivals<string>("a line on standard output");
  /** Lines of standard error. */
  readonly diagnostics = new Arrivals<string>("a line on standard error");
  readonly #process: ChildProcess;
  readonly #condition = new Condition();
  #exit: Exit | undefined;

  /** Starts the program, with additions to the environment. */
  constructor({ command }: Row, args: readonly string[], environment: Readonly<Record<string, string>> = {}) {
    const [program, ...first] = command;
    this.#process = spawn(program, [...first, ...args], {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...inheritedEnvironment(), NO_COLOR: "1", ...environment },
    });
    const { stdout, stderr } = this.#process;
    createInterface({ input: stdout! }).on("line", (line) => this.output.push(line));
    createInterface({ input: stderr! }).on("line", (line) => {
      this.diagnostics.push(line);
      this.#condition.notify();
    });
    this.#process.on("error", (error) => this.diagnostics.push(String(error)));
    this.#process.on("close", (code, signal) => {
      this.#exit = code ?? signal!;
      this.#condition.notify();
    });
  }

  /** The process's id. */
  get pid(): number {
    return this.#process.pid!;
  }

  /** Whether it still runs. */
  get alive(): boolean {
    return this.#exit === undefined;
  }

  /** Sends a signal. */
  kill(signal: NodeJS.Signals): void {
    // After `ChildProcess.kill`, Deno always reports that signal as the end, even if the process exits with a code.
    if (this.alive) process.kill(this.pid, signal);
  }

  /** Settles when the program has ended and all its output is read. */
  exit(): Promise<Exit> {
    return this.#condition.until(() => this.#exit, () => `Waited for the exit of process ${this.pid}`);
  }

  /** The first `count` diagnostics that match. Rejects if the program ends before it has written them. */
  said(pattern: RegExp, count = 1): Promise<RegExpExecArray[]> {
    return this.#condition.until(() => {
      const lines = this.diagnostics.all.map((line) => pattern.exec(line)).filter((match) => match !== null);
      if (lines.length >= count) return lines;
      if (this.alive) return undefined;
      throw new Error(`Ended with ${this.#exit}: ${this.diagnostics.all.join("\n")}`);
    }, () => `Waited for ${count} lines ${pattern} and got: ${this.diagnostics.all.join("\n")}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.alive) return;
    const closed = once(this.#process, "close");
    this.kill("SIGKILL");
    await closed;
  }
}

/** A running proxy. */
export class ProxyProcess extends ProgramRun {
  #addresses: readonly Address[] = [];

  /**
   * Starts a proxy on a free port of 127.0.0.1, and settles when it listens. Its access log is in JSON, unless the
   * flags say otherwise. Listeners in the flags are added.
   */
  static async start(
    row: Row,
    flags: readonly string[] = [],
    environment: Readonly<Record<string, string>> = {},
  ): Promise<ProxyProcess> {
    const format = flags.includes("--log-format") ? [] : ["--log-format", "json"];
    const args = ["--listen", "127.0.0.1:0", ...format, ...flags];
    const proxy = new ProxyProcess(row, args, environment);
    const count = args.filter((arg) => arg === "--listen").length;
    try {
      const lines = await proxy.said(/^listening on (?:unix:(.+)|\[?(.+?)\]?:(\d+))$/, count);
      proxy.#addresses = lines.map(([, path, host, port]) => path ? { path } : { host, port: Number(port) });
      return proxy;
    } catch (error) {
      await proxy[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** The addresses on which it listens. */
  get addresses(): readonly Address[] {
    return this.#addresses;
  }

  /** The TCP port of the first listener. */
  get port(): number {
    return (this.#addresses[0] as TcpAddress).port;
  }

  /** Connects to it. */
  connect(address: Address = this.#addresses[0]): Promise<RawConnection> {
    return connect(address);
  }

  /**
   * The record of a request or tunnel whose target ends with the given text. `client` limits it to that client's: the
   * system soon gives a port to somebody else, so another test may have had the same target.
   */
  async record(target: string, client?: RawConnection): Promise<LogRecord> {
    const line = await this.output.find((line) => {
      const record = JSON.parse(line);
      return String(record.target).endsWith(target) &&
        (!client || String(record.client).endsWith(`:${client.localPort}`));
    });
    return JSON.parse(line);
  }

  /** Asks the proxy to end, and settles when it has. */
  stop(): Promise<Exit> {
    this.kill("SIGTERM");
    return this.exit();
  }
}

/** The children of a process. */
export function childrenOf(parent: number): number[] {
  return readdirSync("/proc").filter((name) => /^\d+$/.test(name)).map(Number).filter((pid) => {
    try {
      return Number(readFileSync(`/proc/${pid}/stat`, "utf8").replace(/^.*\) /s, "").split(" ")[1]) ===
        parent;
    } catch {
      return false; // The process has ended since the directory was read.
    }
  });
}
