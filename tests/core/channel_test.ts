import { assertEquals, assertRejects } from "@std/assert";
import { Channel } from "../../src/streams/channel.ts";
import type { DirectPort, PortReceiver } from "../../src/runtime/direct_port.ts";
import { Fault } from "../../src/faults.ts";
import { memoryPair } from "../support/memory_stream.ts";

const WHY = new Fault("connection_read_timeout");

/** A port that tells at once of its end, as those of the runtimes do. */
class PromptPort implements DirectPort {
  readonly unsent = 0;
  readonly resets: boolean[] = [];
  #receiver: PortReceiver | undefined;

  pull(receiver: PortReceiver): void {
    this.#receiver = receiver;
  }

  write(): undefined {}

  close(): undefined {}

  destroy({ reset }: { readonly reset: boolean }): void {
    this.resets.push(reset);
    this.#receiver?.fail(
      Object.assign(new Error("Destroyed on this side"), { code: "connection_terminated" }),
    );
    this.#receiver = undefined;
  }
}

Deno.test("Channel.cut() tells whoever waits for bytes why, whatever the socket says of its end", async () => {
  const port = new PromptPort();
  const [stream] = memoryPair();
  const channel = new Channel({ ...stream, port }, "client");
  const reading = assertRejects(() => channel.reader.read());
  channel.cut(WHY);
  assertEquals(await reading, WHY);
  assertEquals(await assertRejects(() => channel.writer.write(new Uint8Array(1))), WHY);
  assertEquals(port.resets[0], true);
});
