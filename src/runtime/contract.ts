/**
 * The contract between the core and a JavaScript runtime. Types and prose; nothing here runs.
 *
 * The core proxies between {@link ByteStream}s and never learns where they come from: a TCP socket of Deno, Bun or
 * Node, a Unix socket, an in-memory pair, a MessagePort. An adapter in `adapters/` turns one runtime's sockets into
 * such streams and does nothing else. `tests/contract` checks the sentences below against real sockets on every
 * runtime. A new adapter is done when that suite passes.
 *
 * ## What every stream promises
 *
 * - `readable` is a byte stream (`type: "bytes"`, `highWaterMark: 0`). A BYOB read fills the caller's buffer, and the
 *   socket is read only while somebody waits for a read: nothing is prefetched.
 * - The peer's FIN ends `readable` and leaves `writable` open.
 * - `writable.close()` sends FIN and leaves `readable` open.
 * - `write()` settles when the kernel has taken all bytes of the chunk. That is the backpressure: memory per connection
 *   is bounded by its buffers, whatever the peer does. The stream does not change or transfer the chunk, and does not
 *   read it after `write()` has settled. The chunk may be a view of larger memory that also holds bytes of other
 *   connections, so only the view may be passed on.
 * - `writable.abort()` destroys the connection at once, with a reset (RST) where the runtime can send one.
 *   `readable.cancel()` destroys it, too, but lets the kernel deliver what was written before. Both free the
 *   descriptor, whatever state the other half is in. (On a stream that has already failed, the streams standard makes
 *   `cancel()` reject with the failure.)
 * - A failed write ends only writing. `readable` still brings what the peer has sent before, and then ends or fails by
 *   itself. So a server's answer arrives even if the server did not take the whole request.
 * - A reset by the peer rejects the pending read and the pending write, and every later one, with a {@link SocketError}
 *   whose code is `connection_terminated`. Bytes that came before the reset are read first. The system reports a reset
 *   only once: if a write has met it, `readable` still fails with it, so a cut stream never looks like an ended one.
 * - Once both halves have ended, by FIN or a failed write, the stream frees the descriptor by itself.
 * - TCP sockets have Nagle's algorithm switched off (TCP_NODELAY) and keep-alive probes on.
 *
 * ## What every adapter promises
 *
 * - Nothing escapes as an unhandled rejection or an `error` event.
 * - Failures of `listen`, `dial` and `resolve` reject with a {@link SocketError} whose message names the address.
 * - Temporary errors of accept (no descriptors left, a client that left before it was accepted) neither end the
 *   listener nor make it spin: the adapter waits until they pass, or closes the surplus.
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

/** The address of a Unix socket. */
export interface UnixAddress {
  /** The socket's path; empty for the unnamed socket of a connecting client. */
  readonly path: string;
}

