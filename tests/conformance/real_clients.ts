/**
 * What tests of real programs need: running them, servers for them, a certificate.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { Buffer } from "node:buffer";
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { createReadStream, existsSync, readFileSync, statSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import process from "node:process";
import type { Suite } from "./suite.ts";
import { inheritedEnvironment, type ProxyProcess } from "../support/proxy.ts";

/** How long a program may take, in milliseconds. */
const PATIENCE = 60_000;

/** What came of a program. */
export interface Outcome {
  readonly exit: number | null;
  readonly output: Buffer;
  readonly errors: string;
}

/** How to run a program. */
export interface RunOptions {
  /** Additions to the environment, from which all proxy settings are gone. */
  readonly environment?: Readonly<Record<string, string>>;
  /** What it reads from standard input. */
  readonly input?: Uint8Array;
}

/** Runs a program to its end. */
export async function run(
  command: readonly string[],
  { environment, input }: RunOptions = {},
): Promise<Outcome> {
  const [program, ...args] = command;
  const inherited = Object.entries(inheritedEnvironment()).filter(([name]) => !/_proxy$/i.test(name));
  const child = spawn(program, args, {
    env: { ...Object.fromEntries(inherited), ...environment },
    stdio: [input ? "pipe" : "ignore", "pipe", "pipe"],
    timeout: PATIENCE,
  });
  const output: Buffer[] = [];
  const errors: Buffer[] = [];
  child.stdout!.on("data", (chunk) => output.push(chunk));
  child.stderr!.on("data", (chunk) => errors.push(chunk));
  child.stdin?.on("error", () => {}).end(input);
  const [exit] = await once(child, "close");
  return { exit, output: Buffer.concat(output), errors: Buffer.concat(errors).toString() };
}

/** What a program writes, if it succeeds. */
export async function outputOf(command: readonly string[], options?: RunOptions): Promise<Buffer> {
  const { exit, output, errors } = await run(command, options);
  assertEquals(exit, 0, `${command.join(" ")}: ${errors}`);
  return output;
}

/** Whether a program, or the file at an absolute path, is installed. */
export function isInstalled(program: string): boolean {
  if (program.startsWith("/")) return existsSync(program);
  return spawnSync("sh", ["-c", `command -v ${program}`], { stdio: "ignore" }).status === 0;
}

/** What the tests need is installed on CI; elsewhere those of a missing program are skipped. */
export function clientTest(
  suite: Suite,
  { name, needs }: { readonly name: string; readonly needs: readonly string[] },
  body: (proxy: ProxyProcess) => Promise<void>,
): void {
  const missing = process.env.CI ? undefined : needs.find((program) => !isInstalled(program));
  if (missing === undefined) suite.test(name, body);
  else Deno.test({ name: `${name} (cannot: "${missing}" is not installed)`, ignore: true, fn() {} });
}

/** Debian's Chromium without a window, with a profile of its own. It shows what it has made of a page. */
export function chromium(profile: string, proxy: string, url: string): string[] {
  return [
    "chromium",
    ...["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"],
    ...["--disable-background-networking", "--disable-component-update", "--ignore-certificate-errors"],
    `--user-data-dir=${profile}`,
    `--proxy-server=${proxy}`,
    // Loopback goes through the proxy; what it would ask its maker all the same goes nowhere.
    "--proxy-bypass-list=<-loopback>;*.com",
    "--host-resolver-rules=MAP *.com ~NOTFOUND",
    "--dump-dom",
    url,
  ];
}

/** A key and a certificate for localhost and 127.0.0.1, signed by itself. */
export class Certificate {
  readonly keyFile: string;
  readonly file: string;

  /** Makes one in a folder. */
  constructor(folder: string) {
    this.keyFile = join(folder, "key.pem");
    this.file = join(folder, "certificate.pem");
    const { status, stderr, error } = spawnSync("openssl", [
      ...[
        "req",
        "-x509",
        "-nodes",
        "-days",
        "2",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
      ],
      ...["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"],
      ...["-keyout", this.keyFile, "-out", this.file],
    ]);
    if (status !== 0) throw new Error(`Cannot make a certificate: ${error?.message ?? stderr}`);
  }
}

/**
 * An ordinary web server, with and without TLS. It answers a body with what it was: `METHOD FRAMING SHA-256`. Other
 * requests get the page or the file of their path.
 */
export class WebServer implements AsyncDisposable {
  readonly #servers: readonly Server[];
  readonly #pages: ReadonlyMap<string, string>;
  readonly #root: string;

  private constructor(
    servers: readonly Server[],
    { pages, root }: { pages: ReadonlyMap<string, string>; root: string },
  ) {
    this.#servers = servers;
    this.#pages = pages;
    this.#root = root;
    for (const server of servers) {
      server.on("request", (request, response) => {
        this.#serve(request, response).catch(() => response.destroy());
      });
    }
  }

  /** Starts one on free ports of 127.0.0.1. `root` is the folder of its files. */
  static async start(
    certificate: Certificate,
    content: { pages: ReadonlyMap<string, string>; root: string },
  ): Promise<WebServer> {
    const [key, cert] = [readFileSync(certificate.keyFile), readFileSync(certificate.file)];
    const servers = [createServer(), createTlsServer({ key, cert })];
    for (const server of servers) {
      server.listen(0, "127.0.0.1");
      await once(server, "listening");
    }
    return new WebServer(servers, content);
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method, headers } = request;
    const path = new URL(request.url ?? "/", "http://localhost").pathname;
    if (method === "POST" || method === "PUT") {
      const hash = createHash("sha256");
      for await (const chunk of request) hash.update(chunk);
      response.end(
        `${method} ${headers["transfer-encoding"] ?? headers["content-length"]} ${hash.digest("hex")}`,
      );
      return;
    }
    const page = this.#pages.get(path);
    if (page !== undefined) {
      const type = path.endsWith(".js") ? "text/javascript" : "text/html";
      response.writeHead(200, { "Content-Type": type, "Content-Length": Buffer.byteLength(page) }).end(page);
      return;
    }
    const file = join(this.#root, path);
    if (!statSync(file, { throwIfNoEntry: false })?.isFile()) {
      response.writeHead(404).end();
      return;
    }
    response.writeHead(200, { "Content-Length": statSync(file).size });
    createReadStream(file).pipe(response);
  }

  /** `HOST:PORT` without TLS. */
  get port(): number {
    return (this.#servers[0].address() as AddressInfo).port;
  }

  /** The port with TLS. */
  get tlsPort(): number {
    return (this.#servers[1].address() as AddressInfo).port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const server of this.#servers) {
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    }
  }
}
