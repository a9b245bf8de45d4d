import { assertEquals, assertMatch, assertRejects, assertStringIncludes } from "@std/assert";
import { Fault } from "../../src/faults.ts";
import type { Channel } from "../../src/streams/channel.ts";
import { bytes, hear, hearAll, say, until, VirtualNetwork } from "../support/virtual_network.ts";

const GET = "GET http://origin.test/path HTTP/1.1\r\nHost: origin.test\r\n\r\n";
const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

Deno.test("a CONNECT tunnel carries bytes both ways, and ends when both sides have ended", async () => {
  const network = await VirtualNetwork.start();
  const { client, done } = network.connect();
  await say(client, "CONNECT origin.test:443 HTTP/1.1\r\nHost: origin.test:443\r\n\r\nearly");
  assertStringIncludes(await hear(client, "\r\n\r\n"), "HTTP/1.1 200 Connection established\r\n\r\n");
  const origin = await network.origin();
  assertEquals(await hear(origin, "early"), "early");
  await say(origin, "answer");
  assertEquals(await hear(client, "answer"), "answer");
  await client.writer.close();
  assertEquals(await hearAll(origin), "");
  await say(origin, "late");
  await origin.writer.close();
  assertEquals(await hearAll(client), "late");
  await done;
  assertEquals(network.path, ["serving", "authorizing", "dialing", "relaying", "over", "closing", "closed"]);
  const [record] = network.records;
  assertEquals(
    [record.method, record.target, record.dialed, record.status, record.sent, record.received, record.ending],
    ["CONNECT", "origin.test:443", "192.0.2.80:443", 200, 5, 10, "completed"],
  );
});

Deno.test("a SOCKS5 client with a password runs through the states that the documentation names", async () => {
  const asked: unknown[] = [];
  const network = await VirtualNetwork.start({
    authenticate: (request) => {
      asked.push(request);
      return request.user === "ann" && request.password === "secret";
    },
  });
  const { client, done } = network.connect();
  await say(client, "\x05\x01\x02\x01\x03ann\x06secret\x05\x01\x00\x03\x0borigin.test\x00\x50early");
  assertEquals(
    await hear(client, /^[^]{14}$/),
    "\x05\x02\x01\x00\x05\x00\x00\x01\xc0\x00\x02\x01\x00\x01",
  );
  const origin = await network.origin();
  assertEquals(await hear(origin, "early"), "early");
  await Promise.all([client.writer.close(), origin.writer.close()]);
  await done;
  assertEquals(
    network.path.join(" "),
    "serving authenticating reading authorizing dialing relaying over closing closed",
  );
  assertEquals(asked, [{ user: "ann", password: "secret", client: "192.0.2.1:1", protocol: "socks5" }]);
  assertEquals(network.records[0].user, "ann");
});

Deno.test("a request without credentials gets 407 and may try again on the same connection", async () => {
  const network = await VirtualNetwork.start({ authenticate: ({ password }) => password === "right" });
  const { client } = network.connect();
  await say(client, GET);
  const refusal = await hear(client, /\r\n\r\n[^]+\n/);
  assertMatch(refusal, /^HTTP\/1\.1 407 .*\r\n(?:.*\r\n)*Proxy-Authenticate: Basic realm=/);
  await say(client, GET.replace("\r\n\r\n", `\r\nProxy-Authorization: Basic ${btoa("ann:wrong")}\r\n\r\n`));
  assertEquals(await hear(client, /\r\n\r\n[^]+\n/), refusal);
  await say(client, GET.replace("\r\n\r\n", `\r\nProxy-Authorization: Basic ${btoa("ann:right")}\r\n\r\n`));
  const origin = await network.origin();
  const forwarded = await hear(origin, "\r\n\r\n");
  assertEquals(forwarded.toLowerCase().includes("authorization"), false);
  await say(origin, OK);
  assertStringIncludes(await hear(client, "ok"), "HTTP/1.1 200 OK");
  assertEquals(network.dialed, ["192.0.2.80:80"]);
  await until(() => network.records.length === 3);
  assertEquals(network.records.map(({ status, ending }) => [status, ending]), [
    [407, "refused"],
    [407, "refused"],
    [200, "completed"],
  ]);
});

Deno.test("where users exist a SOCKS4 client is refused before anything is dialed", async () => {
  const network = await VirtualNetwork.start({ authenticate: () => true });
  const { client, done } = network.connect();
  await say(client, "\x04\x01\x00\x50\xc0\x00\x02\x50ann\x00");
  assertEquals(await hearAll(client), "\x00\x5b\x00\x00\x00\x00\x00\x00");
  await client.writer.close();
  await done;
  assertEquals(network.dialed, []);
});

