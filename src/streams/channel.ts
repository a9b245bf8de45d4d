/**
 * A connection as the core uses it: a byte stream with a buffered reader and a writer.
 *
 * @module
 */

import { ByteReader } from "./byte_reader.ts";
import { ByteWriter } from "./byte_writer.ts";
import type { DirectPort } from "../runtime/direct_port.ts";
import type { Fault, Side } from "../faults.ts";
import type { Address, ByteStream } from "../runtime/contract.ts";
import { StreamPort } from "./stream_port.ts";

/** One end of a connection: bytes in, bytes out, and where they come from. */
export class Channel {
  readonly reader: ByteReader;
  readonly writer: ByteWriter;
  /** The port under the reader and the writer, for a layer that replaces both (see `channel_stream.ts`). */
  readonly port: DirectPort;
  /** What tells the two addresses: the stream, which may have to ask the system, or what the peer has told. */
  #ends: Pick<ByteStream, "local" | "remote">;

  /** Takes the stream over; nobody else may read or write it afterwards. */
  constructor(stream: ByteStream, side: Side) {
    this.port = stream.port ?? new StreamPort(stream);
    this.reader = new ByteReader(this.port, side);
    this.writer = new ByteWriter(this.port, side);
    this.#ends = stream;
  }

  /** Our end of the connection. */
  get local(): Address {
    return this.#ends.local;
  }

  /** The peer's end. */
  get remote(): Address {
    return this.#ends.remote;
  }

  /** Replaces the addresses by those that the peer has told, of the connection that it passes on. */
  introduce({ source, destination }: { readonly source: Address; readonly destination: Address }): void {
    this.#ends = { local: destination, remote: source };
  }

  /** Destroys the connection at once, with a reset where the runtime can send one. Calling it again does nothing. */
  cut(fault: Fault): void {
    // This goes first, so that waiting readers get this fault and not that of a closed socket.
    this.reader.fail(fault);
    this.writer.cut(fault);
    this.reader.cut(fault);
  }

  /**
   * Gives the connection up when both sides are done with it. What was written before still arrives. Bytes that were
   * read must not be used any more.
   */
  drop(fault: Fault): void {
    this.reader.cut(fault);
    this.writer.cut(fault);
    this.reader.free();
  }
}
