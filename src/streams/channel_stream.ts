/**
 * A channel as a byte stream again, for TLS that begins in the middle of a connection.
 *
 * @module
 */

import type { Channel } from "./channel.ts";
import type { DirectPort, PortReceiver } from "../runtime/direct_port.ts";
import { Fault } from "../faults.ts";
import type { ByteStream } from "../runtime/contract.ts";

/**
 * A byte stream over a channel, with all that `runtime/contract.ts` promises. Nobody else may use the channel from then
 * on. The bytes in its buffer come first.
 */
export function channelStream(channel: Channel): ByteStream {
  const { local, remote } = channel;
  let readable: ReadableStream<Uint8Array> | undefined;
  let writable: WritableStream<Uint8Array> | undefined;
  return {
    port: new ChannelPort(channel),
    get readable() {
      return readable ??= readableOf(channel);
    },
    get writable() {
      return writable ??= writableOf(channel);
    },
    local,
    remote,
  };
}

/** The channel's own port. The bytes that its reader has already read come first. */
class ChannelPort implements DirectPort {
  readonly #channel: Channel;
  #begun = false;

  constructor(channel: Channel) {
    this.#channel = channel;
  }

  get detaches(): boolean | undefined {
    return this.#channel.port.detaches;
  }

  pull(receiver: PortReceiver): void {
    const { reader, port } = this.#channel;
    if (this.#begun) return port.pull(receiver);
    this.#begun = true;
    // `read()` waits for a `fill()` that was given up and is still under way.
    reader.read().then((bytes) => {
      if (!bytes) receiver.end();
      else if (receiver.receive(bytes as Uint8Array<ArrayBuffer>)) port.pull(receiver);
    }, (fault) => receiver.fail(fault));
  }

  write(bytes: Uint8Array): Promise<void> | undefined {
    return this.#channel.port.write(bytes);
  }

  get unsent(): number {
    return this.#channel.port.unsent;
  }

  close(): Promise<void> | undefined {
    return this.#channel.port.close();
  }

  destroy(options: { readonly reset: boolean }): void {
    this.#channel.port.destroy(options);
  }
}

const UNWANTED = new Fault("connection_terminated", "The connection is no longer needed");

function readableOf(channel: Channel): ReadableStream<Uint8Array> {
  return new ReadableStream({
    type: "bytes",
    async pull(controller) {
      const request = controller.byobRequest;
      const room = request?.view;
      const bytes = await channel.reader.read(room?.byteLength);
      if (!bytes) {
        controller.close();
        request?.respond(0);
      } else if (request && room) {
        // The bytes belong to the channel, and are valid only until its next read.
        new Uint8Array(room.buffer, room.byteOffset).set(bytes);
        request.respond(bytes.length);
      } else controller.enqueue(bytes.slice());
    },
    cancel: () => channel.drop(UNWANTED),
  }, { highWaterMark: 0 });
}

function writableOf(channel: Channel): WritableStream<Uint8Array> {
  return new WritableStream({
    // `abort` would not do: it waits for the current write.
    start: ({ signal }) => signal.addEventListener("abort", () => channel.cut(UNWANTED)),
    write: (chunk) => channel.writer.write(chunk),
    close: () => channel.writer.close(),
  }, { highWaterMark: 0 });
}
