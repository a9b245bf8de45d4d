/**
 * The programs that are compared: sluice on each runtime, other proxies that do some of the same, and bare relays as
 * the least that is possible.
 *
 * Each runs as a single worker, without an access log and without a cache.
 *
 * @module
 */

import { PERMISSIONS } from "../tests/support/pair.ts";
import { type Row, rows } from "../tests/support/toolchain.ts";
import { haproxyPair, sluicePair } from "./pairs.ts";
import { PEERS, startable } from "./other_proxies.ts";
import { Program } from "./processes.ts";

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
  /** Two of these proxies with TLS between them; clients connect to the local half. */
  readonly pair?: Entry;
}

/** All contestants, with sluice on so many workers. */
export function entries(workers: number): Entry[] {
  const pairs = rows(...PERMISSIONS).map(sluicePair);
  const peers = PEERS.map(startable);
  const haproxy = { ...peers.find(({ name }) => name === REFERENCE)!, pair: haproxyPair() };
  return [
    ...rows(...workers > 1 ? ["-R"] : []).map((row, index) => ({
      ...sluice(row, workers),
      pair: pairs[index],
    })),
    ...peers.map((peer) => peer.name === REFERENCE ? haproxy : peer),
  ];
}

/** The contestant whose cost is 1 in all ratios. */
export const REFERENCE = "haproxy";

function sluice(row: Row, workers: number): Entry {
  const name = row.name.split(" -")[0].replace(" ", "");
  return {
    name,
    missing: undefined,
    speaks: ["http", "connect", "socks5"],
    async start() {
      const flags = ["-l", "127.0.0.1:0", "--access-log", "off", "--workers", `${workers}`];
      const place = workers > 1 ? "everywhere" : "proxy";
      const program = new Program({ command: [...row.command, ...flags], place });
      const port = Number((await program.line(/listening on 127\.0\.0\.1:(\d+)\n/))[1]);
      return { name, program, ports: { http: port, connect: port, socks5: port } };
    },
  };
}
