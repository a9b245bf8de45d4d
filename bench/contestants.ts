/**
 * The programs that are compared: sluice on each runtime, other proxies that do some of the same, and bare relays as
 * the least that is possible.
 *
 * Each runs as a single worker, without an access log and without a cache, unless its set-up says otherwise.
 *
 * @module
 */

import { hashPassword } from "../src/policy/password_hash.ts";
import { PERMISSIONS } from "../tests/support/pair.ts";
import { type Row, rows } from "../tests/support/toolchain.ts";
import { countable } from "./counts.ts";
import { haproxyPair, sluicePair } from "./pairs.ts";
import { PEERS, startable } from "./other_proxies.ts";
import { Program } from "./processes.ts";
import {
  blocksFile,
  certificate,
  type Extra,
  hostsFile,
  logFile,
  type SetUps,
  setUps,
  USER,
  write,
} from "./set_ups.ts";

/** How a client reaches the origin; `direct` is a port that leads to the origin without being asked. */
export type Via = "http" | "connect" | "socks5" | "direct";

/** The servers behind the proxies. Tunnels have a server of their own, so that requests never wait behind them. */
export type Origins = Readonly<Record<"requests" | "tunnels", Origin>>;

/** A server and its port. */
export interface Origin {
  readonly program: Program;
  readonly port: number;
}

/** A running proxy. */
export interface Contestant {
  readonly name: string;
  /** The program, or several programs that share the work. */
  readonly program: Pick<Program, "cpu" | "memory" | "stop">;
  /** The ports, by what clients speak there. */
  readonly ports: Readonly<Partial<Record<Via, number>>>;
  /** What it has made since its start, in a set-up that counts. */
  readonly count?: () => Promise<number>;
}

/** A proxy that can be started. */
export interface Entry {
  readonly name: string;
  /** Why it cannot take part; undefined if it can. */
  readonly missing: string | undefined;
  /** How clients can use it. */
  readonly speaks: readonly Via[];
  /** Starts it, and settles when it accepts connections. Some proxies must know the origins at the start. */
  start(origins: Origins): Promise<Contestant>;
  /** The same proxy in other set-ups. As a pair it is two with TLS between them; clients connect to the local half. */
  readonly setUps?: SetUps;
}

/** All contestants, with sluice on so many workers. */
export function entries(workers: number): Entry[] {
  const pairs = rows(...PERMISSIONS).map((row) => sluicePair(nameOf(row), row));
  const withFiles = rows("-R", "-W");
  const peers = PEERS.map(startable);
  return [
    ...rows(...workers > 1 ? ["-R"] : []).map((row, index) => ({
      ...sluice(row, workers),
      setUps: {
        ...setUps(Object.keys(FLAGS) as Extra[], (extras) => sluice(withFiles[index], workers, extras)),
        ...countable(row, (row) => sluice(row, 1)),
        pair: pairs[index],
      },
    })),
    ...peers.map((peer) =>
      peer.name === REFERENCE ? { ...peer, setUps: { ...peer.setUps, pair: haproxyPair() } } : peer
    ),
  ];
}

/** The contestant whose cost is 1 in all ratios. */
export const REFERENCE = "haproxy";

function nameOf(row: Row): string {
  return row.name.split(" -")[0].replace(" ", "");
}

/** The flags of each extra; `name` is for files of its own. */
const FLAGS: Readonly<Record<Extra, (name: string) => string[] | Promise<string[]>>> = {
  tls: () => [],
  users: async () => [
    "--users-file",
    write("users", `${USER.name}:${await hashPassword(USER.password)}\n`),
  ],
  rules: () => ["--rules-file", hostsFile("deny-hosts", "deny ")],
  blocks: () => ["--rules-file", blocksFile("deny-blocks", "deny ")],
  log: (name) => ["--access-log", logFile(name)],
};

function sluice(row: Row, workers: number, extras: readonly Extra[] = []): Entry {
  const name = nameOf(row);
  return {
    name,
    missing: undefined,
    speaks: ["http", "connect", "socks5"],
    async start() {
      const { certFile, keyFile } = certificate();
      const listener = extras.includes("tls")
        ? `auto+tls://127.0.0.1:0?cert=${certFile}&key=${keyFile}`
        : "127.0.0.1:0";
      const flags = [
        ...["-l", listener, "--workers", `${workers}`],
        ...extras.includes("log") ? [] : ["--access-log", "off"],
        ...(await Promise.all(extras.map((extra) => FLAGS[extra](name)))).flat(),
      ];
      const place = workers > 1 ? "everywhere" : "proxy";
      const program = new Program({ command: [...row.command, ...flags], place });
      const port = Number((await program.line(/listening on \S*127\.0\.0\.1:(\d+)\S*\n/))[1]);
      return { name, program, ports: { http: port, connect: port, socks5: port } };
    },
  };
}
