/**
 * Who is compared: sluice on each runtime, other proxies that do some of the same, and bare relays, which are the
 * floor.
 *
 * Each runs as a single worker, without access log and without cache.
 *
 * @module
 */

import { PERMISSIONS } from "../tests/support/pair.ts";
import { type Row, rows } from "../tests/support/toolchain.ts";
import { haproxyPair, sluicePair } from "./pairs.ts";
import { PEERS, startable } from "./other_proxies.ts";
import { Program } from "./processes.ts";

/** How a client reaches the origin; `direct` is a port that leads there by itself. */
export type Via = "http" | "connect" | "socks5" | "direct";

/** The servers behind the proxies: that of tunnels has no part in what requests wait for. */
export type Origins = Readonly<Record<"requests" | "tunnels", Origin>>;

/** A server and its port. */
export interface Origin {
  readonly program: Program;
  readonly port: number;
}

/** A proxy that runs. */
export interface Contestant {
  readonly name: string;
  /** The program, or several of which each has a part in the work. */
  readonly program: Pick<Program, "cpu" | "memory" | "stop">;
  /** The ports, by what is spoken there. */
  readonly ports: Readonly<Partial<Record<Via, number>>>;
}

/** A proxy that can be started. */
export interface Entry {
  readonly name: string;
  /** Why it cannot take part, where it cannot. */
  readonly missing: string | undefined;
  /** How clients can use it. */
  readonly speaks: readonly Via[];
  /** Starts it, and settles when it accepts. A few must know the origins. */
  start(origins: Origins): Promise<Contestant>;
  /** Two of it, with TLS between them: the local half is what clients use. */
  readonly pair?: Entry;
}

/** All that there are; sluice with so many workers. */
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

/** What ratios are ratios to. */
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
