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
  /**
   * Chooses the address of this machine to dial a host from. Throws a `Fault` if none fits. Without this function the
   * system chooses.
   */
  readonly from?: (host: string) => string;
}

/** A connection, and how long it took. */
export interface DirectConnection {
  readonly channel: Channel;
  readonly address: TcpAddress;
  /** How many milliseconds the name took. */
  readonly dnsTime: number;
  /** How many milliseconds connecting took. */
  readonly dialTime: number;
  /** The address that it was dialed from, if a rule says which. */
  readonly from?: string;
}

/** Connects to a target; its addresses race. Rejects with a `Fault` that lists the attempts. */
export function dialDirect(target: TcpAddress, options: DirectOptions): Promise<DirectConnection> {
  const { resolver, clock, signal } = options;
  const start = clock.now();
  try {
    const hosts = parseIp(target.host) ? [target.host] : resolver.resolve(target.host, signal);
    if (!(hosts instanceof Promise)) return dialOneOf(hosts, target, options, 0);
    return hosts.then((hosts) => dialOneOf(hosts, target, options, clock.now() - start));
  } catch (error) {
    return Promise.reject(error);
  }
}

function dialOneOf(
  hosts: readonly string[],
  { port }: TcpAddress,
  options: DirectOptions,
  dnsTime: number,
): Promise<DirectConnection> {
  const { runtime, clock, signal, judge, from } = options;
  const start = clock.now();
  const attempt = (host: string, signal: AbortSignal): Promise<DirectConnection> => {
    const address = { host, port };
    judge(address);
    const local = from?.(host);
    return runtime.dial(address, { signal, local }).then((stream) => {
      const channel = new Channel(stream, "target");
      judgeChannel(address, channel, judge);
      return { channel, address, dnsTime, dialTime: clock.now() - start, from: local };
    });
  };
  if (hosts.length === 1) return attempt(hosts[0], signal);
  const release = ({ channel }: DirectConnection): void => channel.cut(TOO_LATE);
  return race(interleaved(hosts), { clock, signal, attempt, release });
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
