/**
 * The contract between the core and a JavaScript runtime. Types and prose; nothing here runs.
 *
 * The core proxies between {@link ByteStream}s and never learns where they come from: a TCP socket of
 * Deno, Bun or Node, a Unix socket, an in-memory pair, a MessagePort. An adapter in `adapters/` turns one
 * runtime's sockets into such streams and does nothing else. `tests/contract` runs the sentences
 * below against real sockets on every runtime; a new adapter is done when that suite passes.
 *
 * ## What every stream promises
 *
 * - `readable` is a byte stream (`type: "bytes"`, `highWaterMark: 0`). A BYOB read fills the caller's
 *   buffer, and the socket is read only while somebody waits for a read: nothing is prefetched.
 * - The peer's FIN ends `readable` and leaves `writable` open.
 * - `writable.close()` sends FIN and leaves `readable` open.
 * - `write()` settles when the kernel has taken all bytes of the chunk. That is the backpressure: memory per
 *   connection is bounded by its buffers, whatever the peer does. The chunk is not changed or
 *   transferred, and is not looked at again once `write()` has settled. It may be a view of larger memory, the rest of
 *   which belongs to other connections: what passes it on elsewhere passes on the view alone.
 * - `writable.abort()` destroys the connection at once, with a reset (RST) where the runtime can send one.
 *   `readable.cancel()` destroys it too, but lets the kernel deliver what was written before.
 *   Both free the descriptor whatever state the other half is in. (On a stream that has failed already,
 *   the streams standard has `cancel()` reject with the failure.)
 * - A failed write ends writing and nothing else: `readable` still brings what the peer has sent before, and then
 *   tells itself how it ended. So a server's answer arrives although it did not take the whole request.
 * - A reset by the peer rejects the pending read and the pending write, and every later one, with a
 *   {@link SocketError} whose code is `connection_terminated`. Bytes that came before the reset are read before it.
 *   A reset is told by `readable` also where a write has met it first (the system tells it only once), so that a
 *   stream that was cut never looks like one that has ended.
 * - Once both halves have ended, by FIN or a failed write, the descriptor is freed without anyone's further help.
 * - TCP sockets have Nagle's algorithm switched off (TCP_NODELAY) and keep-alive probes on.
 *
 * ## What every adapter promises
 *
 * - Nothing escapes as an unhandled rejection or an `error` event.
 * - Failures of `listen`, `dial` and `resolve` reject with a {@link SocketError} whose message names the address.
 * - Accept errors that pass (no descriptors left, a client that was gone before it was accepted) never end
 *   the listener, and never make it spin: they are waited out, or the surplus is closed.
 * - Making the adapter in another runtime throws a plain message that says so.
 *
 * @module
 */

import type { DirectPort } from "./direct_port.ts";

/** An IP address or host name with its TCP port, or the path of a Unix socket. */
export type Address = TcpAddress | UnixAddress;

/** Where a TCP connection ends. */
export interface TcpAddress {
  /** An IP address without brackets or zone, or (before it is resolved) a host name. */
  readonly host: string;
  /** 0 to 65535; 0 lets the system choose where one listens. */
  readonly port: number;
}

/** Where a Unix socket lives. */
export interface UnixAddress {
  /** The socket's path; empty for the unnamed socket of a connecting client. */
  readonly path: string;
}

/** A connection: bytes in, bytes out, each half with its own end. */
export interface ByteStream {
  /** What the peer sends. */
  readonly readable: ReadableStream<Uint8Array>;
  /** What the peer is sent. */
  readonly writable: WritableStream<Uint8Array>;
  /** The same connection without streams around it, where there is such a thing: used instead of the pair. */
  readonly port?: DirectPort;
  /** Our end. */
  readonly local: Address;
  /** The peer's end. */
  readonly remote: Address;
}

/** A bound socket. Iterating accepts; the iteration ends when the listener is closed. */
export interface Listener extends AsyncIterable<ByteStream> {
  /** The address that was bound, with the port that the system chose. */
  readonly address: Address;
  /**
   * Stops accepting and frees the port (and unlinks a Unix socket's file). Streams already accepted live on.
   * Settles when a new client would be refused. Calling it again is harmless.
   */
  close(): Promise<void>;
}

