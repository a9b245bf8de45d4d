import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { StartError, WorkerPool } from "../../src/cli/workers/worker_pool.ts";
import type { Assignment, Order } from "../../src/cli/workers/messages.ts";
import type { WorkerEvents } from "../../src/cli/workers/worker_start.ts";
import { formatAddress } from "../../src/addresses/host.ts";
import { LineLog } from "../../src/observe/log.ts";
import { Metrics, type Totals } from "../../src/observe/metrics.ts";
import { MemoryStore } from "../../src/limits/memory_store.ts";
import { UsageError } from "../../src/text/usage_error.ts";
import { VirtualClock } from "../support/virtual_clock.ts";

const ADDRESS = { host: "127.0.0.1", port: 8899 };

class FakeWorker {
  readonly orders: (Order | "kill")[] = [];
  readonly assignment: Assignment;
  readonly events: WorkerEvents;

  constructor(assignment: Assignment, events: WorkerEvents) {
    this.assignment = assignment;
    this.events = events;
  }

  ask(): void {
    this.events.onReport({ asks: "texts" });
  }
  listen(): void {
    this.events.onReport({ listening: [ADDRESS] });
  }
  tell(totals: Totals): void {
    this.events.onReport({ totals });
  }
  end(ending: number | string): void {
    this.events.onExit(ending);
  }
}

const OLD = [["rules", "allow *"]] as const;
const NEW = [["rules", "deny *"]] as const;

/** A pool of three whose workers the test plays, in the order in which they were started. */
class Stage {
  readonly clock = new VirtualClock();
  readonly workers: FakeWorker[] = [];
  readonly lines: string[] = [];
  readonly pool: WorkerPool = new WorkerPool({
    limitStore: new MemoryStore(new VirtualClock()),
    workers: 3,
    start: (assignment, events) => {
      const worker = new FakeWorker(assignment, events);
      this.workers.push(worker);
      return {
        label: `process ${this.workers.length}`,
        send: (order) => worker.orders.push(order),
        kill: () => void worker.orders.push("kill"),
      };
    },
    assign: (number, addresses) => ({
      name: `${number}`,
      listen: addresses?.map((address) => formatAddress(address)),
    }),
    texts: OLD,
    perClient: 2,
    onReload: () => Promise.reject(new Error("a fault")),
    log: new LineLog({ level: "info", write: (line) => this.lines.push(line), clock: this.clock }),
    clock: this.clock,
  });

  /** A stage on which all workers listen. */
  static async start(): Promise<Stage> {
    const stage = new Stage();
    const started = stage.pool.start();
    stage.workers[0].listen();
    await Promise.resolve();
    for (const worker of stage.workers.slice(1)) worker.listen();
    assertEquals(await started, [ADDRESS]);
    return stage;
  }
}

Deno.test("the first worker goes ahead, and the others are told where it listens", async () => {
  const stage = new Stage();
  const started = stage.pool.start();
  assertEquals(stage.workers.map(({ assignment }) => assignment), [{ name: "1", listen: undefined }]);
  stage.workers[0].listen();
  await Promise.resolve();
  assertEquals(stage.workers.slice(1).map(({ assignment }) => assignment), [
    { name: "2", listen: ["127.0.0.1:8899"] },
    { name: "3", listen: ["127.0.0.1:8899"] },
  ]);
  for (const worker of stage.workers.slice(1)) worker.listen();
  assertEquals(await started, [ADDRESS]);
});

Deno.test("a worker that ends before it listens makes the start fail, and the others are ended", async () => {
  const first = new Stage();
  const failed = first.pool.start();
  first.workers[0].end(2);
  assertEquals((await assertRejects(() => failed, StartError)).ending, 2);
  const second = new Stage();
  const started = second.pool.start();
  second.workers[0].listen();
  await Promise.resolve();
  second.workers[2].end("SIGKILL");
  const error = await assertRejects(() => started, StartError, "process 3 was killed by SIGKILL");
  assertEquals(error.ending, "SIGKILL");
  assertEquals(second.workers.map(({ orders }) => orders), [["kill"], ["kill"], []]);
});

Deno.test("a worker that dies is replaced at once, and later and later if that goes on", async () => {
  const stage = await Stage.start();
  const waits: number[] = [];
  for (let death = 0; death < 10; death++) {
    stage.clock.advance(1);
    const { workers: { length } } = stage;
    stage.workers[death === 0 ? 1 : length - 1].end("SIGSEGV");
    let waited = 0;
    for (stage.clock.advance(0); stage.workers.length === length; waited += 100) stage.clock.advance(100);
    waits.push(waited);
    assertEquals(stage.workers.at(-1)!.assignment.name, "2");
    // Some of them do not even come to listen.
    if (death % 2 === 0) stage.workers.at(-1)!.listen();
  }
  assertEquals(waits, [0, 100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000]);
  assertStringIncludes(stage.lines[0], "A worker (2, process 2) was killed by SIGSEGV: starting another");
  assertStringIncludes(stage.lines[1], "starting another in 100 ms");
  stage.clock.advance(10_000);
  stage.workers.at(-1)!.end(1);
  stage.clock.advance(0);
  assertEquals(stage.workers.length, 14, "It had lived long enough");
});

