/**
 * Every case of the corpus, on every runtime, whole and one byte at a time: each hard one is met, each soft one by
 * one of its alternatives, and nothing leaks.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import {
  caseBody,
  gradeRequest,
  gradeResponse,
  originHost,
  requestBytes,
  type RequestCase,
  type RequestOutcome,
  type ResponseCase,
  type SeenRequest,
} from "./corpus_cases.ts";
import { CORPUS, readCases } from "../support/corpus.ts";
import { request } from "./exchanges.ts";
import { Suite } from "./suite.ts";
import { Origin, response } from "../support/origin.ts";
import type { ProxyProcess } from "../support/proxy.ts";
import { connect, type RawConnection } from "../support/raw_client.ts";

/** How many cases of a row are under way at once. */
const CONCURRENCY = 16;

const PROBE = "/probe-of-the-test";

const suite = new Suite();

const DELIVERIES = { "whole": "send", "one byte at a time": "sendSlowly" } as const;

/** How the bytes of a case are sent. */
type Delivery = typeof DELIVERIES[keyof typeof DELIVERIES];

/** Runs the cases side by side, and gives what `run` says of those that went wrong. */
async function complaints<Case>(
  cases: readonly Case[],
  run: (wanted: Case) => Promise<string | undefined>,
): Promise<string[]> {
  const waiting = [...cases];
  const found: string[] = [];
  async function work(): Promise<void> {
    for (let wanted = waiting.shift(); wanted !== undefined; wanted = waiting.shift()) {
      const complaint = await run(wanted);
      if (complaint !== undefined) found.push(complaint);
    }
  }
  await Promise.all(Array.from({ length: CONCURRENCY }, work));
  return found;
}

/** An origin that answers, and notes what it is asked. */
async function recordingOrigin(host: string, seen: SeenRequest[]): Promise<Origin> {
  const origin = await Origin.listen(async (connection) => {
    while (true) {
      const received = await connection.message().catch((error) => {
        // What is cut off does not count.
        if (error instanceof SyntaxError) {
          seen.push({ method: "", target: error.message, body: connection.received, malformed: true });
        }
        throw error;
      });
      const { method, target, body } = received;
      if (target !== PROBE) seen.push({ method, target, body: caseBody(body, origin.authority) });
      await connection.send(
        method === "HEAD" ? "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n" : response("ok"),
      );
    }
  }, { host });
  return origin;
}

/** Settles when the origin has noticed everything that was sent to it before. */
async function probe(origin: Origin): Promise<void> {
  using connection = await connect(origin.address);
  await connection.send(`GET ${PROBE} HTTP/1.1\r\nHost: x\r\n\r\n`);
  await connection.message();
}

/** The statuses of so many final responses, or of those before the end. */
async function takeStatuses(client: RawConnection, wanted: readonly { method: string }[]): Promise<number[]> {
  const statuses: number[] = [];
  for (const { method } of wanted) {
    while (true) {
      const answer = await client.message({ bodiless: ["HEAD", "CONNECT"].includes(method) }).catch(() =>
        undefined
      );
      if (!answer) return statuses;
      if (answer.status >= 200 || answer.status === 101) {
        statuses.push(answer.status);
        break;
      }
    }
  }
  return statuses;
}

async function runRequest(
  proxy: ProxyProcess,
  wanted: RequestCase,
  delivery: Delivery,
): Promise<RequestOutcome> {
  const seen: SeenRequest[] = [];
  await using origin = await recordingOrigin(originHost(wanted.request), seen);
  using client = await proxy.connect();
  await client[delivery](requestBytes(wanted.request, origin.authority));
  const statuses: number[] = [];
  // Of what is not complete nothing can be expected but the end.
  if (wanted.state !== "incomplete") {
    statuses.push(
      ...await takeStatuses(client, wanted.forwarded.length > 0 ? wanted.forwarded : [{ method: "" }]),
    );
    if (wanted.expect === "close") await client.ending().catch(() => {});
  }
  const closed = client.ended !== undefined;
  client.end();
  await client.ending();
  const rest = client.received.toString("latin1").matchAll(/HTTP\/1\.[01] ([2-5]\d\d) /g);
  statuses.push(...Array.from(rest, ([, status]) => Number(status)));
  await probe(origin);
  return { statuses, seen, closed };
}

async function runResponse(
  proxy: ProxyProcess,
  wanted: ResponseCase,
  delivery: Delivery,
): Promise<string | undefined> {
  await using origin = await Origin.listen();
  using client = await proxy.connect();
  await client.send(request("GET", `http://${origin.authority}/`));
  client.end();
  using target = await origin.accept();
  await target.message();
  await target[delivery](Uint8Array.fromBase64(wanted.response));
  target.end();
  await client.ending();
  if (gradeResponse(wanted, client.received) !== undefined) return undefined;
  return `${wanted.id}: wanted ${[wanted.expect, ...wanted.also_ok].join(" or ")} (${wanted.note}), got ${
    JSON.stringify(client.received.toString("latin1"))
  }`;
}

const requests = readCases<RequestCase>("http1-requests.jsonl");
const responses = readCases<ResponseCase>("origin-responses.jsonl");

for (const [manner, delivery] of Object.entries(DELIVERIES)) {
  if (!requests || !responses) {
    Deno.test({
      name: `the corpus, ${manner} (cannot: there is no folder "${CORPUS}")`,
      ignore: true,
      fn() {},
    });
    continue;
  }

  suite.test(`${requests.length} requests of the corpus are forwarded, refused or closed as they must, ${manner}`, async (proxy) => {
    const found = await complaints(requests, async (wanted) => {
      const outcome = await runRequest(proxy, wanted, delivery);
      const verdict = gradeRequest(wanted, outcome);
      if (verdict !== "leak" && verdict !== "wrong") return undefined;
      const { statuses, seen, closed } = outcome;
      const origin = seen.map(({ method, target }) => `${method} ${target}`);
      return `${wanted.id}: ${verdict}, wanted ${
        [wanted.expect, ...wanted.also_ok].join(" or ")
      } (${wanted.note}), got ${JSON.stringify({ statuses, origin, closed })}`;
    });
    assertEquals(found, []);
  });

  suite.test(`${responses.length} responses of the corpus are forwarded, mended, or shown to be faulty, ${manner}`, async (proxy) => {
    assertEquals(await complaints(responses, (wanted) => runResponse(proxy, wanted, delivery)), []);
  });
}