/** How to listen. */
export interface ListenOptions {
  /** An IP address or `localhost` with a port, or a path. */
  readonly address: Address;
  /**
   * Lets other workers of this program listen on the same TCP address, each of which says so too; every client
   * comes to one of them. How, {@link Runtime.sharing} tells. Unix sockets are never shared.
   */
  readonly shared?: boolean;
}

/** How several workers of a program serve the same TCP addresses. */
export interface Sharing {
  /** What a worker is: a process, forked by `node:cluster`, or a thread of `node:worker_threads`. */
  readonly workers: "processes" | "threads";
  /**
   * Who spreads the clients: the kernel, among sockets of which each worker has its own (SO_REUSEPORT), or the process
   * that has forked the workers, which accepts and hands connections over. In that case all of them have to ask for
   * the same port, be it 0.
   */
  readonly by: "kernel" | "primary";
}

/** How to dial. */
export interface DialOptions {
  /** Aborting it abandons the attempt, frees the socket and rejects with the signal's reason. */
  readonly signal?: AbortSignal;
}

/** How to resolve. */
export interface ResolveOptions {
  /** Aborting it rejects at once with the signal's reason; a late answer is dropped. */
  readonly signal?: AbortSignal;
  /** Name servers to ask instead of the system, as `IP`, `IP:PORT` or `[IPV6]:PORT`. */
  readonly servers?: readonly string[];
}

/** What a name resolved to. */
export interface Resolution {
  /** IP addresses in the order of preference, at least one. */
  readonly addresses: readonly string[];
  /** Seconds that the answer is good for, where the runtime tells it. */
  readonly ttl?: number;
}

/** How to open a socket for datagrams. */
export interface DatagramOptions {
  /** The IP address to bind, and a port; 0 lets the system choose. */
  readonly address: TcpAddress;
  /** Called for every datagram; the bytes are the callee's own. It must not throw. */
  readonly onDatagram: (bytes: Uint8Array, from: TcpAddress) => void;
}

/** A bound UDP socket. */
export interface DatagramSocket {
  /** The address that was bound, with the port that the system chose. */
  readonly address: TcpAddress;
  /** Sends one datagram. Nobody learns whether it arrived: one that cannot be sent is lost, as on the way. */
  send(bytes: Uint8Array, to: TcpAddress): void;
  /** Frees the descriptor; nothing is delivered afterwards. Calling it again is harmless. */
  close(): void;
}

/** A certificate with its key. */
export interface Certificate {
  /** The chain in PEM, the server's own certificate first. */
  readonly cert: string;
  /** Its private key in PEM. */
  readonly key: string;
}

/** How to answer a TLS client. */
export interface TlsServerOptions {
  /** At least one. The first whose names (subjectAltName) cover the name that the client asks for (SNI), or else the first. */
  readonly certificates: readonly Certificate[];
  /** Certificates in PEM: a client must have one that they have signed. Nobody is asked for one without them. */
  readonly clientCa?: string;
  /** The oldest version that is spoken; TLSv1.2 by default. */
  readonly minVersion?: "TLSv1.2" | "TLSv1.3";
  /** Aborting it destroys the connection and rejects with the signal's reason. */
  readonly signal?: AbortSignal;
}

/** How to speak TLS to a server. */
export interface TlsClientOptions {
  /** The name that the certificate must cover, sent as SNI where it is no IP address. */
  readonly serverName: string;
  /** The authorities to trust, in PEM, in place of the system's or the runtime's own. */
  readonly ca?: string;
  /**
   * `sha256/` and the base64 of the SHA-256 of the server's public key (SubjectPublicKeyInfo, RFC 7469 section 2.4).
   * Whoever has that key is trusted, and nobody else: names and authorities do not count then.
   */
  readonly pin?: string;
  /** What we show to a server that asks who we are. */
  readonly certificate?: Certificate;
  /** The oldest version that is spoken; TLSv1.2 by default. */
  readonly minVersion?: "TLSv1.2" | "TLSv1.3";
  /** Aborting it destroys the connection and rejects with the signal's reason. */
  readonly signal?: AbortSignal;
}

