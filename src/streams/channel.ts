/**
 * A connection as the core works with it: a byte stream with a buffered reader and a writer.
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
  /** What both use: for who takes over from them (see `channel_stream.ts`). */
  readonly port: DirectPort;
  #local: Address;
  #remote: Address;

  /** Takes the stream over; nobody else may read or write it afterwards. */
  constructor(stream: ByteStream, side: Side) {
    this.port = stream.port ?? new StreamPort(stream);
    this.reader = new ByteReader(this.port, side);
    this.writer = new ByteWriter(this.port, side);
    this.#local = stream.local;
    this.#remote = stream.remote;
  }

  /** Our end of the connection. */
  get local(): Address {
    return this.#local;
  }

  /** The peer's end. */
  get remote(): Address {
    return this.#remote;
  }

  /** Takes the addresses of the connection that the peer passes on in place of its own. */
  introduce({ source, destination }: { readonly source: Address; readonly destination: Address }): void {
    this.#remote = source;
    this.#local = destination;
  }

  /** Destroys the connection at once, with a reset where the runtime can send one. Harmless when called again. */
  cut(fault: Fault): void {
    // First, so that who waits for bytes learns why, and not that the socket is gone.
    this.reader.fail(fault);
    this.writer.cut(fault);
    this.reader.cut(fault);
  }

  /** Gives the connection up when both sides are done with it: what was written before still arrives. */
  drop(fault: Fault): void {
    this.reader.cut(fault);
    this.writer.cut(fault);
  }
}
