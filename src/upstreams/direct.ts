/**
 * The direct way to a target: resolve the name, dial what it resolved to.
 *
 * @module
 */

import { Channel } from "../channel.ts";
import type { Clock } from "../clock.ts";
import { Fault, toFault } from "../faults.ts";
import { parseIp } from "../protocols/host.ts";
import type { Runtime, TcpAddress } from "../runtime.ts";

/** What dialing needs. */
export interface DirectOptions {
  readonly runtime: Pick<Runtime, "dial" | "resolve">;
  readonly clock: Clock;
  /** Aborted when the client is gone or the time is up. */
  readonly signal: AbortSignal;
  /** Throws a `Fault` for an address that must not be dialed, and once more for a channel that must not be used. */
  readonly judge: (address: TcpAddress, channel?: Channel) => void;
}

/** A connection, and what it took. */
export interface Dialed {
  readonly channel: Channel;
  readonly address: TcpAddress;
  /** Milliseconds spent on the name. */
  readonly dnsTime: number;
  /** Milliseconds spent on connecting. */
  readonly dialTime: number;
}

/** Connects to a target; tries its addresses in the system's order. Throws a `Fault` that lists the attempts. */
export async function dialDirect(target: TcpAddress, options: DirectOptions): Promise<Dialed> {
  const { runtime, clock, signal, judge } = options;
  const start = clock.now();
  const hosts = parseIp(target.host) ? [target.host] : await resolve(target.host, options);
  const resolved = clock.now();
  const attempts: Fault[] = [];
  for (const host of hosts) {
    const address = { host, port: target.port };
    try {
      judge(address);
      const channel = new Channel(await runtime.dial(address, { signal }), "target");
      judgeChannel(address, channel, judge);
      return { channel, address, dnsTime: resolved - start, dialTime: clock.now() - resolved };
    } catch (error) {
      signal.throwIfAborted();
      attempts.push(toFault(error));
    }
  }
  const last = attempts[attempts.length - 1];
  throw new Fault(last.code, attempts.map((attempt) => attempt.message).join("; "), { cause: last });
}

/**
 * `127.1.` ends in a number, so it is an address in an odd spelling and no name (WHATWG URL, "ends in a number");
 * with its last dot a resolver would ask name servers for it.
 */
const NUMBER_AND_DOT = /((?:^|\.)(?:[0-9]+|0[xX][0-9A-Fa-f]*))\.$/;

async function resolve(host: string, { runtime, signal }: DirectOptions): Promise<string[]> {
  try {
    return await runtime.resolve(host.replace(NUMBER_AND_DOT, "$1"), { signal });
  } catch (error) {
    signal.throwIfAborted();
    throw toFault(error);
  }
}

function judgeChannel(address: TcpAddress, channel: Channel, judge: DirectOptions["judge"]): void {
  try {
    judge(address, channel);
  } catch (error) {
    channel.cut(toFault(error));
    throw error;
  }
}
