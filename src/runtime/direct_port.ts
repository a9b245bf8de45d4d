/**
 * The contract of direct ports. Types and prose; nothing here runs.
 *
 * A WHATWG stream costs a handful of promises per chunk and some kilobytes per connection. For bulk data that is
 * nothing; for small messages it doubles the cost of the whole proxy. So a `ByteStream` may carry a port beside its
 * pair: the same connection with the same promises (FIN, reset, backpressure, no read before somebody waits for it), in
 * calls that may be answered at once. Use either the port or the pair, never both. If a stream has no port, the core
 * wraps its pair (see `stream_port.ts`); only `byte_reader.ts` and `byte_writer.ts` use ports.
 *
 * - {@link DirectPort.pull} asks for bytes. It is answered once, by `receive`, `end` or `fail`, perhaps before it
 *   returns. It is not called again before it is answered. `receive` returns whether it asks for the next bytes; it may
 *   also call `pull` itself, and then returns false.
 * - After `end` and `fail` nothing comes; a later `pull` gets the same answer again.
 * - One write at a time: the next begins when the one before has settled.
 *
 * @module
 */

/** The reader of a port. None of its methods throws. */
export interface PortReceiver {
  /** Memory for one read, for ports whose sockets have none of their own. The port may use it until it answers. */
  lend(): Uint8Array<ArrayBuffer>;
  /**
   * Takes at least one byte: at the beginning of the lent memory, or in memory of the port. Returns whether the
   * receiver waits for more. How long `bytes` are valid:
   *
   * - For good, if the port {@link DirectPort.gives} its memory.
   * - Until that write has settled, if this method passes them to `write()` of a port of the same runtime.
   * - Otherwise until this method returns.
   */
  receive(bytes: Uint8Array<ArrayBuffer>): boolean;
  /** The peer has sent FIN. `memory` is the lent memory, if there is any. */
  end(memory?: Uint8Array<ArrayBuffer>): void;
  /** The connection is broken. The error is a `SocketError`. */
  fail(error: unknown): void;
}

/** A connection without streams around it. */
export interface DirectPort {
  /** Whether each read comes in new memory, which the port does not use again. */
  readonly gives?: boolean;
  /** Whether a read detaches the memory that is lent to it, as a BYOB read does. Such memory cannot be resizable. */
  readonly detaches?: boolean;
  /** Asks for the next bytes. */
  pull(receiver: PortReceiver): void;
  /**
   * Sends bytes. Undefined if the kernel has taken them all; otherwise settles when it has, like `write()` of a stream.
   * If it rejects, writing is over: every later write rejects, too, and `close()` has nothing left to do. Reading goes
   * on: `pull` still brings the peer's bytes, and then the end.
   */
  write(bytes: Uint8Array): Promise<void> | undefined;
  /**
   * How much of the current write the kernel has not taken: 0 if no write waits, otherwise about the number of bytes.
   * It changes whenever the kernel takes some, so that two looks tell a slow peer from one that takes nothing.
   */
  readonly unsent: number;
  /** Sends FIN. Undefined if there is nothing to wait for. Not called during a write, and not called twice. */
  close(): Promise<void> | undefined;
  /**
   * Frees the descriptor. With `reset`, sends a reset if the runtime can; otherwise what was written before still
   * arrives. The current pull, write or close fails. Calling it again does nothing.
   */
  destroy(options: { readonly reset: boolean }): void;
}
