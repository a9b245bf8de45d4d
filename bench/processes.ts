/**
 * Starts and ends the programs of a comparison, and reads from Linux how much CPU time and memory they use.
 *
 * @module
 */

import { ROOT, TOOLCHAIN } from "../scripts/toolchain.ts";

/** The folder of the load programs, the peers' configurations, and the peers from npm. */
export const WORKSHOP = `${TOOLCHAIN}/bench`;

/** `/proc` counts CPU time in ticks: so many in a second (USER_HZ of Linux). */
const TICKS = 100;

/** The number of cores. The proxy has the last one for itself; client and origin run on the others. */
const CORES = navigator.hardwareConcurrency;

/** The processors that a program may use. `background` is the same as `load`, for work beside the measured load. */
export type Place = "proxy" | "load" | "background" | "everywhere";

const running = new Set<Program>();
let over = false;

/** How to start a program. */
export interface ProgramOptions {
  readonly command: readonly string[];
  readonly place: Place;
  readonly cwd?: string;
}

/** A process that we have started, with all its descendants. */
export class Program {
  readonly #child: Deno.ChildProcess;
  /** Settles when the process has ended. */
  readonly ended: Promise<Deno.CommandStatus>;
  #lines = "";
  /** Whether its output has ended. */
  #silent = false;

  /** Starts the process, and keeps its output for {@link Program.line}. */
  constructor({ command, place, cwd }: ProgramOptions) {
    if (over) throw new Error("Cannot start a program: all are being ended");
    const [program, ...args] = [...placing(place), ...command];
    this.#child = new Deno.Command(program, { args, cwd, stdin: "piped", stdout: "piped", stderr: "piped" })
      .spawn();
    running.add(this);
    this.ended = this.#child.status.finally(() => running.delete(this));
    Promise.all([this.#collect(this.#child.stdout), this.#collect(this.#child.stderr)]).finally(() => {
      this.#silent = true;
      this.#told();
    });
  }

  /** The process id. */
  get pid(): number {
    return this.#child.pid;
  }

  async #collect(stream: ReadableStream<Uint8Array>): Promise<void> {
    for await (const text of stream.pipeThrough(new TextDecoderStream())) {
      if (this.#lines.length < 1e6) this.#lines += text;
      this.#told();
    }
  }

  #told: () => void = () => {};

