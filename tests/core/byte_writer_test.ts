import { assertEquals, assertRejects } from "@std/assert";
import { ByteWriter } from "../../src/streams/byte_writer.ts";
import { Fault } from "../../src/faults.ts";
import { StreamPort } from "../../src/streams/stream_port.ts";

/** A writer, and the sizes of the writes that it makes. */
function recorded(): { writer: ByteWriter; sizes: number[]; written: () => string } {
  const sizes: number[] = [];
  let all = "";
  const writable = new WritableStream<Uint8Array>({
    write(chunk) {
      sizes.push(chunk.length);
      all += new TextDecoder().decode(chunk);
    },
  });
  const port = new StreamPort({ readable: new ReadableStream(), writable });
  return { writer: new ByteWriter(port, "client"), sizes, written: () => all };
}

function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

Deno.test("ByteWriter.flush() sends small pieces in one write", async () => {
  const { writer, sizes, written } = recorded();
  writer.put(bytes("head "));
  writer.put(bytes(""));
  writer.put(bytes("body"));
  assertEquals(sizes, []);
  await writer.flush();
  assertEquals(written(), "head body");
  assertEquals(sizes, [9]);
  await writer.flush();
  assertEquals(sizes, [9]);
});

Deno.test("ByteWriter.flush() does not copy large pieces, and keeps their order", async () => {
  const { writer, sizes, written } = recorded();
  writer.put(bytes("size"));
  writer.put(bytes("\r\n"));
  writer.put(bytes("x".repeat(100_000)));
  writer.put(bytes("\r\n"));
  writer.put(bytes("0"));
  await writer.flush();
  assertEquals(sizes, [6, 100_000, 3]);
  assertEquals(written(), `size\r\n${"x".repeat(100_000)}\r\n0`);
});

Deno.test("ByteWriter.write() sends what was put before it", async () => {
  const { writer, written } = recorded();
  writer.put(bytes("first "));
  await writer.write(bytes("second"));
  assertEquals(written(), "first second");
});

Deno.test("ByteWriter.cut() tells the reason to later writes, and close() is harmless behind it", async () => {
  const { writer } = recorded();
  writer.cut(new Fault("client_timeout", "Too slow"));
  await assertRejects(() => writer.write(bytes("late")), Fault, "Too slow");
  await writer.close();
});
