/**
 * A channel as a byte stream again: for TLS that begins in the middle of a connection, behind what was said
 * in clear.
 *
 * @module
 */

import type { Channel } from "./channel.ts";
import { Fault } from "./faults.ts";
import type { ByteStream } from "./runtime.ts";

/**
 * A stream, with all that `runtime.ts` promises of one, over a channel that nobody else uses from then on.
 * Bytes that wait in its buffer come first.
 */
export function channelStream(channel: Channel): ByteStream {
  const { reader, writer, local, remote } = channel;
  const unwanted = new Fault("connection_terminated", "The connection is no longer needed");
  return {
    readable: new ReadableStream({
      type: "bytes",
      async pull(controller) {
        const request = controller.byobRequest;
        const room = request?.view;
        const bytes = await reader.read(room?.byteLength);
        if (!bytes) {
          controller.close();
          request?.respond(0);
        } else if (request && room) {
          // The bytes are the channel's, and valid until its next read only.
          new Uint8Array(room.buffer, room.byteOffset).set(bytes);
          request.respond(bytes.length);
        } else controller.enqueue(bytes.slice());
      },
      cancel: () => channel.drop(unwanted),
    }, { highWaterMark: 0 }),
    writable: new WritableStream({
      // Not `abort`, which would wait for the write that is under way.
      start: ({ signal }) => signal.addEventListener("abort", () => channel.cut(unwanted)),
      write: (chunk) => writer.write(chunk),
      close: () => writer.close(),
    }, { highWaterMark: 0 }),
    local,
    remote,
  };
}