  /** Waits for a line on standard output or standard error that matches the pattern. */
  async line(pattern: RegExp): Promise<RegExpExecArray> {
    const late = AbortSignal.timeout(60_000);
    late.addEventListener("abort", () => this.#told());
    while (true) {
      const found = pattern.exec(this.#lines);
      if (found) return found;
      if (this.#silent || late.aborted) {
        throw new Error(`Cannot find ${pattern} in what a program said: ${this.lastLine}`);
      }
      await new Promise<void>((resolve) => this.#told = resolve);
    }
  }

  /** The last line of its output. */
  get lastLine(): string {
    return this.#lines.trim().split("\n").at(-1) ?? "";
  }

  /** Sends a signal to the process alone. */
  signal(name: Deno.Signal): void {
    signal([this.pid], name);
  }

  /** Ends its standard input. */
  async release(): Promise<void> {
    await this.#child.stdin.close().catch(() => {});
  }

  /** Ends the process and its descendants. */
  async stop(): Promise<void> {
    const tree = family(this.pid);
    signal(tree, "SIGTERM");
    const timer = setTimeout(() => signal(tree, "SIGKILL"), 2_000);
    await this.ended;
    clearTimeout(timer);
    signal(tree.slice(1).filter((pid) => parents().has(pid)), "SIGKILL");
  }

  /** CPU seconds that the process and its descendants have used so far. */
  cpu(): number {
    return family(this.pid).map(cpuTicks).reduce((sum, ticks) => sum + ticks, 0) / TICKS;
  }

  /** Bytes of memory of the process and its descendants: resident (RSS), and their share of it (PSS). */
  memory(): { readonly rss: number; readonly pss: number } {
    const maps = family(this.pid).map((pid) => proc(`${pid}/smaps_rollup`));
    const sum = (field: RegExp) =>
      maps.reduce((total, text) => total + Number(field.exec(text)?.[1] ?? 0) * 1024, 0);
    return { rss: sum(/^Rss: *(\d+)/m), pss: sum(/^Pss: *(\d+)/m) };
  }
}

/** Ends everything that still runs, and starts nothing more. */
export async function stopAll(): Promise<void> {
  over = true;
  await Promise.all([...running].map((program) => program.stop()));
}

/** Whether a program is installed. */
export function isInstalled(name: string): boolean {
  return !!whereIs(name);
}

/** The path of an installed program. It also looks where servers are, which are often not on a user's PATH. */
export function whereIs(name: string): string | undefined {
  const folders = [...(Deno.env.get("PATH") ?? "").split(":"), "/usr/sbin", "/usr/local/sbin"];
  for (const folder of folders) {
    try {
      if (Deno.statSync(`${folder}/${name}`).isFile) return `${folder}/${name}`;
    } catch {
      // Not in this folder.
    }
  }
}

/** A port of 127.0.0.1 that is free now. */
export function freePort(): number {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr as Deno.NetAddr;
  listener.close();
  return port;
}

/** Waits until a port of 127.0.0.1 accepts connections; throws if the program ends before. */
export async function listening(port: number, program: Program): Promise<void> {
  let ended = false;
  program.ended.then(() => ended = true);
  for (const start = performance.now(); performance.now() - start < 20_000 && !ended;) {
    try {
      (await Deno.connect({ hostname: "127.0.0.1", port })).close();
      return;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }
  await program.stop();
  throw new Error(`Cannot connect to port ${port}: the program said "${program.lastLine}"`);
}

/**
 * Waits while the kernel is short of memory for TCP, which is when other programs leave too much unread. Then transfers
 * of all programs stand still for parts of a second, and a measurement is worth nothing. Gives up after a minute.
 */
export async function plentyForTcp(): Promise<void> {
  const [plenty] = proc("sys/net/ipv4/tcp_mem").split(/\s+/).map(Number);
  for (const start = performance.now(); performance.now() - start < 60_000;) {
    const used = /^TCP: .* mem (\d+)$/m.exec(proc("net/sockstat"))?.[1];
    if (!(Number(used) >= plenty)) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** Compiles the load programs. */
export async function compileLoad(): Promise<void> {
  await Deno.mkdir(WORKSHOP, { recursive: true });
  for (const name of ["origin", "client", "relay"]) {
    const files = ["-o", `${WORKSHOP}/${name}.new`, `${ROOT}/bench/load/${name}.c`];
    const args = ["-O2", "-Wall", "-Wextra", ...files, ...name === "client" ? ["-lssl", "-lcrypto"] : []];
    const { success, stderr } = await new Deno.Command("cc", { args }).output();
    if (!success) throw new Error(`Cannot compile "${name}.c": ${new TextDecoder().decode(stderr)}`);
    await Deno.rename(`${WORKSHOP}/${name}.new`, `${WORKSHOP}/${name}`);
  }
}

function placing(place: Place): string[] {
  const nice = place === "background" ? ["nice", "-n", "19"] : [];
  if (CORES < 2 || place === "everywhere" || !isInstalled("taskset")) return nice;
  return [...nice, "taskset", "-c", place === "proxy" ? `${CORES - 1}` : `0-${CORES - 2}`];
}

function signal(pids: readonly number[], name: Deno.Signal): void {
  for (const pid of pids) {
    try {
      Deno.kill(pid, name);
    } catch {
      // The process has ended by itself.
    }
  }
}

function proc(path: string): string {
  try {
    return Deno.readTextFileSync(`/proc/${path}`);
  } catch {
    return "";
  }
}

/** The fields of a process's `stat` after its name: the state, the parent, and so on. */
function stat(pid: number): string[] {
  return proc(`${pid}/stat`).replace(/^.*\) /s, "").split(" ");
}

/** Every process of the machine with its parent. */
function parents(): Map<number, number> {
  const pids = [...Deno.readDirSync("/proc")].map(({ name }) => Number(name)).filter(Number.isInteger);
  return new Map(pids.map((pid) => [pid, Number(stat(pid)[1])]));
}

/** A process, followed by all its descendants. */
function family(pid: number): number[] {
  const all = [...parents()];
  const found = [pid];
  for (const member of found) {
    found.push(...all.filter(([, parent]) => parent === member).map(([child]) => child));
  }
  return found;
}

/** utime, stime, and both of the children that have ended (proc(5)). */
function cpuTicks(pid: number): number {
  return stat(pid).slice(11, 15).reduce((sum, ticks) => sum + Number(ticks), 0);
}
