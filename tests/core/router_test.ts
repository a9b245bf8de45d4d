import { assert, assertEquals, assertMatch, assertRejects, assertThrows } from "@std/assert";
import { Channel } from "../../src/streams/channel.ts";
import { Fault } from "../../src/faults.ts";
import type { Log } from "../../src/observe/log.ts";
import type { RuleRequest } from "../../src/policy/rule_request.ts";
import { Rules } from "../../src/policy/rules.ts";
import { parseRuleLine } from "../../src/policy/rules_file.ts";
import {
  type ChosenRoute,
  type Route,
  Router,
  type RouteRequest,
  type RouterOptions,
} from "../../src/dialing/router.ts";
import { formatRoute } from "../../src/dialing/upstream.ts";
import { UsageError } from "../../src/text/usage_error.ts";
import { hear, hearAll, say, until, VirtualNetwork } from "../support/virtual_network.ts";

function router(options: Partial<RouterOptions> = {}, ...lines: string[]): Router {
  const rules = new Rules(lines.map((line) => parseRuleLine(line, "rules")));
  return new Router({ proxies: [], noProxy: "", route: undefined, ...options, rules: () => rules });
}

function question(host: string, options: Partial<RuleRequest> = {}): RuleRequest {
  return { host, port: 80, protocol: "connect", user: undefined, client: "192.0.2.1", ...options };
}

function written(way: ChosenRoute): string[] {
  assert("alternatives" in way);
  return way.alternatives.map(formatRoute);
}

async function roads(router: Router, host: string, options?: Partial<RuleRequest>): Promise<string[]> {
  return written(await router.choose(question(host, options)));
}

const A = "http://127.0.0.1:1";
const B = "socks5://127.0.0.1:2";

Deno.test("Router: directly without upstreams; else through them in their order, but for what goes past", async () => {
  assertEquals(await roads(router(), "a.test"), ["direct"]);
  const routed = router({ proxies: [A, `${B},${A}`], noProxy: ".corp.test,10.0.0.0/8" });
  assertEquals(await roads(routed, "a.test"), [A, `${B},${A}`]);
  assertEquals(await roads(routed, "x.corp.test"), ["direct"]);
  assertEquals(await roads(routed, "10.1.2.3"), ["direct"]);
});

Deno.test("Router: a rule goes before the upstreams and what goes past them", async () => {
  const routed = router(
    { proxies: [A], noProxy: "*" },
    `route *.onion via ${B}`,
    "route * user=ann via direct",
  );
  assertEquals(await roads(routed, "x.onion", { user: "ann" }), [B]);
  assertEquals(await roads(routed, "a.test", { user: "ann" }), ["direct"]);
  assertEquals(await roads(routed, "a.test"), ["direct"]);
  assertEquals(await roads(router({ proxies: [A] }, `route *.onion via ${B}`), "a.test"), [A]);
});

Deno.test("Router: what cannot be used is told at the start", () => {
  assertThrows(() => router({ proxies: ["ftp://127.0.0.1:1"] }), UsageError, "ftp");
});

Deno.test("Router: a function is asked first, and what it leaves open is decided as without it", async () => {
  const asked: RouteRequest[] = [];
  const answers: Record<string, Awaited<ReturnType<Route>>> = {
    "one.test": A,
    "two.test": [A, B],
    "none.test": [],
    "past.test": "direct",
  };
  const routed = router({
    proxies: [B],
    route: (request) => {
      asked.push(request);
      return answers[request.target.host];
    },
  }, `route ruled.test via ${A}`);
  const hosts = ["one.test", "two.test", "none.test", "past.test", "ruled.test", "other.test"];
  const found = await Promise.all(hosts.map((host) => roads(routed, host, { user: "ann" })));
  assertEquals(found, [[A], [A, B], ["direct"], ["direct"], [A], [B]]);
  assertEquals(asked[0], {
    target: { host: "one.test", port: 80 },
    client: "192.0.2.1",
    user: "ann",
    protocol: "connect",
  });
});

Deno.test("Router: { deny } is a refusal with words for the log, and nonsense the proxy's own failure", async () => {
  const denying = await assertRejects(
    async () => await router({ route: () => ({ deny: "too late" }) }).choose(question("a.test")),
    Fault,
  );
  assertEquals([denying.code, denying.message], ["http_request_denied", "too late"]);
  const broken = await assertRejects(
    async () => await router({ route: () => "ftp://ann:secret@a.test:1" }).choose(question("a.test")),
    Fault,
  );
  assertEquals(broken.code, "proxy_internal_error");
  assert(!broken.message.includes("secret"), broken.message);
});

Deno.test("Router: a chain is one object for as long as it is configured, since kept connections go by it", async () => {
  const routed = router({ route: () => A });
  const [first, second] = await Promise.all([1, 2].map(() => routed.choose(question("a.test"))));
  assert("alternatives" in first && "alternatives" in second);
  assert(first.alternatives[0] === second.alternatives[0]);
});

// --- createProxy({ route }) ---