/** A connection: bytes in, bytes out, each half with its own end. */
export interface ByteStream {
  /** Bytes from the peer. */
  readonly readable: ReadableStream<Uint8Array>;
  /** Bytes to the peer. */
  readonly writable: WritableStream<Uint8Array>;
  /** The same connection without streams around it. If there is one, it is used instead of the pair. */
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
   * Stops accepting and frees the port (and unlinks a Unix socket's file). Streams already accepted live on. Settles
   * when a new client would be refused. Calling it again does nothing.
   */
  close(): Promise<void>;
}

/** How to listen. */
export interface ListenOptions {
  /** An IP address or `localhost` with a port, or a path. */
  readonly address: Address;
  /**
   * Lets other workers of this program listen on the same TCP address, if each of them sets this, too. Every client
   * comes to one of them; {@link Runtime.sharing} tells how. Unix sockets are never shared.
   */
  readonly shared?: boolean;
}

/** How several workers of a program serve the same TCP addresses. */
export interface Sharing {
  /** What a worker is: a process, forked by `node:cluster`, or a thread of `node:worker_threads`. */
  readonly workers: "processes" | "threads";
  /**
   * Who spreads the clients. `kernel`: each worker has a socket of its own (SO_REUSEPORT). `primary`: the process that
   * has forked the workers accepts, and hands connections over; all workers then have to ask for the same port, which
   * may be 0.
   */
  readonly by: "kernel" | "primary";
}

/** How to dial. */
export interface DialOptions {
  /** Aborting it abandons the attempt, frees the socket and rejects with the signal's reason. */
  readonly signal?: AbortSignal;
  /** The IP address of this machine to dial from, of the same family. By default the system chooses. */
  readonly local?: string;
}

/** How to resolve. */
export interface ResolveOptions {
  /** Aborting it rejects at once with the signal's reason; a late answer is dropped. */
  readonly signal?: AbortSignal;
  /** Name servers to ask instead of the system, as `IP`, `IP:PORT` or `[IPV6]:PORT`. */
  readonly servers?: readonly string[];
}

/** The addresses of a name. */
export interface Resolution {
  /** IP addresses in the order of preference, at least one. */
  readonly addresses: readonly string[];
  /** For how many seconds the answer is valid, if the runtime tells it. */
  readonly ttl?: number;
}

/** How to open a socket for datagrams. */
export interface DatagramOptions {
  /** The IP address to bind, and a port; 0 lets the system choose. */
  readonly address: TcpAddress;
  /** Called for every datagram. The bytes belong to the callee. It must not throw. */
  readonly onDatagram: (bytes: Uint8Array, from: TcpAddress) => void;
}

/** A bound UDP socket. */
export interface DatagramSocket {
  /** The address that was bound, with the port that the system chose. */
  readonly address: TcpAddress;
  /**
   * Sends one datagram. Nobody learns whether it arrived: a datagram that cannot be sent is lost, as it may be on the
   * way.
   */
  send(bytes: Uint8Array, to: TcpAddress): void;
  /** Frees the descriptor. Delivers nothing afterwards. Calling it again does nothing. */
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
  /**
   * At least one. Takes the first that is valid (subjectAltName) for the name that the client asks for (SNI); if there
   * is none, the first.
   */
  readonly certificates: readonly Certificate[];
  /**
   * Authorities in PEM. A client must have a certificate that one of them has signed. Undefined: clients are not asked
   * for a certificate.
   */
  readonly clientCa?: string;
  /** The oldest version that is allowed; TLSv1.2 by default. */
  readonly minVersion?: "TLSv1.2" | "TLSv1.3";
  /** Aborting it destroys the connection and rejects with the signal's reason. */
  readonly signal?: AbortSignal;
}

/** How to speak TLS to a server. */
export interface TlsClientOptions {
  /** The name that the certificate must cover. Sent as SNI unless it is an IP address. */
  readonly serverName: string;
  /** The authorities to trust, in PEM, instead of the system's or the runtime's own. */
  readonly ca?: string;
  /**
   * `sha256/` and the base64 of the SHA-256 of the server's public key (SubjectPublicKeyInfo, RFC 7469 section 2.4).
   * Trusts only a server with that key; names and authorities do not count then.
   */
  readonly pin?: string;
  /** The certificate that we show to a server that asks for one. */
  readonly certificate?: Certificate;
  /** The oldest version that is allowed; TLSv1.2 by default. */
  readonly minVersion?: "TLSv1.2" | "TLSv1.3";
  /** Aborting it destroys the connection and rejects with the signal's reason. */
  readonly signal?: AbortSignal;
}

/**
 * What went wrong on a socket, in the words of RFC 9209 section 2.3 where it has one.
 *
 * Only `listen` fails with `address_in_use`, `address_unavailable` and `permission_denied`. `connection_limit_reached`
 * means that the process has no descriptors left. A Unix path that does not exist is `destination_unavailable`; one
 * without a listener is `connection_refused`. Dialing a name (also `127.1`) is `proxy_internal_error`, because names
 * are resolved before.
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
  /** For messages only; nothing depends on it. */
  readonly name: string;
  /** Binds and listens on TCP or a Unix socket. */
  listen(options: ListenOptions): Promise<Listener>;
  /**
   * How workers share addresses here. Throws an `Error` that says why they cannot, and what to do. A runtime without
   * this method has no workers.
   */
  sharing?(): Sharing;
  /**
   * Connects to an IP address or a Unix socket. It takes no names, so that it dials exactly the address that was
   * judged.
   */
  dial(to: Address, options?: DialOptions): Promise<ByteStream>;
  /**
   * The addresses of a host name, from the system or the given name servers. Rejects with `dns_timeout` if the servers
   * were silent, with `dns_error` if the name does not exist or has no address, and with `name_server_failed` if no
   * server said either (SERVFAIL, REFUSED, a malformed answer, a server that cannot be reached). Lookups that hang,
   * however many, must not delay others or the writing of files.
   */
  resolve(host: string, options?: ResolveOptions): Promise<Resolution>;
  /** Binds a UDP socket. */
  openDatagrams(options: DatagramOptions): Promise<DatagramSocket>;
  /**
   * Answers the TLS client at the other end of a stream, and resolves to the stream inside TLS. The stream has to be
   * fresh, and may come from this runtime or any other. This call takes it over, and destroys it if the handshake
   * fails. Then the code is `tls_alert_received` if the peer said why, `tls_certificate_error` if a certificate is not
   * accepted, and otherwise `tls_protocol_error`. A peer that ends without close_notify causes `connection_terminated`.
   * On Bun nothing can be sent after the peer's close_notify: writes then fail with `connection_terminated`.
   */
  acceptTls(stream: ByteStream, options: TlsServerOptions): Promise<ByteStream>;
  /** Speaks TLS to the server at the other end of a stream; otherwise like `acceptTls`. */
  connectTls(stream: ByteStream, options: TlsClientOptions): Promise<ByteStream>;
  /**
   * How many descriptors this process may hold. Undefined if that cannot be found out without asking for a permission.
   * The core keeps the number of its connections below it.
   */
  descriptorLimit(): number | undefined;
  /**
   * The IP addresses of this machine's interfaces, or of the one that is named, without zones. Empty if they cannot be
   * found out without asking for a permission.
   */
  ownAddresses(name?: string): readonly string[];
  /** An environment variable. Undefined if it is not set, or cannot be read without asking for a permission. */
  environment(name: string): string | undefined;
  /** The names of all environment variables. Empty if they cannot be listed without asking for a permission. */
  environmentNames(): readonly string[];
  /**
   * Why an environment variable cannot be read without asking for a permission, and what to do. Undefined if it can be
   * read. A runtime without this method can read all.
   */
  environmentDenied?(name: string): string | undefined;
  /**
   * The command that starts this program again, for a service: the executable, what it needs to be allowed, and the
   * program, unless that is part of the executable.
   */
  command?(): readonly string[];
}
