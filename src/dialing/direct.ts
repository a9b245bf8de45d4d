/**
 * Connecting to a target directly: resolve the name once, race the addresses that it resolved to.
 *
 * @module
 */

import { Channel } from "../streams/channel.ts";
import type { Clock } from "../runtime/clock.ts";
import { Fault, toFault } from "../faults.ts";
import { parseIp } from "../addresses/host.ts";
import type { Runtime, TcpAddress } from "../runtime/contract.ts";
import { interleaved, race } from "./racing.ts";
import type { Resolver } from "./resolver.ts";

/** What a direct dial uses. */
export interface DirectOptions {
  readonly runtime: Pick<Runtime, "dial">;
  readonly resolver: Pick<Resolver, "resolve">;
  readonly clock: Clock;
  /** Aborted when the client is gone or the time is up. */
  readonly signal: AbortSignal;
  /**
   * Throws a `Fault` if an address must not be dialed. Asked again with the channel, which must not be used if it
   * throws.
   */
  readonly judge: (address: TcpAddress, channel?: Channel) => void;
}

/** A connection, and how long it took. */
export interface DirectConnection {
  readonly channel: Channel;
  readonly address: TcpAddress;
  /** How many milliseconds the name took. */
  readonly dnsTime: number;
  /** How many milliseconds connecting took. */
  readonly dialTime: number;
}

/** Connects to a target; its addresses race. Throws a `Fault` that lists the attempts. */
export async function dialDirect(target: TcpAddress, options: DirectOptions): Promise<DirectConnection> {
  const { runtime, resolver, clock, signal, judge } = options;
  const start = clock.now();
  const hosts = parseIp(target.host) ? [target.host] : await resolver.resolve(target.host, signal);
  const resolved = clock.now();
  const attempt = async (host: string, signal: AbortSignal) => {
    const address = { host, port: target.port };
    judge(address);
    const channel = new Channel(await runtime.dial(address, { signal }), "target");
    judgeChannel(address, channel, judge);
    return { channel, address };
  };
  const release = ({ channel }: { channel: Channel }) => channel.cut(TOO_LATE);
  const { channel, address } = hosts.length === 1
    ? await attempt(hosts[0], signal)
    : await race(interleaved(hosts), { clock, signal, attempt, release });
  return { channel, address, dnsTime: resolved - start, dialTime: clock.now() - resolved };
}

const TOO_LATE = new Fault("connection_terminated", "Another address was faster");

function judgeChannel(address: TcpAddress, channel: Channel, judge: DirectOptions["judge"]): void {
  try {
    judge(address, channel);
  } catch (error) {
    channel.cut(toFault(error));
    throw error;
  }
}
