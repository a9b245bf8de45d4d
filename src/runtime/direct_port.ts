/**
 * The contract of direct ports. Types and prose; nothing here runs.
 *
 * A WHATWG stream costs a handful of promises per chunk and some kilobytes per connection: nothing for bulk data,
 * as much again as the whole proxy for small messages. A `ByteStream` may therefore carry a port beside its
 * pair: the same connection with the same promises (FIN, reset, backpressure, nothing read that nobody waits for),
 * in calls that may be answered at once. Whoever uses the port leaves the pair alone, and the other way round.
 * The core wraps the pair of a stream without one (see `stream_port.ts`), and nothing but `byte_reader.ts`
 * and `byte_writer.ts` can tell.
 *
 * - {@link DirectPort.pull} asks for bytes. It is answered once, by `receive`, `end` or `fail`, perhaps before it
 *   returns. While an answer is due it is not called again. `receive` says whether it asks for the next
 *   bytes; it may also call `pull` itself, and then says no.
 * - Behind `end` and `fail` nothing comes; a later `pull` is answered the same way again.
 * - One write at a time: the next begins when the one before has settled.
 *
 * @module
 */

/** Whoever reads a port. None of its methods throws. */
export interface PortReceiver {
  /** Memory for one read, for ports whose sockets have none of their own. It is the port's until it has answered. */
  lend(): Uint8Array<ArrayBuffer>;
  /**
   * Takes at least one byte: at the beginning of the lent memory, or else in memory of the port's. Where the port
   * {@link DirectPort.gives} it, it is the receiver's from then on. Otherwise it is valid until this returns, and, where
   * it was passed on to `write()` of a port of the same runtime meanwhile, until that write has settled. Answers whether
   * it waits for more.
   */
  receive(bytes: Uint8Array<ArrayBuffer>): boolean;
  /** The peer has sent FIN. `memory` is the lent memory, where some was lent. */
  end(memory?: Uint8Array<ArrayBuffer>): void;
  /** The connection is broken: a `SocketError`. */
  fail(error: unknown): void;
}

/** A connection without streams around it. */
export interface DirectPort {
  /** Whether what it brings comes each time in new memory, which it does not use again. */
  readonly gives?: boolean;
  /** Asks for the next bytes. */
  pull(receiver: PortReceiver): void;
  /**
   * Sends bytes. Undefined when the kernel has taken them all; otherwise settles when it has, as `write()` of a stream.
   * Where it rejects, writing is over: every later write rejects too, and `close()` has nothing left to do. Reading is
   * not over: `pull` goes on until the peer's bytes, and then its end, have been told.
   */
  write(bytes: Uint8Array): Promise<void> | undefined;
  /**
   * How much of the write under way the kernel has not taken: 0 where no write waits, and otherwise about as many bytes.
   * It changes whenever the kernel takes some, so that two looks tell a slow reader from one that takes nothing.
   */
  readonly unsent: number;
  /** Sends FIN. Undefined when nothing is left to wait for. Not called while a write is under way, nor twice. */
  close(): Promise<void> | undefined;
  /**
   * Frees the descriptor, with a reset where one is asked for and the runtime can send one; otherwise what was written
   * before still arrives. A pull, a write or a close under way fails. Harmless when called again.
   */
  destroy(options: { readonly reset: boolean }): void;
}
