/**
 * Two byte streams in memory, joined end to end.
 *
 * @module
 */

import type { ByteStream } from "../runtime/contract.ts";

const NOWHERE = { path: "" };

/** What is written to one is read from the other, with backpressure. If a half fails, its other end fails, too. */
export function streamPair(): [ByteStream, ByteStream] {
  const [up, down] = [new TransformStream<Uint8Array>(), new TransformStream<Uint8Array>()];
  return [
    { readable: down.readable, writable: up.writable, local: NOWHERE, remote: NOWHERE },
    { readable: up.readable, writable: down.writable, local: NOWHERE, remote: NOWHERE },
  ];
}
