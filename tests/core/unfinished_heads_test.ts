import { assertEquals, assertThrows } from "@std/assert";
import { Fault } from "../../src/faults.ts";
import { UnfinishedHeads } from "../../src/request/unfinished_heads.ts";

class Client {
  fault: Fault | undefined;

  cut(fault: Fault): void {
    this.fault = fault;
  }
}

function heads(budget: number) {
  const lines: string[] = [];
  const clock = { time: 0, now: () => clock.time };
  const subject = new UnfinishedHeads({ clock, log: { warn: (line) => lines.push(line) }, budget });
  return { subject, clock, lines };
}

Deno.test("the oldest of the unfinished heads go while there is too much in all of them", () => {
  const { subject } = heads(10);
  const clients = [new Client(), new Client(), new Client(), new Client()];
  const [first, second, third, fourth] = clients;
  for (const client of [first, second, third]) subject.hold(client, 3);
  subject.hold(first, 4);
  assertEquals(clients.map(({ fault }) => fault), Array(4).fill(undefined));
  subject.hold(second, 4);
  assertEquals([first.fault?.code, first.fault?.status], ["connection_limit_reached", 503]);
  subject.release(second);
  subject.release(second);
  subject.hold(fourth, 7);
  assertEquals([second.fault, third.fault], [undefined, undefined]);
  subject.hold(fourth, 10);
  assertEquals([third.fault?.status, fourth.fault], [503, undefined]);
});

Deno.test("who is the oldest itself is told so", () => {
  const { subject } = heads(10);
  const client = new Client();
  assertThrows(() => subject.hold(client, 11), Fault);
  assertEquals(client.fault, undefined);
  subject.hold(client, 10);
});

Deno.test("the log tells of heads that were let go, once a minute, and how many", () => {
  const { subject, clock, lines } = heads(1);
  const letGo = () => assertThrows(() => subject.hold(new Client(), 2), Fault);
  letGo();
  letGo();
  letGo();
  clock.time = 60_000;
  letGo();
  assertEquals(lines.map((line) => /: (\d+) of the oldest/.exec(line)?.[1]), ["1", "3"]);
});