Deno.test("a client connection is kept over several requests, to different hosts too", async () => {
  const network = await VirtualNetwork.start();
  network.hosts["other.test"] = ["192.0.2.90"];
  const { client, done } = network.connect();
  for (const host of ["origin.test", "other.test", "origin.test"]) {
    await say(client, `GET http://${host}/ HTTP/1.1\r\nHost: ignored.test\r\n\r\n`);
    const origin = await network.origin();
    assertStringIncludes(await hear(origin, "\r\n\r\n"), `GET / HTTP/1.1\r\nHost: ${host}\r\n`);
    await say(origin, "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n");
    assertStringIncludes(await hear(client, "\r\n\r\n"), "HTTP/1.1 204 No Content\r\n");
  }
  await client.writer.close();
  await done;
  assertEquals(network.dialed, ["192.0.2.80:80", "192.0.2.90:80", "192.0.2.80:80"]);
});

Deno.test("an origin's connection is kept and used again for a request that could be repeated", async () => {
  const network = await VirtualNetwork.start();
  const { client } = network.connect();
  await say(client, GET);
  const origin = await network.origin();
  for (let i = 0; i < 3; i++) {
    await hear(origin, "\r\n\r\n");
    await say(origin, OK);
    await hear(client, "ok");
    await say(client, GET);
  }
  assertEquals(network.dialed, ["192.0.2.80:80"]);
});

Deno.test("a kept connection that dies before it answers is dialed once more, unseen by the client", async () => {
  const network = await VirtualNetwork.start();
  const { client } = network.connect();
  await say(client, GET);
  const first = await network.origin();
  await hear(first, "\r\n\r\n");
  await say(first, OK);
  await hear(client, "ok");
  await say(client, GET);
  await hear(first, "\r\n\r\n");
  await first.writer.close();
  const second = await network.origin();
  await hear(second, "\r\n\r\n");
  await say(second, OK);
  assertStringIncludes(await hear(client, "ok"), "HTTP/1.1 200 OK");
  assertEquals(network.transitions.filter((transition) => transition.includes("stale")).length, 1);
  assertEquals(network.dialed.length, 2);
});

Deno.test("an unreachable target is told by the table, and the client may go on", async () => {
  const network = await VirtualNetwork.start();
  const { client } = network.connect();
  const cases: [string, RegExp][] = [
    [
      "GET http://dead.test/ HTTP/1.1\r\nHost: dead.test\r\n\r\n",
      /^HTTP\/1.1 502 .*error=connection_refused/s,
    ],
    ["GET http://unknown.test/ HTTP/1.1\r\nHost: unknown.test\r\n\r\n", /^HTTP\/1.1 502 .*error=dns_error/s],
  ];
  for (const [request, answer] of cases) {
    await say(client, request);
    assertMatch(await hear(client, /\r\n\r\n[^]+\n/), answer);
  }
  await until(() => network.records.length === 2);
  assertEquals(network.records.map(({ fault }) => fault), ["connection_refused", "dns_error"]);
  assertStringIncludes(network.records[0].reason ?? "", "192.0.2.81:80");
});

Deno.test("a target that does not accept in time is 504 to HTTP and 04 to SOCKS5", async () => {
  const network = await VirtualNetwork.start();
  network.unreachable["192.0.2.80"] = "hang";
  const http = network.connect();
  const socks = network.connect();
  await say(http.client, GET);
  await say(socks.client, "\x05\x01\x00\x05\x01\x00\x03\x0borigin.test\x00\x50");
  await until(() => network.dialed.length === 2);
  network.clock.advance(10_000);
  assertMatch(await hear(http.client, "\n"), /^HTTP\/1.1 504 /);
  assertEquals(await hearAll(socks.client), "\x05\x00\x05\x04\x00\x01\x00\x00\x00\x00\x00\x00");
});

Deno.test("a head that trickles is cut off at the header timeout, and is told 408", async () => {
  const network = await VirtualNetwork.start();
  const { client, done } = network.connect();
  for (const char of "GET http://") {
    await say(client, char);
    // A deadline falls between turns of the event loop, never in the middle of one.
    await new Promise((resolve) => setTimeout(resolve, 0));
    network.clock.advance(800);
  }
  network.clock.advance(1_200);
  assertMatch(await hear(client, "\n"), /^HTTP\/1.1 408 /);
  await client.writer.close();
  await hearAll(client);
  await done;
  assertEquals(network.records[0].fault, "client_timeout");
});

