import { assertEquals } from "@std/assert";
import { Channel } from "../../src/streams/channel.ts";
import { Fault } from "../../src/faults.ts";
import type { AccessRecord } from "../../src/observe/record.ts";
import { MemoryNetwork } from "../support/memory_network.ts";
import { say, until } from "../support/virtual_network.ts";

Deno.test("who may introduce others and leaves without a byte, or stays silent, leaves no record", async () => {
  await using network = new MemoryNetwork();
  const records: AccessRecord[] = [];
  let closed = false;
  await network.proxy("198.51.100.1:8080?proxy-protocol=192.0.2.0/24", {
    onRecord: (record) => records.push(record),
    onTransition: ({ to }) => closed = to === "closed",
  });
  async function visit(act: (visitor: Channel) => unknown): Promise<string[]> {
    const stream = await network.runtime.dial({ host: "198.51.100.1", port: 8080 });
    await act(new Channel(stream, "target"));
    await until(() => {
      network.clock.advance(100);
      return closed;
    });
    closed = false;
    return records.splice(0).map(({ fault, ending }) => `${fault} ${ending}`);
  }
  const gone = new Fault("connection_terminated");
  assertEquals(await visit((visitor) => visitor.writer.close()), []);
  assertEquals(await visit((visitor) => visitor.cut(gone)), []);
  assertEquals(await visit(() => {}), []);
  assertEquals(await visit((visitor) => say(visitor, "PROXY TCP4")), ["client_timeout timed out"]);
});
