/**
 * The body of a message, streamed from its sender to its receiver.
 *
 * @module
 */

import type { ByteReader } from "../streams/byte_reader.ts";
import type { ByteWriter } from "../streams/byte_writer.ts";
import type { Fault } from "../faults.ts";
import type { BodyReader, BodyWriter } from "../protocols/http1/body.ts";
import { Fields } from "../protocols/http/fields.ts";

/** A body on its way from one side to the other. */
export interface BodyPump {
  /** Understands what the sender sends. */
  readonly reader: BodyReader;
  /** Frames it for the receiver. */
  readonly writer: BodyWriter;
  /** So many octets of content are on their way. */
  readonly moved: (count: number) => void;
  /** Told before and after it waits for the sender. */
  readonly waiting: (forBytes: boolean) => void;
  /** The sender has sent all of it. */
  readonly taken: () => void;
  /** What it is when the sender ends before the body does. */
  readonly cutShort: () => Fault;
}

/** Takes a body from its sender as it comes, and frames it for its receiver. Undefined where all of it was there. */
export function pumpBody(from: ByteReader, to: ByteWriter, body: BodyPump): Promise<void> | undefined {
  return moveWaiting(from, to, body) ? to.flush() : pumpRest(from, to, body);
}

async function pumpRest(from: ByteReader, to: ByteWriter, body: BodyPump): Promise<void> {
  do {
    const flushing = to.flush();
    if (flushing) await flushing;
    body.waiting(true);
    const more = await from.fill();
    body.waiting(false);
    if (more) continue;
    if (!body.reader.endsAtClose) throw body.cutShort();
    body.taken();
    to.put(body.writer.end(NO_TRAILERS));
    break;
  } while (!moveWaiting(from, to, body));
  await to.flush();
}

/** What has arrived; true with the end of the body. */
function moveWaiting(from: ByteReader, to: ByteWriter, body: BodyPump): boolean {
  while (true) {
    const event = body.reader.read(from.buffer);
    if (!event) return false;
    if (event.type === "end") {
      body.taken();
      to.put(body.writer.end(event.trailers));
      return true;
    }
    for (const piece of body.writer.data(event.bytes)) to.put(piece);
    body.moved(event.bytes.length);
  }
}

/** Reads the rest of a body and throws it away. False where the sender ends before the body does. */
export async function discardBody(from: ByteReader, body: BodyReader): Promise<boolean> {
  while (true) {
    for (let event = body.read(from.buffer); event; event = body.read(from.buffer)) {
      if (event.type === "end") return true;
    }
    if (!await from.fill()) return false;
  }
}

const NO_TRAILERS = new Fields();