Deno.test("an empty line does not give a client more time for its first request", async () => {
  const network = await VirtualNetwork.start();
  const { client, done } = network.connect();
  network.clock.advance(9_000);
  await say(client, "\r\n");
  await until(() => network.path.includes("serving"));
  await new Promise((resolve) => setTimeout(resolve, 0));
  network.clock.advance(1_100);
  await until(() => network.path.includes("closing"));
  await client.writer.close();
  await done;
});

Deno.test("half a greeting costs its own connection, at the header timeout, and nobody else's", async () => {
  for (const half of ["\x05\x01", "\x04\x01\x00", "CONNECT origin.test:80 HT"]) {
    const network = await VirtualNetwork.start();
    const { client, done } = network.connect();
    await say(client, half);
    await until(() => network.path.length === 1);
    network.clock.advance(10_000);
    await until(() => network.path.includes("closing"));
    network.clock.advance(2_000);
    await done;
  }
});

Deno.test("a client that never says anything is closed at the header timeout without a word", async () => {
  const network = await VirtualNetwork.start();
  const { client, done } = network.connect();
  network.clock.advance(10_000);
  assertEquals(await hearAll(client), "");
  await client.writer.close();
  await done;
  assertEquals(network.records, []);
});

Deno.test("an idle client between requests is closed at the idle timeout, gracefully", async () => {
  const network = await VirtualNetwork.start();
  const { client, done } = network.connect();
  await say(client, GET);
  const origin = await network.origin();
  await hear(origin, "\r\n\r\n");
  await say(origin, OK);
  await hear(client, "ok");
  await until(() => network.path.at(-1) === "serving");
  network.clock.advance(60_000);
  assertEquals(network.proxy.connections, 1);
  network.clock.advance(240_000);
  assertEquals(await hearAll(client), "");
  await client.writer.close();
  await done;
  assertEquals(network.records.length, 1);
});

Deno.test("a tunnel is cut when no byte has moved for the idle timeout, and lives while they trickle", async () => {
  const network = await VirtualNetwork.start();
  const { client, done } = network.connect();
  await say(client, "CONNECT origin.test:443 HTTP/1.1\r\nHost: origin.test:443\r\n\r\n");
  await hear(client, "\r\n\r\n");
  const origin = await network.origin();
  for (let i = 0; i < 5; i++) {
    network.clock.advance(299_000);
    await say(origin, ".");
    await hear(client, ".");
    // The proxy takes note of a byte when its write has settled, a moment after it can be heard.
    await say(origin, ".");
    await hear(client, ".");
  }
  network.clock.advance(300_000);
  await done;
  assertEquals(network.records.map(({ ending, fault }) => [ending, fault]), [[
    "timed out",
    "connection_read_timeout",
  ]]);
});

Deno.test("an origin that never answers is 504 at the idle timeout", async () => {
  const network = await VirtualNetwork.start();
  const { client } = network.connect();
  await say(client, GET);
  await hear(await network.origin(), "\r\n\r\n");
  network.clock.advance(300_000);
  assertMatch(await hear(client, /\n$/), /^HTTP\/1.1 504 .*error=http_response_timeout/s);
});

