/**
 * A SOCKS5 association: datagrams between one client and any number of targets (RFC 1928 section 7).
 *
 * Only datagrams from the client's own IP address are taken, and from one port: that of its request, or else that of
 * its first datagram. A target's answer is passed on where the client has sent to exactly that address and port, as by
 * a NAT with address and port-dependent filtering (RFC 4787 section 5). Whatever cannot be passed on is dropped:
 * datagrams may be lost anywhere, and nobody is told.
 *
 * @module
 */

import type { Clock } from "../runtime/clock.ts";
import { Fault, toFault } from "../faults.ts";
import { formatAuthority, formatIpv4, formatIpv6, parseIp, unmapped } from "../addresses/host.ts";
import { readUdpRequest, writeUdpReply } from "../protocols/socks/socks5_udp.ts";
import type { DatagramOptions, DatagramSocket, Runtime, TcpAddress } from "../runtime/contract.ts";

/** Targets that are remembered, and addresses that may answer; beyond it the one used longest ago is forgotten. */
const MAX_TARGETS = 256;

/** Names that are looked up at once. */
const MAX_LOOKUPS = 16;

/** Datagrams that wait for one target's address, and for all of them. */
const MAX_WAITING_PER_TARGET = 4;
const MAX_WAITING = 64;

/** How long a target stays refused before it is looked at again, in milliseconds. */
const REFUSAL_TIME = 5_000;

/** Told of what moves, and of what does not. */
export interface AssociationObserver {
  /** The client names a target that is not remembered. */
  addressed(target: TcpAddress): void;
  /** A datagram with so many bytes was sent to an address. */
  sent(count: number, to: TcpAddress): void;
  /** A datagram with so many bytes was passed on to the client. */
  received(count: number): void;
  /** Datagrams to a target are dropped from now on. Told once while the target is remembered. */
  refused(target: TcpAddress, fault: Fault): void;
}

/** What an association needs. */
export interface AssociationOptions {
  readonly runtime: Pick<Runtime, "openDatagrams">;
  readonly clock: Pick<Clock, "now">;
  /** Our IP address as the client knows it: where its datagrams are taken. */
  readonly local: string;
  /** The client's IP address. */
  readonly client: string;
  /** Where the client says that it will send from (RFC 1928 section 4); zeros where it does not know. */
  readonly hint: TcpAddress;
  /** Looks a name up; given up when the association ends. */
  readonly resolve: (host: string, signal: AbortSignal) => Promise<readonly string[]>;
  /** Throws a `Fault` for a name that must not even be looked up. */
  readonly authorize: (target: TcpAddress) => void;
  /** Throws a `Fault` for an address that must not be sent to; `target` is how the client named it. Asked before each datagram. */
  readonly judge: (address: TcpAddress, target: TcpAddress) => void;
  /** Rejects for an address that takes time to find out about; asked once for each target. */
  readonly admit?: (address: TcpAddress) => Promise<void>;
  readonly observer: AssociationObserver;
}

/** How a target is reached. */
interface Route {
  readonly address: TcpAddress;
  readonly socket: DatagramSocket;
}

/** A target as the client names it. A name is looked up once: the address stays the same, whatever the name does. */
interface Target {
  readonly named: TcpAddress;
  route?: Route;
  /** Datagrams that wait for the route. */
  readonly waiting: Uint8Array[];
  refusedUntil: number;
  reported: boolean;
}

/** One client's datagrams. */
export class Association {
  readonly #options: AssociationOptions;
  readonly #local: string;
  readonly #client: string;
  readonly #over = new AbortController();
  readonly #sockets = new Set<DatagramSocket>();
  /** By the unspecified address that they are bound to: one for each family. */
  readonly #outgoing = new Map<string, Promise<DatagramSocket>>();
  readonly #targets = new Map<string, Target>();
  /** Addresses that may answer, those used last at the end. */
  readonly #peers = new Map<string, true>();
  #clientSocket: DatagramSocket | undefined;
  #clientPort: number | undefined;
  #lookups = 0;
  #waiting = 0;
  #dropped = 0;

  /** Nothing happens before it is opened. */
  constructor(options: AssociationOptions) {
    const { local, client, hint } = options;
    this.#options = options;
    this.#local = canonical(local);
    this.#client = canonical(client);
    const host = canonical(hint.host);
    const own = host === this.#client || host === "0.0.0.0" || host === "::";
    if (own && hint.port !== 0) this.#clientPort = hint.port;
  }