/**
 * What went wrong on a socket, in the words of RFC 9209 section 2.3 where it has one.
 *
 * `address_in_use`, `address_unavailable` and `permission_denied` come from `listen` alone;
 * `connection_limit_reached` means that the process has no descriptors left. A Unix path that does not exist is
 * `destination_unavailable`, one that nobody listens on `connection_refused`; dialing a name (also `127.1`) is
 * `proxy_internal_error`, since names are resolved before.
 */
export type SocketErrorCode =
  | "address_in_use"
  | "address_unavailable"
  | "permission_denied"
  | "connection_limit_reached"
  | "connection_refused"
  | "connection_terminated"
  | "connection_timeout"
  | "destination_ip_unroutable"
  | "destination_unavailable"
  | "dns_error"
  | "dns_timeout"
  | "name_server_failed"
  | "tls_alert_received"
  | "tls_certificate_error"
  | "tls_protocol_error"
  | "proxy_internal_error";

/** The error that adapters throw: an `Error` with a code, and the runtime's own error as its cause. */
export interface SocketError extends Error {
  /** What went wrong. */
  readonly code: SocketErrorCode;
  /** The runtime's own error. */
  readonly cause?: unknown;
}

/** A JavaScript runtime as the core sees it. */
export interface Runtime {
  /** For messages to people; nothing depends on it. */
  readonly name: string;
  /** Binds and listens on TCP or a Unix socket. */
  listen(options: ListenOptions): Promise<Listener>;
  /**
   * How workers share addresses here. Throws an `Error` that says why they cannot, and what to do. A runtime without
   * it has no workers.
   */
  sharing?(): Sharing;
  /** Connects to an IP address or a Unix socket, never to a name: what policy judged is what is dialed. */
  dial(to: Address, options?: DialOptions): Promise<ByteStream>;
  /**
   * The addresses of a host name, as the system or the given name servers have them. Rejects with `dns_timeout` where
   * servers were silent, `dns_error` where there is no such name or it has no address, and `name_server_failed` where
   * no server said either: SERVFAIL, REFUSED, a malformed answer, a server that cannot be reached. However many names
   * hang, others are resolved and files are written.
   */
  resolve(host: string, options?: ResolveOptions): Promise<Resolution>;
  /** Binds a UDP socket. */
  openDatagrams(options: DatagramOptions): Promise<DatagramSocket>;
  /**
   * Answers the TLS client at the other end of a stream, and settles with what it says inside. The stream is a fresh
   * one of this runtime or any other; it is taken over, and destroyed where the handshake fails: with
   * `tls_alert_received` where the peer said why, `tls_certificate_error` for a certificate that is not good enough,
   * `tls_protocol_error` for everything else. Ends by close_notify: what ends without one is `connection_terminated`.
   * On Bun nothing can be sent behind the peer's close_notify: writes fail with `connection_terminated` then.
   */
  acceptTls(stream: ByteStream, options: TlsServerOptions): Promise<ByteStream>;
  /** Speaks TLS to the server at the other end of a stream; otherwise as `acceptTls`. */
  connectTls(stream: ByteStream, options: TlsClientOptions): Promise<ByteStream>;
  /**
   * How many descriptors this process may hold, where it can be known without asking for a permission;
   * undefined otherwise. The core keeps its connections below it.
   */
  descriptorLimit(): number | undefined;
  /**
   * The IP addresses of this machine's interfaces, without zones; none where they cannot be known without asking for
   * a permission.
   */
  ownAddresses(): readonly string[];
  /** An environment variable, where there is one that can be read without asking for a permission. */
  environment(name: string): string | undefined;
  /** The names of all environment variables; none where they cannot be listed without asking for a permission. */
  environmentNames(): readonly string[];
  /**
   * Why an environment variable cannot be read without asking for a permission, and what to do; undefined where it
   * can be. A runtime without it can read all.
   */
  environmentDenied?(name: string): string | undefined;
}