Deno.test("draining lets go of idle clients at once and lets transfers finish", async () => {
  const network = await VirtualNetwork.start();
  const idle = network.connect();
  const silent = network.connect();
  const busy = network.connect();
  await say(idle.client, GET);
  const first = await network.origin();
  await hear(first, "\r\n\r\n");
  await say(first, OK.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n"));
  await hear(idle.client, "ok");
  await say(busy.client, GET);
  const second = await network.origin();
  await hear(second, "\r\n\r\n");
  const closed = network.proxy.close();
  for (const { client, done } of [idle, silent]) {
    assertEquals(await hearAll(client), "");
    await client.writer.close();
    await done;
  }
  await say(second, OK);
  assertMatch(await hear(busy.client, "ok"), /\r\nConnection: close\r\n/);
  await busy.client.writer.close();
  await closed;
  assertEquals(network.proxy.connections, 0);
});

Deno.test("a response whose head is out before the drain ends with FIN, not with a reset", async () => {
  const network = await VirtualNetwork.start();
  const { client, done } = network.connect();
  await say(client, GET);
  const origin = await network.origin();
  await hear(origin, "\r\n\r\n");
  await say(origin, OK.slice(0, -1));
  await hear(client, /o$/);
  const closed = network.proxy.close();
  await say(origin, "k");
  assertEquals(await hearAll(client), "k");
  await client.writer.close();
  await Promise.all([done, closed]);
});

Deno.test("draining cuts what has not finished when its time is up", async () => {
  const network = await VirtualNetwork.start();
  const { client } = network.connect();
  await say(client, "CONNECT origin.test:443 HTTP/1.1\r\nHost: origin.test:443\r\n\r\n");
  await hear(client, "\r\n\r\n");
  const closed = network.proxy.close({ drain: 5_000 });
  network.clock.advance(5_000);
  await closed;
  assertEquals(network.records.map(({ ending, fault }) => [ending, fault]), [["aborted", "proxy_shutdown"]]);
});

Deno.test("a client that breaks off costs the origin's connection, too, in every direction", async () => {
  for (const request of ["CONNECT origin.test:80 HTTP/1.1\r\nHost: origin.test:80\r\n\r\n", GET]) {
    const network = await VirtualNetwork.start();
    const { client, done } = network.connect();
    await say(client, request);
    const origin = await network.origin();
    if (request === GET) await hear(origin, "\r\n\r\n");
    else await hear(client, "\r\n\r\n");
    client.cut(new Fault("client_disconnected"));
    await assertRejects(() => origin.reader.read());
    await done;
    assertEquals(network.records[0].fault, "client_disconnected");
    assertEquals(network.records[0].ending, "aborted");
  }
});

Deno.test("bytes of no protocol are closed without a word", async () => {
  for (const first of ["\x00", "\x16\x03\x01", "\xff", "\x06"]) {
    const network = await VirtualNetwork.start();
    const { client, done } = network.connect();
    await client.writer.write(bytes(first));
    await done;
    assertEquals(network.path, ["closing", "closed"]);
  }
});

Deno.test("when the connection is over no deadline is left behind", async () => {
  const network = await VirtualNetwork.start();
  const { client, done } = network.connect();
  await say(client, "nonsense\r\n\r\n");
  assertMatch(await hearAll(client), /^HTTP\/1.1 400 /);
  await client.writer.close();
  await done;
  assertEquals(network.clock.pending, 0);
});

Deno.test("a request body over the limit is refused with 413, before the origin hears of it or in its middle", async () => {
  const network = await VirtualNetwork.start({ limits: { bodySize: 4 } });
  const head = "POST http://origin.test/ HTTP/1.1\r\nHost: origin.test\r\n";
  for (
    const body of [
      "Content-Length: 5\r\n\r\n12345",
      "Transfer-Encoding: chunked\r\n\r\n3\r\n123\r\n2\r\n45\r\n0\r\n\r\n",
    ]
  ) {
    const { client } = network.connect();
    await say(client, head + body);
    assertMatch(await hear(client, /\n$/), /^HTTP\/1.1 413 .*error=http_request_error/s);
    await assertRejects(async () => await hear(await network.origin(), "\r\n\r\n3"));
  }
  const { client } = network.connect();
  await say(client, `${head}Content-Length: 4\r\n\r\n1234`);
  const origin = await network.origin();
  await hear(origin, "1234");
  await say(origin, OK);
  assertStringIncludes(await hear(client, "ok"), "HTTP/1.1 200 OK");
});

Deno.test("the record of an answer whose request broke off says so, and one of a body that was never asked for does not", async () => {
  const length = ["", "Content-Length: 10\r\n\r\n"] as const;
  const stalls = (network: VirtualNetwork) => network.clock.advance(300_000);
  const leaves = (_: VirtualNetwork, client: Channel) => client.writer.close();
  for (
    const [fields, body, end, ending, fault] of [
      [length, "12345", stalls, "timed out", "client_timeout"],
      [length, "12345", leaves, "aborted", "http_request_error"],
      [["Expect: 100-continue\r\n", length[1]], "", leaves, "completed", undefined],
    ] as const
  ) {
    const network = await VirtualNetwork.start();
    const { client, done } = network.connect();
    await say(client, `POST http://origin.test/ HTTP/1.1\r\nHost: origin.test\r\n${fields.join("")}${body}`);
    const origin = await network.origin();
    await hear(origin, `\r\n\r\n${body}`);
    await say(origin, OK);
    await hear(client, "ok");
    await new Promise((resolve) => setTimeout(resolve, 0));
    await end(network, client);
    await until(() => network.records.length === 1);
    const [record] = network.records;
    assertEquals([record.status, record.ending, record.fault], [200, ending, fault]);
    await client.writer.close();
    await done;
  }
});

Deno.test("origins are told of clients where that was asked for", async () => {
  const network = await VirtualNetwork.start({ forwarded: "replace" });
  const { client } = network.connect();
  await say(client, GET.replace("\r\n\r\n", "\r\nX-Forwarded-For: 10.0.0.1\r\n\r\n"));
  const forwarded = await hear(await network.origin(), "\r\n\r\n");
  assertMatch(forwarded, /\r\nForwarded: for=192\.0\.2\.1;proto=http\r\nX-Forwarded-For: 192\.0\.2\.1\r\n/);
});

Deno.test("an origin's connection that is let in serves its own client, and nobody else", async () => {
  for (const scheme of ["NTLM", "Negotiate"]) {
    const network = await VirtualNetwork.start();
    const { client } = network.connect();
    await say(client, GET.replace("\r\n\r\n", `\r\nAuthorization: ${scheme} TlRMTQ==\r\n\r\n`));
    const origin = await network.origin();
    await hear(origin, "\r\n\r\n");
    await say(origin, OK);
    await hear(client, "ok");
    // Requests that cannot be repeated go over it, too.
    await say(client, GET.replace("GET", "POST").replace("\r\n\r\n", "\r\nContent-Length: 4\r\n\r\nbody"));
    await hear(origin, "body");
    await say(origin, OK);
    await hear(client, "ok");
    const stranger = network.connect();
    await say(stranger.client, GET);
    await network.origin();
    assertEquals(network.dialed.length, 2);
  }
});

Deno.test("with the guard on no private address is dialed, whatever a name resolves to", async () => {
  const network = await VirtualNetwork.start({ privateDestinations: "deny" });
  network.hosts["rebound.test"] = ["10.0.0.1", "::1", "169.254.169.254"];
  network.hosts["mixed.test"] = ["127.0.0.1", "8.8.8.8"];
  for (const host of ["rebound.test", "127.0.0.1", "[::ffff:7f00:1]"]) {
    const { client } = network.connect();
    await say(client, `CONNECT ${host}:80 HTTP/1.1\r\nHost: ${host}:80\r\n\r\n`);
    assertMatch(await hearAll(client), /^HTTP\/1.1 403 .*error=destination_ip_prohibited/s);
    await client.writer.close();
  }
  const socks = network.connect();
  await say(socks.client, "\x05\x01\x00\x05\x01\x00\x03\x0crebound.test\x00\x50");
  assertEquals((await hearAll(socks.client)).slice(2, 4), "\x05\x02");
  assertEquals(network.dialed, []);
  const { client } = network.connect();
  await say(client, "CONNECT mixed.test:80 HTTP/1.1\r\nHost: mixed.test:80\r\n\r\n");
  await hear(client, "200 Connection established");
  assertEquals(network.dialed, ["8.8.8.8:80"]);
});

Deno.test("a name with a dead IPv6 address is reached over IPv4 in less than 350 ms, and a slow one is waited for", async () => {
  const network = await VirtualNetwork.start();
  network.hosts["dual.test"] = ["2001:db8::1", "192.0.2.9"];
  network.unreachable["2001:db8::1"] = "hang";
  const { client } = network.connect();
  await say(client, "CONNECT dual.test:80 HTTP/1.1\r\nHost: dual.test:80\r\n\r\n");
  await until(() => network.dialed.length === 1);
  network.clock.advance(250);
  await hear(client, "200 Connection established");
  assertEquals(network.dialed, ["[2001:db8::1]:80", "192.0.2.9:80"]);
  network.hosts["slow.test"] = ["192.0.2.10"];
  network.slow["192.0.2.10"] = 400;
  const slow = network.connect();
  await say(slow.client, "CONNECT slow.test:80 HTTP/1.1\r\nHost: slow.test:80\r\n\r\n");
  await until(() => network.dialed.length === 3);
  network.clock.advance(400);
  await hear(slow.client, "200 Connection established");
});

Deno.test("a name that is not resolved in time is 504 dns_timeout", async () => {
  const resolve = (_: string, { signal }: { signal?: AbortSignal } = {}) =>
    new Promise<never>((_, reject) => signal?.addEventListener("abort", () => reject(signal.reason)));
  const network = await VirtualNetwork.start({ runtime: { ...new VirtualNetwork().runtime, resolve } });
  const { client } = network.connect();
  await say(client, GET);
  await until(() => network.path.at(-1) === "dialing");
  network.clock.advance(5_000);
  assertMatch(await hear(client, /\n$/), /^HTTP\/1.1 504 .*error=dns_timeout/s);
});
