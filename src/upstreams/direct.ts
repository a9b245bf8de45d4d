/**
 * The direct way to a target: resolve the name once, race the addresses that it resolved to.
 *
 * @module
 */

import { Channel } from "../channel.ts";
import type { Clock } from "../clock.ts";
import { Fault, toFault } from "../faults.ts";
import { parseIp } from "../protocols/host.ts";
import type { Runtime, TcpAddress } from "../runtime.ts";
import { interleaved, race } from "./racing.ts";

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

/** Connects to a target; its addresses race. Throws a `Fault` that lists the attempts. */
export async function dialDirect(target: TcpAddress, options: DirectOptions): Promise<Dialed> {
  const { runtime, clock, signal, judge } = options;
  const start = clock.now();
  const hosts = parseIp(target.host) ? [target.host] : await resolve(target.host, options);
  const resolved = clock.now();
  const won = await race(interleaved(hosts), {
    clock,
    signal,
    attempt: async (host, signal) => {
      const address = { host, port: target.port };
      judge(address);
      const channel = new Channel(await runtime.dial(address, { signal }), "target");
      judgeChannel(address, channel, judge);
      return { channel, address };
    },
    release: ({ channel }) => channel.cut(TOO_LATE),
  });
  return { ...won, dnsTime: resolved - start, dialTime: clock.now() - resolved };
}

const TOO_LATE = new Fault("connection_terminated", "Another address was faster");

/**
 * `127.1.` ends in a number, so it is an address in an odd spelling and no name (WHATWG URL, "ends in a number");
 * with its last dot a resolver would ask name servers for it.
 */
const NUMBER_AND_DOT = /((?:^|\.)(?:[0-9]+|0[xX][0-9A-Fa-f]*))\.$/;

async function resolve(host: string, { runtime, signal }: DirectOptions): Promise<string[]> {
  try {
    return await runtime.resolve(host.replace(NUMBER_AND_DOT, "$1"), { signal });
  } catch (error) {
    if (!signal.aborted) throw toFault(error);
    const { reason } = signal;
    const late = reason instanceof Fault && reason.code === "connection_timeout";
    throw late ? new Fault("dns_timeout", `The name was not resolved in time: ${host}`) : reason;
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