  /** How many datagrams were dropped, for whatever reason. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Binds the socket for the client, and settles with its address. Rejects with a `SocketError`. */
  async open(): Promise<TcpAddress> {
    const address = { host: this.#local, port: 0 };
    this.#clientSocket = await this.#open({ address, onDatagram: this.#fromClient });
    return this.#clientSocket.address;
  }

  /** Closes every socket, also those that are just being opened. Calling it again is harmless. */
  close(): void {
    this.#over.abort(new Fault("connection_terminated", "The association is over"));
    for (const socket of this.#sockets) socket.close();
    this.#sockets.clear();
  }

  async #open(options: DatagramOptions): Promise<DatagramSocket> {
    const socket = await this.#options.runtime.openDatagrams(options);
    const { signal } = this.#over;
    if (signal.aborted) {
      socket.close();
      throw signal.reason;
    }
    this.#sockets.add(socket);
    return socket;
  }

  readonly #fromClient = (bytes: Uint8Array, from: TcpAddress): void => {
    if (this.#over.signal.aborted) return;
    try {
      const known = canonical(from.host) === this.#client && from.port === (this.#clientPort ?? from.port);
      const request = known ? readUdpRequest(bytes) : undefined;
      if (!request) return this.#drop();
      this.#clientPort = from.port;
      this.#forward(request.target, request.payload);
    } catch {
      // A callback of the proxy's owner has failed. Nobody would catch it above a socket.
      this.#drop();
    }
  };

  readonly #fromTarget = (bytes: Uint8Array, from: TcpAddress): void => {
    if (this.#over.signal.aborted) return;
    try {
      const port = this.#clientPort;
      const peer = { host: canonical(from.host), port: from.port };
      if (port === undefined || !this.#peers.has(formatAuthority(peer))) return this.#drop();
      this.#clientSocket?.send(writeUdpReply(peer, bytes), { host: this.#client, port });
      this.#options.observer.received(bytes.length);
    } catch {
      this.#drop();
    }
  };

  #drop(count = 1): void {
    this.#dropped += count;
  }

  #forward(named: TcpAddress, payload: Uint8Array): void {
    const key = formatAuthority(named);
    const target = this.#targets.get(key) ?? this.#meet(named);
    remember(this.#targets, key, target);
    if (target.route) return this.#send(target, target.route, payload);
    const begun = target.waiting.length > 0;
    const full = target.waiting.length >= MAX_WAITING_PER_TARGET || this.#waiting >= MAX_WAITING;
    const busy = !begun && !parseIp(named.host) && this.#lookups >= MAX_LOOKUPS;
    if (full || busy || target.refusedUntil > this.#options.clock.now()) return this.#drop();
    target.waiting.push(payload);
    this.#waiting++;
    if (!begun) this.#prepare(target).catch(() => {});
  }

  #meet(named: TcpAddress): Target {
    this.#options.observer.addressed(named);
    return { named, waiting: [], refusedUntil: -Infinity, reported: false };
  }

  async #prepare(target: Target): Promise<void> {
    try {
      const route = target.route = await this.#routeTo(target.named);
      for (const payload of target.waiting) this.#send(target, route, payload);
    } catch (error) {
      if (this.#over.signal.aborted) return;
      this.#drop(target.waiting.length);
      this.#refuse(target, error);
    } finally {
      this.#waiting -= target.waiting.length;
      target.waiting.length = 0;
    }
  }

  /**
   * The first of the target's addresses that may be reached, and the socket of its family. Datagrams cannot be raced,
   * since nobody says that they arrive: the family that the client came by is known to work here, and goes first.
   */
  async #routeTo(named: TcpAddress): Promise<Route> {
    const hosts = parseIp(named.host) ? [named.host] : await this.#resolve(named);
    let refusal: unknown = new Fault("dns_error", `The name has no address: ${named.host}`);
    const isNear = (host: string) => host.includes(":") === this.#client.includes(":");
    const ordered = [...hosts.filter(isNear), ...hosts.filter((host) => !isNear(host))];
    for (const host of ordered.map(canonical)) {
      try {
        const address = { host, port: named.port };
        this.#options.judge(address, named);
        await this.#options.admit?.(address);
        return { address, socket: await this.#socketFor(host) };
      } catch (error) {
        refusal = error;
      }
    }
    throw refusal;
  }

  async #resolve(named: TcpAddress): Promise<readonly string[]> {
    this.#options.authorize(named);
    this.#lookups++;
    try {
      return await this.#options.resolve(named.host, this.#over.signal);
    } finally {
      this.#lookups--;
    }
  }

  #socketFor(host: string): Promise<DatagramSocket> {
    const any = host.includes(":") ? "::" : "0.0.0.0";
    let opening = this.#outgoing.get(any);
    if (!opening) {
      opening = this.#open({ address: { host: any, port: 0 }, onDatagram: this.#fromTarget });
      this.#outgoing.set(any, opening);
      opening.catch(() => this.#outgoing.delete(any));
    }
    return opening;
  }

  #send(target: Target, { address, socket }: Route, payload: Uint8Array): void {
    try {
      this.#options.judge(address, target.named);
    } catch (error) {
      this.#drop();
      return this.#refuse(target, error);
    }
    remember(this.#peers, formatAuthority(address), true);
    socket.send(payload, address);
    this.#options.observer.sent(payload.length, address);
  }

  #refuse(target: Target, error: unknown): void {
    target.refusedUntil = this.#options.clock.now() + REFUSAL_TIME;
    if (target.reported) return;
    target.reported = true;
    this.#options.observer.refused(target.named, toFault(error));
  }
}

/** Puts an entry last, and the first one out where there are too many. */
function remember<T>(entries: Map<string, T>, key: string, value: T): void {
  entries.delete(key);
  entries.set(key, value);
  if (entries.size > MAX_TARGETS) entries.delete(entries.keys().next().value!);
}

/** One spelling for each address; IPv4 mapped into IPv6 is IPv4. Names stay as they are. */
function canonical(host: string): string {
  const bytes = parseIp(host);
  if (!bytes) return host;
  const octets = unmapped(bytes);
  return octets.length === 4 ? formatIpv4(octets) : formatIpv6(octets);
}
