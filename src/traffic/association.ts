/**
 * A SOCKS5 association: datagrams between one client and any number of targets (RFC 1928 section 7).
 *
 * It takes datagrams from the client's own IP address only, and from one port: that of the client's request, or else
 * that of its first datagram. It passes a target's answer on if the client has sent to exactly that address and port,
 * as a NAT with address and port-dependent filtering does (RFC 4787 section 5). It drops the rest and tells nobody,
 * since datagrams may be lost anywhere.
 *
 * @module
 */

import type { Clock } from "../runtime/clock.ts";
import { Fault, toFault } from "../faults.ts";
import { formatAuthority, formatIpv4, formatIpv6, parseIp, unmapped } from "../addresses/host.ts";
import type { Paces } from "./pace.ts";
import { readUdpRequest, writeUdpReply } from "../protocols/socks/socks5_udp.ts";
import type { DatagramOptions, DatagramSocket, Runtime, TcpAddress } from "../runtime/contract.ts";

/**
 * The most targets that are remembered, and the most addresses that may answer. The one used longest ago goes first.
 */
const MAX_TARGETS = 256;

/** The most names that are looked up at once. */
const MAX_LOOKUPS = 16;

/** The most datagrams that wait for the address of one target, and of all targets together. */
const MAX_WAITING_PER_TARGET = 4;
const MAX_WAITING = 64;

/** How long a target stays refused before it is tried again, in milliseconds. */
const REFUSAL_TIME = 5_000;

/** Told of datagrams that move, and of targets that are refused. */
export interface AssociationObserver {
  /** The client names a target that is not remembered. */
  addressed(target: TcpAddress): void;
  /** A datagram with `count` bytes was sent to an address. */
  sent(count: number, to: TcpAddress): void;
  /** A datagram with `count` bytes was passed on to the client. */
  received(count: number): void;
  /** From now on, datagrams to a target are dropped. Told once while the target is remembered. */
  refused(target: TcpAddress, fault: Fault): void;
}

/** What an association needs. */
export interface AssociationOptions {
  readonly runtime: Pick<Runtime, "openDatagrams">;
  readonly clock: Pick<Clock, "now">;
  /** Our IP address as the client knows it. Its datagrams arrive there. */
  readonly local: string;
  /** The client's IP address. */
  readonly client: string;
  /** The address from which the client says it will send (RFC 1928 section 4); zeros if it does not know. */
  readonly hint: TcpAddress;
  /** Looks a name up. The signal aborts when the association ends. */
  readonly resolve: (
    host: string,
    signal: AbortSignal,
  ) => readonly string[] | Promise<readonly string[]>;
  /** Throws a `Fault` if a name must not be looked up. */
  readonly authorize: (target: TcpAddress) => void;
  /** The address of this machine to send to a host from, for what was named. Undefined: the system chooses. */
  readonly from?: (host: string, named: TcpAddress) => string | undefined;
  /**
   * Throws a `Fault` if nothing may be sent to an address. `target` is how the client named it. Asked before each
   * datagram.
   */
  readonly judge: (address: TcpAddress, target: TcpAddress) => void;
  /** Rejects if nothing may be sent to an address, where finding out takes time. Asked once for each target. */
  readonly admit?: (address: TcpAddress) => Promise<void>;
  readonly observer: AssociationObserver;
  /** How fast datagrams may move, where that is limited. */
  readonly paces?: Paces;
}

/** The address of a target, and the socket that sends to it. */
interface Route {
  readonly address: TcpAddress;
  readonly socket: DatagramSocket;
}

/** A target as the client names it. A name is looked up once, so its address does not change afterwards. */
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
  /** The sockets to targets, one for each IP family, by the unspecified address that they are bound to. */
  readonly #outgoing = new Map<string, Promise<DatagramSocket>>();
  readonly #targets = new Map<string, Target>();
  /** Addresses that may answer; the most recently used is last. */
  readonly #peers = new Map<string, true>();
  #clientSocket: DatagramSocket | undefined;
  #clientPort: number | undefined;
  #lookups = 0;
  #waiting = 0;
  #dropped = 0;

  /** Opens nothing yet. */
  constructor(options: AssociationOptions) {
    const { local, client, hint } = options;
    this.#options = options;
    this.#local = canonical(local);
    this.#client = canonical(client);
    const host = canonical(hint.host);
    const own = host === this.#client || host === "0.0.0.0" || host === "::";
    if (own && hint.port !== 0) this.#clientPort = hint.port;
  }

  /** How many datagrams were dropped, for any reason. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Binds the socket for the client, and resolves to its address. Rejects with a `SocketError`. */
  async open(): Promise<TcpAddress> {
    const address = { host: this.#local, port: 0 };
    this.#clientSocket = await this.#open({ address, onDatagram: this.#fromClient });
    return this.#clientSocket.address;
  }

  /** Closes every socket, including those that are still being opened. Calling it again does nothing. */
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
      // A callback of the library's user has thrown. A socket's callback has no caller that could catch it.
      this.#drop();
    }
  };

  readonly #fromTarget = (bytes: Uint8Array, from: TcpAddress): void => {
    if (this.#over.signal.aborted) return;
    try {
      const port = this.#clientPort;
      const peer = { host: canonical(from.host), port: from.port };
      if (port === undefined || !this.#peers.has(formatAuthority(peer))) return this.#drop();
      if (this.#options.paces?.down?.passes(bytes.length) === false) return this.#drop();
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
   * The first of the target's addresses that is allowed, and the socket of its family. Datagrams cannot be raced,
   * because nothing proves that a datagram arrived. The family that the client came by works here, so it goes first.
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
        return { address, socket: await this.#socketFor(host, named) };
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

  #socketFor(host: string, named: TcpAddress): Promise<DatagramSocket> {
    const from = this.#options.from?.(host, named) ?? (host.includes(":") ? "::" : "0.0.0.0");
    let opening = this.#outgoing.get(from);
    if (!opening) {
      opening = this.#open({ address: { host: from, port: 0 }, onDatagram: this.#fromTarget });
      this.#outgoing.set(from, opening);
      opening.catch(() => this.#outgoing.delete(from));
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
    if (this.#options.paces?.up?.passes(payload.length) === false) return this.#drop();
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

/** Puts an entry last. If there are too many, removes the first. */
function remember<T>(entries: Map<string, T>, key: string, value: T): void {
  entries.delete(key);
  entries.set(key, value);
  if (entries.size > MAX_TARGETS) entries.delete(entries.keys().next().value!);
}

/** One spelling for each address; an IPv4 address mapped into IPv6 becomes IPv4. Names stay as they are. */
function canonical(host: string): string {
  const bytes = parseIp(host);
  if (!bytes) return host;
  const octets = unmapped(bytes);
  return octets.length === 4 ? formatIpv4(octets) : formatIpv6(octets);
}
