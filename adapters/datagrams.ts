/**
 * UDP sockets of `node:dgram`, for all three adapters. `node:dgram` works the same on Deno, Bun and Node, whose own
 * APIs differ, and needs only `-N` on Deno.
 *
 * @module
 */

import { createSocket } from "node:dgram";
import { once } from "node:events";
import { isIP } from "node:net";
import type {
  DatagramOptions,
  DatagramSocket,
  SocketError,
  SocketErrorCode,
} from "../src/runtime/contract.ts";

/** The most bytes that wait for the network on one socket. Datagrams beyond it are lost, as in a full router. */
const MAX_QUEUED = 1024 * 1024;

/** Counted for each datagram beside its bytes, so that empty ones are limited, too. */
const OVERHEAD = 256;

/**
 * How often a refused datagram is sent. Only Bun refuses on unconnected sockets: an ICMP error about an earlier
 * datagram fails the next one, whatever its target (oven-sh/bun PR #36249).
 */
const MAX_ATTEMPTS = 4;

/** Binds a UDP socket. See `Runtime.openDatagrams`. */
export async function openDatagrams({ address, onDatagram }: DatagramOptions): Promise<DatagramSocket> {
  const { host } = address;
  const family = isIP(host);
  const ipv6 = family === 6;
  try {
    if (family === 0) throw new Error("Not an IP address, resolve it first");
    // Skips the lookup, which is asynchronous: there, Deno throws a missing permission where nothing can catch it.
    const lookup = (
      name: string,
      _options: unknown,
      found: (error: null, ip: string, family: number) => void,
    ) => found(null, name, family);
    // Node fails to bind an IPv4 socket that is told to be `ipv6Only`.
    const socket = createSocket({ type: ipv6 ? "udp6" : "udp4", ipv6Only: ipv6, lookup });
    // Deno emits "listening" before bind() has returned. `exclusive` keeps a worker of node:cluster from sharing the
    // port.
    const listening = once(socket, "listening");
    try {
      socket.bind({ address: host, port: address.port, exclusive: true });
      await listening;
    } catch (error) {
      listening.catch(() => {});
      socket.close();
      throw error;
    }
    const { address: boundHost, port } = socket.address();
    let closed = false;
    let queued = 0;
    socket.on("error", () => {});
    socket.on("message", (bytes, from) => {
      // Deno's `bytes` are views of 64 KiB each, which cost too much memory to keep.
      if (!closed) onDatagram(new Uint8Array(bytes), { host: withoutZone(from.address), port: from.port });
    });
    return {
      address: { host: boundHost, port },
      send(bytes, to): void {
        const cost = bytes.length + OVERHEAD;
        if (closed || isIP(to.host) !== family || queued + cost > MAX_QUEUED) return;
        queued += cost;
        let attempts = MAX_ATTEMPTS;
        const attempt = () => {
          attempts--;
          try {
            socket.send(bytes, to.port, to.host, settle);
          } catch {
            settle();
          }
        };
        const settle = (error?: Error | null) => {
          if ((error as { code?: string } | null)?.code === "ECONNREFUSED" && attempts > 0) attempt();
          else queued -= cost;
        };
        attempt();
      },
      close(): void {
        if (closed) return;
        closed = true;
        socket.close();
      },
    };
  } catch (cause) {
    throw failure(ipv6 ? `[${host}]:${address.port}` : `${host}:${address.port}`, cause);
  }
}

function withoutZone(host: string): string {
  const zone = host.indexOf("%");
  return zone < 0 ? host : host.slice(0, zone);
}

const CODES: Record<string, SocketErrorCode> = {
  EACCES: "permission_denied",
  EADDRINUSE: "address_in_use",
  EADDRNOTAVAIL: "address_unavailable",
  EAFNOSUPPORT: "address_unavailable",
  EMFILE: "connection_limit_reached",
  ENFILE: "connection_limit_reached",
  EPERM: "permission_denied",
  // Deno's error has a name and no code.
  NotCapable: "permission_denied",
};

function failure(address: string, cause: unknown): SocketError {
  const { code, name, message } = cause as Error & { code?: string };
  return Object.assign(new Error(`Cannot open a UDP socket on "${address}": ${message}`, { cause }), {
    name: "SocketError",
    code: CODES[code ?? name] ?? "proxy_internal_error",
  });
}
