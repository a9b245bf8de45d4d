/**
 * Other projects' proxies and load balancers. A test starts them on free ports of loopback with a minimal
 * configuration.
 *
 * @module
 */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PATIENCE } from "./condition.ts";
import { connect } from "./raw_client.ts";

/** How often to check whether a program listens, in milliseconds: none of them tells. */
const INTERVAL = 50;

/** A running program that listens on a port of 127.0.0.1. */
export class Peer implements AsyncDisposable {
  readonly port: number;
  readonly #process: ChildProcess;
  readonly #folder: string;
  readonly #leftovers: readonly string[];
  #diagnostics = "";

  private constructor(
    command: readonly string[],
    { port, folder, leftovers }: { port: number; folder: string; leftovers: readonly string[] },
  ) {
    const [program, ...args] = command;
    this.port = port;
    this.#folder = folder;
    this.#leftovers = leftovers;
    this.#process = spawn(program, args, { cwd: folder, stdio: ["ignore", "pipe", "pipe"] });
    for (const stream of [this.#process.stdout!, this.#process.stderr!]) {
      stream.on("data", (chunk) => this.#diagnostics += chunk);
    }
    this.#process.on("error", (error) => this.#diagnostics += String(error));
  }

  /**
   * Starts a program in an empty folder of its own, and settles when it listens on the port. `leftovers` are files
   * elsewhere that it leaves behind when it is killed.
   */
  static async start(
    port: number,
    command: (folder: string) => readonly string[],
    leftovers: readonly string[] = [],
  ): Promise<Peer> {
    const folder = mkdtempSync(join(tmpdir(), "sluice-"));
    const peer = new Peer(command(folder), { port, folder, leftovers });
    for (const end = Date.now() + PATIENCE; !await listens(port);) {
      if (peer.#process.exitCode === null && Date.now() < end) {
        await new Promise((resolve) => setTimeout(resolve, INTERVAL));
        continue;
      }
      await peer[Symbol.asyncDispose]();
      throw new Error(`"${peer.#process.spawnfile}" does not listen: ${peer.#diagnostics}`);
    }
    return peer;
  }

  /** `HOST:PORT`. */
  get authority(): string {
    return `127.0.0.1:${this.port}`;
  }

  /** Kills the program, and settles when its connections are gone. */
  async kill(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const closed = once(this.#process, "close");
    this.#process.kill("SIGKILL");
    await closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    for (const path of [this.#folder, ...this.#leftovers]) rmSync(path, { recursive: true, force: true });
  }
}

async function listens(port: number): Promise<boolean> {
  try {
    using _probe = await connect({ host: "127.0.0.1", port });
    return true;
  } catch {
    return false;
  }
}

/**
 * These ports are below those that the system gives to others (32768 on Linux), and each is used once. So nobody takes
 * a port between the check and the start of the peer.
 */
const PORTS = { first: 20_000, last: 32_000 } as const;
let nextPort = PORTS.first + Math.floor(Math.random() * (PORTS.last - PORTS.first));

/** A port of 127.0.0.1 on which nothing listens, for programs that cannot choose one themselves. */
export async function freePort(): Promise<number> {
  while (true) {
    nextPort = nextPort < PORTS.last ? nextPort + 1 : PORTS.first;
    const port = nextPort;
    const server = createServer();
    try {
      server.listen(port, "127.0.0.1");
      await once(server, "listening");
      server.close();
      await once(server, "close");
      return port;
    } catch {
      // Somebody listens there.
    }
  }
}

function withConfig(folder: string, config: string): string {
  const file = join(folder, "config");
  writeFileSync(file, `${config}\n`);
  return file;
}

/** Squid, an HTTP proxy. It caches nothing and allows every client. */
export async function squid(): Promise<Peer> {
  const port = await freePort();
  // If two with the same name start at once, they create the same shared memory, and one of them dies.
  const name = `sluice${port}`;
  const shared = ["metadata", "queues", "readers"].map((part) => `/dev/shm/${name}-cf__${part}.shm`);
  return await Peer.start(port, (folder) => {
    const config = [
      `http_port 127.0.0.1:${port}`,
      "http_access allow all",
      "cache deny all",
      "cache_mem 1 MB",
      "access_log none",
      "cache_log /dev/null",
      "pid_filename none",
      "netdb_filename none",
      "pinger_enable off",
      "max_filedescriptors 1024",
      `coredump_dir ${folder}`,
    ];
    return ["squid", "-N", "-n", name, "-d", "1", "-f", withConfig(folder, config.join("\n"))];
  }, shared);
}

/** MicroSocks, a SOCKS5 proxy, with one user or none. */
export async function microsocks(credentials?: { user: string; password: string }): Promise<Peer> {
  const port = await freePort();
  const users = credentials ? ["-u", credentials.user, "-P", credentials.password] : [];
  return await Peer.start(port, () => ["microsocks", "-i", "127.0.0.1", "-p", String(port), ...users]);
}

/**
 * HAProxy before servers on 127.0.0.1, which it uses in turn and tells of clients by the PROXY protocol. If it cannot
 * connect to one, it connects to another.
 */
export async function haproxy(servers: readonly number[]): Promise<Peer> {
  const port = await freePort();
  return await Peer.start(port, (folder) => {
    const config = [
      "global",
      "  nbthread 1",
      "defaults",
      "  mode tcp",
      "  timeout connect 5s",
      "  timeout client 30s",
      "  timeout server 30s",
      "  retries 3",
      "  option redispatch 1",
      "frontend clients",
      `  bind 127.0.0.1:${port}`,
      "  default_backend proxies",
      "backend proxies",
      "  balance roundrobin",
      ...servers.map((server, i) => `  server s${i} 127.0.0.1:${server} send-proxy-v2`),
    ];
    return ["haproxy", "-f", withConfig(folder, config.join("\n"))];
  });
}

/** Prometheus, which reads the metrics of a server four times a second and keeps the examples of buckets. */
export async function prometheus(target: string): Promise<Peer> {
  const port = await freePort();
  return await Peer.start(port, (folder) => {
    const file = join(folder, "prometheus.yml");
    writeFileSync(
      file,
      `global: { scrape_interval: 250ms, scrape_timeout: 250ms }
scrape_configs: [{ job_name: sluice, static_configs: [{ targets: ["${target}"] }] }]
`,
    );
    return [
      "prometheus",
      `--config.file=${file}`,
      `--storage.tsdb.path=${join(folder, "data")}`,
      `--web.listen-address=127.0.0.1:${port}`,
      "--enable-feature=exemplar-storage",
      "--log.level=error",
    ];
  });
}
