import { assertEquals, assertMatch, assertRejects } from "@std/assert";
import type { ProxyOptions } from "../../src/proxy/options.ts";
import { createProxy } from "../../src/proxy/server.ts";
import { UsageError } from "../../src/text/usage_error.ts";
import { hearAll, say, until, VirtualNetwork } from "../support/virtual_network.ts";

function listening() {
  const errors: string[] = [];
  const tell = (message: string, error?: unknown) =>
    errors.push([message, (error as Error)?.message].join(": "));
  return { errors, log: { error: tell, warn() {}, info() {}, debug() {} } };
}

/** What a client is told, and what is logged, where a callback answers wrongly. */
async function ask(
  options: unknown,
): Promise<{ answer: string; errors: string[]; reasons: (string | undefined)[] }> {
  const { errors, log } = listening();
  const network = await VirtualNetwork.start({ log, ...options as ProxyOptions });
  const { client } = network.connect();
  const credentials = `Proxy-Authorization: Basic ${btoa("ann:secret")}`;
  await say(
    client,
    `GET http://dead.test/ HTTP/1.1\r\nHost: dead.test\r\nConnection: close\r\n${credentials}\r\n\r\n`,
  );
  const answer = await hearAll(client);
  return { answer, errors, reasons: network.records.map(({ reason }) => reason) };
}

Deno.test("an authenticate() that says neither true nor false is told of in its own words", async () => {
  for (
    const [result, name] of [[undefined, "undefined"], ["yes", "a string"], [{}, "an object of another kind"]]
  ) {
    for (const authenticate of [() => result, () => Promise.resolve(result)]) {
      const { answer, errors } = await ask({ authenticate });
      assertMatch(answer, /^HTTP\/1.1 500 .*error=proxy_internal_error/s);
      assertMatch(
        errors.join(),
        new RegExp(`The callback authenticate returned ${name}: return true or false`),
      );
    }
  }
});

Deno.test("a route() that says something else than a route is told of in its own words", async () => {
  for (
    const result of [null, 5, { via: "direct" }, { deny: true }, { handle: "direct" }, [1], [["direct"]]]
  ) {
    const { answer, errors } = await ask({ route: () => result });
    assertMatch(answer, /^HTTP\/1.1 500 /);
    assertMatch(errors.join(), /The callback route returned (?:null|an? \w+).*: return an endpoint/);
  }
  for (const result of [undefined, "direct", [], ["direct"]]) {
    assertMatch((await ask({ route: () => result })).answer, /^HTTP\/1.1 502 /);
  }
});

Deno.test("an onRecord() whose promise rejects is logged, and nothing else happens", async () => {
  const { errors, log } = listening();
  const network = await VirtualNetwork.start({
    log,
    onRecord: () => Promise.reject(new Error("Full disk")) as unknown as undefined,
  });
  const { client } = network.connect();
  await say(client, "GET http://dead.test/ HTTP/1.1\r\nHost: dead.test\r\nConnection: close\r\n\r\n");
  await hearAll(client);
  await until(() => errors.length === 1);
  assertEquals(errors, ["The callback onRecord failed: Full disk"]);
});

Deno.test("a readText() that returns something else than a text is told of in its own words", async () => {
  const { runtime } = new VirtualNetwork();
  const options = {
    runtime,
    listen: "http+tls://127.0.0.1:0?cert=a.pem&key=b.pem",
    readText: () => Promise.resolve(new Uint8Array()),
  };
  await assertRejects(
    () => createProxy(options as unknown as ProxyOptions),
    UsageError,
    'Cannot read the certificate "a.pem": the callback readText returned an object of another kind, and not a text',
  );
});