const GET = "GET http://origin.test/path?q HTTP/1.1\r\nHost: origin.test\r\nX-Team: red\r\n\r\n";

Deno.test("route: it sees the request, head and all, before anything is dialed", async () => {
  const asked: RouteRequest[] = [];
  const network = await started((request) => void asked.push(request));
  const { client } = network.connect();
  await say(client, GET);
  const origin = await network.origin();
  await hear(origin, "\r\n\r\n");
  await say(origin, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
  assertMatch(await hear(client, "ok"), /^HTTP\/1\.1 200 /);
  const [{ target, protocol, client: from, head }] = asked;
  assertEquals([target, protocol, from], [{ host: "origin.test", port: 80 }, "http", "192.0.2.1"]);
  assertEquals([head?.method, head?.uri, head?.field("x-team"), head?.field("x-none")], [
    "GET",
    "http://origin.test/path?q",
    "red",
    undefined,
  ]);
});

Deno.test("route: a request that it has judged goes over a connection that was kept", async () => {
  const network = await started(() => Promise.resolve("direct"));
  const { client } = network.connect();
  await say(client, GET);
  const origin = await network.origin();
  for (const body of ["one", "two"]) {
    await hear(origin, "\r\n\r\n");
    await say(origin, `HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n${body}`);
    await hear(client, body);
    await say(client, GET);
  }
  assertEquals(network.dialed.length, 1);
});

Deno.test("route: { deny } is 403 on HTTP and 2 on SOCKS5; its words are in the record and nowhere else", async () => {
  const network = await started(() => ({ deny: "not on Sundays" }));
  const http = network.connect();
  await say(http.client, GET);
  const answer = await hear(http.client, /Reference: .*\n/);
  assertMatch(answer, /^HTTP\/1\.1 403 /);
  assert(!answer.includes("Sundays"));
  const socks = network.connect();
  await say(socks.client, "\x05\x01\x00\x05\x01\x00\x03\x0borigin.test\x00\x50");
  await hear(socks.client, "\x05\x00\x05\x02");
  await until(() => network.records.length === 2);
  assertEquals(
    network.records.map(({ reason, ending }) => [reason, ending]),
    Array(2).fill(["not on Sundays", "refused"]),
  );
  assertEquals(network.dialed, []);
});

Deno.test("route: { handle } takes the place of the target for tunnels and requests", async () => {
  const network = await started(() => ({
    handle: async (stream) => {
      const channel = new Channel(stream, "client");
      const heard = await hear(channel, /hello|\r\n\r\n/);
      await say(
        channel,
        heard.startsWith("hello")
          ? "world"
          : `HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n${heard.split("\r\n")[0]}`,
      );
      await channel.writer.close();
    },
  }));
  const tunnel = network.connect();
  await say(tunnel.client, "CONNECT origin.test:443 HTTP/1.1\r\nHost: origin.test:443\r\n\r\nhello");
  await tunnel.client.writer.close();
  assertMatch(await hearAll(tunnel.client), /^HTTP\/1\.1 200 [^]*\r\n\r\nworld$/);
  const http = network.connect();
  await say(http.client, GET.replace("X-Team: red", "Connection: close"));
  assertMatch(await hearAll(http.client), /GET \/path\?q HTTP\/1\.1/);
  assertEquals(network.dialed, []);
  await until(() => network.records.length === 2);
  assertEquals(
    network.records.map(({ route, dialed }) => [route, dialed]),
    Array(2).fill(["handler", undefined]),
  );
});

Deno.test("route: a handler that fails costs its own request alone, and is told to the operator", async () => {
  const errors: string[] = [];
  const log = { error: (message: string) => void errors.push(message), warn() {}, info() {}, debug() {} };
  const network = await started(() => ({
    handle: () => {
      throw new Error("No such cache");
    },
  }), log);
  const { client } = network.connect();
  await say(client, GET);
  assertMatch(await hear(client, "\r\n\r\n"), /^HTTP\/1\.1 500 /);
  assertEquals(errors[0], "The handler of a route failed");
});

Deno.test("route: a function that throws is the proxy's own failure, told without its words", async () => {
  const network = await started(() => {
    throw new Error("secret detail");
  });
  const { client } = network.connect();
  await say(client, GET);
  const answer = await hear(client, /\r\n\r\n[^]+\n/);
  assertMatch(answer, /^HTTP\/1\.1 500 /);
  assert(!answer.includes("secret detail"));
});

Deno.test("route: where a client goes away while it is being asked, nothing is dialed", async () => {
  let answer: (way: string) => void = () => {};
  const network = await started(() => new Promise<string>((resolve) => answer = resolve));
  const { client, done } = network.connect();
  await say(client, GET);
  await until(() => network.path.includes("dialing"));
  client.cut(new Fault("client_disconnected"));
  answer("direct");
  await done;
  assertEquals(network.proxy.connections, 0);
});

function started(route: Route, log?: Log): Promise<VirtualNetwork> {
  return VirtualNetwork.start({ route, log });
}
