/**
 * A local and a remote half as programs, and the keys by which they know each other.
 *
 * @module
 */

import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ProgramRun, ProxyProcess } from "./proxy.ts";
import type { Row } from "./toolchain.ts";

/** What Deno is allowed beside `-N` where it is a half: its keys, and the variable that may hold a token. */
export const PERMISSIONS: readonly string[] = ["-R", "-W", "-E"];

/** What `sluice keygen` has made, in a folder of its own. */
export class Keys implements AsyncDisposable {
  readonly folder: string;
  /** What it printed. */
  readonly printed: readonly string[];
  /** The token itself. */
  readonly secret: string;

  private constructor(folder: string, printed: readonly string[], secret: string) {
    this.folder = folder;
    this.printed = printed;
    this.secret = secret;
  }

  /** Makes keys for 127.0.0.1. */
  static async make(row: Row): Promise<Keys> {
    const folder = await mkdtemp(join(tmpdir(), "sluice-"));
    await using run = new ProgramRun(row, ["keygen", "127.0.0.1", "--out", folder]);
    if (await run.exit() !== 0) throw new Error(`No keys: ${run.diagnostics.all.join("\n")}`);
    const secret = (await readFile(join(folder, "sluice-token"), "utf8")).trim();
    return new Keys(folder, run.output.all, secret);
  }

  /** The file of the certificate, the key or the token. */
  file(name: "cert.pem" | "key.pem" | "token"): string {
    return join(this.folder, `sluice-${name}`);
  }

  /** The pin that was printed. */
  get pin(): string {
    const [pin] = /sha256\/\S+/.exec(this.printed.join("\n")) ?? [];
    if (pin === undefined) throw new Error("No pin was printed");
    return pin;
  }

  /** The flags of a remote half that has all of them. */
  get remoteFlags(): string[] {
    const files = [["--cert", this.file("cert.pem")], ["--key", this.file("key.pem")]];
    return [...files.flat(), "--token-file", this.file("token")];
  }

  /** The flags of the local half of a remote one on a port. */
  localFlags(port: number): string[] {
    return ["--remote", `127.0.0.1:${port}`, "--pin", this.pin, "--token-file", this.file("token")];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.folder, { recursive: true });
  }
}

/** The row as that half: its flags alone follow. */
export function asHalf(row: Row, half: "remote" | "local"): Row {
  return { ...row, command: [...row.command, half] };
}

/** Starts a remote half on a free port of 127.0.0.1, with these flags and no others. */
export function startRemote(row: Row, flags: readonly string[], environment = {}): Promise<ProxyProcess> {
  return ProxyProcess.start(asHalf(row, "remote"), flags, environment);
}

/** Starts a local half on a free port of 127.0.0.1, with these flags and no others. */
export function startLocal(row: Row, flags: readonly string[], environment = {}): Promise<ProxyProcess> {
  return ProxyProcess.start(asHalf(row, "local"), flags, environment);
}

/** Both halves. The remote one may reach this machine, unless it is told otherwise. */
export class Pair implements AsyncDisposable {
  readonly remote: ProxyProcess;
  readonly local: ProxyProcess;

  private constructor(remote: ProxyProcess, local: ProxyProcess) {
    this.remote = remote;
    this.local = local;
  }

  /** Starts them one after the other. */
  static async start(
    row: Row,
    keys: Keys,
    { remote = ["--allow-private"], local = [] }: {
      readonly remote?: readonly string[];
      readonly local?: readonly string[];
    } = {},
  ): Promise<Pair> {
    const far = await startRemote(row, [...keys.remoteFlags, ...remote]);
    try {
      return new Pair(far, await startLocal(row, [...keys.localFlags(far.port), ...local]));
    } catch (error) {
      await far[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Every line that one of them wrote. */
  get lines(): string[] {
    return [this.remote, this.local].flatMap((
      { output, diagnostics },
    ) => [...output.all, ...diagnostics.all]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.local[Symbol.asyncDispose]();
    await this.remote[Symbol.asyncDispose]();
  }
}
