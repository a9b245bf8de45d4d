import { assertEquals } from "@std/assert";
import { StreamPort } from "../../src/streams/stream_port.ts";

Deno.test("StreamPort.write() keeps what it was given: a port may read into the same memory meanwhile", async () => {
  let taken: (() => void) | undefined;
  const chunks: Uint8Array[] = [];
  const writable = new WritableStream<Uint8Array>({
    write: (chunk) => {
      chunks.push(chunk);
      return new Promise((resolve) => taken = resolve);
    },
  });
  const port = new StreamPort({ readable: new ReadableStream(), writable });
  const memory = new TextEncoder().encode("mine");
  const written = port.write(memory);
  memory.set(new TextEncoder().encode("else"));
  await new Promise((resolve) => queueMicrotask(() => resolve(undefined)));
  taken!();
  await written;
  assertEquals(new TextDecoder().decode(chunks[0]), "mine");
});
