/**
 * The local and the remote half as programs, and the keys with which they know each other.
 *
 * @module
 */

import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ProgramRun, ProxyProcess } from "./proxy.ts";
import type { Row } from "./toolchain.ts";

/** What Deno may do as a half, beside `-N`: read and write its keys, and read the variable that may hold a token. */
export const PERMISSIONS: readonly string[] = ["-R", "-W", "-E"];

/** The keys that `sluice keygen` has made, in a folder of their own. */
export class Keys implements AsyncDisposable {
  readonly folder: string;
  /** The lines that it printed. */
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

  /** The path of the certificate, the key or the token. */
  file(name: "cert.pem" | "key.pem" | "token"): string {
    return join(this.folder, `sluice-${name}`);
  }

  /** The pin that was printed. */
  get pin(): string {
    const [pin] = /sha256\/\S+/.exec(this.printed.join("\n")) ?? [];
    if (pin === undefined) throw new Error("No pin was printed");
    return pin;
  }

  /** The flags of a remote half with certificate, key and token. */
  get remoteFlags(): string[] {
    const files = [["--cert", this.file("cert.pem")], ["--key", this.file("key.pem")]];
    return [...files.flat(), "--token-file", this.file("token")];
  }

  /** The flags of a local half for a remote one on this port. */
  localFlags(port: number): string[] {
    return ["--remote", `127.0.0.1:${port}`, "--pin", this.pin, "--token-file", this.file("token")];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.folder, { recursive: true });
  }
}

/** The row as a half. Only the flags of the half follow. */
export function asHalf(row: Row, half: "remote" | "local"): Row {
  return { ...row, command: [...row.command, half] };
}

/** Starts a remote half on a free port of 127.0.0.1 with exactly these flags. */
export function startRemote(row: Row, flags: readonly string[], environment = {}): Promise<ProxyProcess> {
  return ProxyProcess.start(asHalf(row, "remote"), flags, environment);
}

/** Starts a local half on a free port of 127.0.0.1 with exactly these flags. */
export function startLocal(row: Row, flags: readonly string[], environment = {}): Promise<ProxyProcess> {
  return ProxyProcess.start(asHalf(row, "local"), flags, environment);
}

/** Both halves. The remote one may reach this machine, unless its flags say otherwise. */
export class Pair implements AsyncDisposable {
  readonly remote: ProxyProcess;
  readonly local: ProxyProcess;

  private constructor(remote: ProxyProcess, local: ProxyProcess) {
    this.remote = remote;
    this.local = local;
  }

  /** Starts the remote half, then the local one. */
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

  /** All lines that the two have written. */
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