/** What a reload gives to the workers: their names are their numbers behind a letter. */
const RENEWAL = { texts: NEW, assign: (number: number) => ({ name: `n${number}` }), perClient: 2 };

Deno.test("a worker gets what is in force when it asks, and what a reload gives from then on", async () => {
  const stage = await Stage.start();
  stage.workers[0].ask();
  const reloaded = stage.pool.reload(RENEWAL);
  stage.workers[1].ask();
  stage.workers[2].end("SIGSEGV");
  stage.clock.advance(0);
  stage.workers[3].ask();
  const listen = ["127.0.0.1:8899"];
  assertEquals(stage.workers.map(({ orders }) => orders), [
    [
      { texts: OLD, assignment: { name: "1", listen } },
      { texts: NEW, assignment: { name: "n1" }, reload: 1 },
    ],
    [{ texts: NEW, assignment: { name: "n2" } }],
    [],
    [{ texts: NEW, assignment: { name: "n3" } }],
  ]);
  assertEquals(stage.workers[3].assignment, { name: "n3" });
  stage.workers[0].events.onReport({ reloaded: "", reload: 1 });
  await reloaded;
});

Deno.test("a reload is over when every worker has it, has ended or is too slow, and tells what one has against it", async () => {
  const stage = await Stage.start();
  for (const worker of stage.workers) worker.ask();
  const reloaded = stage.pool.reload(RENEWAL);
  stage.workers[0].events.onReport({ reloaded: "a fault", reload: 1 });
  stage.workers[1].end("SIGSEGV");
  stage.clock.advance(30_000);
  await assertRejects(() => reloaded, UsageError, "a fault");
});

Deno.test("a worker that asks for a reload is told how it has ended", async () => {
  const stage = await Stage.start();
  stage.workers[1].events.onReport({ asks: "reload" });
  await new Promise((resolve) => setTimeout(resolve, 0));
  assertEquals(stage.workers[1].orders, [{ reloaded: "a fault" }]);
});

Deno.test("the places of a client are for all workers together, and those of a dead one come back", async () => {
  const stage = await Stage.start();
  const [first, second] = stage.workers;
  for (const [place, worker] of [first, second, first].entries()) {
    worker.events.onReport({ take: "192.0.2.1", place });
  }
  second.events.onReport({ take: "192.0.2.2", place: 9 });
  first.events.onReport({ give: "192.0.2.1" });
  first.events.onReport({ take: "192.0.2.1", place: 4 });
  second.end("SIGKILL");
  first.events.onReport({ take: "192.0.2.1", place: 5 });
  first.events.onReport({ take: "192.0.2.1", place: 6 });
  assertEquals(first.orders, [
    { place: 0, taken: true },
    { place: 2, taken: false },
    { place: 4, taken: true },
    { place: 5, taken: true },
    { place: 6, taken: false },
  ]);
});

Deno.test("the signal to stop reaches every worker that listens", async () => {
  const stage = await Stage.start();
  stage.workers[1].end(1);
  stage.clock.advance(0);
  const stopped = stage.pool.stop("SIGTERM", 30_000);
  const orders: Order[] = [{ stop: "SIGTERM" }];
  assertEquals(stage.workers.map(({ orders }) => orders), [orders, [], orders, ["kill"]]);
  stage.workers[3].end("SIGKILL");
  stage.workers[0].end(0);
  stage.workers[2].end(0);
  assertEquals([await stopped, stage.clock.pending, stage.workers.length], [true, 0, 4]);
});

Deno.test("nobody is replaced once the pool stops, and one that does not end in time is ended", async () => {
  const stage = await Stage.start();
  stage.workers[0].end("SIGSEGV");
  const stopped = stage.pool.stop("SIGINT", 1_000);
  stage.clock.advance(1_000);
  stage.workers[1].end(0);
  assertEquals(stage.workers.length, 3);
  stage.clock.advance(5_000);
  assertEquals(stage.workers[2].orders, [{ stop: "SIGINT" }, "kill"]);
  stage.workers[2].end("SIGKILL");
  assertEquals(await stopped, false);
});

/** What a worker has done that has had so many connections, of which one is open. */
function totals(connections: number): Totals {
  const nothing = new Metrics(new VirtualClock()).totals();
  return { ...nothing, started: 0, uptime: connections, open: 1, connections };
}

Deno.test("a worker that tells what it has done is told what the others have, also those that are gone", async () => {
  const stage = await Stage.start();
  const [first, second, third] = stage.workers;
  first.tell(totals(1));
  second.tell(totals(20));
  first.tell(totals(2));
  third.tell(totals(300));
  assertEquals([first, second, third].map(({ orders }) => orders), [
    [{ others: totals(20) }],
    [{ others: totals(1) }],
    [{ others: { ...totals(22), uptime: 20, open: 2 } }],
  ]);
  second.end("SIGKILL");
  stage.clock.advance(0);
  stage.workers[3].tell(totals(4));
  assertEquals(stage.workers[3].orders, [{ others: { ...totals(322), uptime: 300, open: 2 } }]);
});
