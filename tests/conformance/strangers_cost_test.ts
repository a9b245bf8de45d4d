/**
 * What a stranger's or an origin's bytes may cost, before and behind a password: fields, memory, hops, early bytes.
 *
 * @module
 */

import { assert, assertEquals, assertLess, assertMatch } from "@std/assert";
import { Buffer } from "node:buffer";
import { readFile } from "node:fs/promises";
import { request } from "./exchanges.ts";
import { Suite, testRows } from "./suite.ts";
import { httpOrigin, Origin, response } from "../support/origin.ts";
import { ProxyProcess } from "../support/proxy.ts";
import { connect, type RawConnection } from "../support/raw_client.ts";

const MIB = 1024 * 1024;

const suite = new Suite({ flags: ["--forwarded", "delete"] });

suite.test("a head has up to 1000 fields, in a request and in an answer", async (proxy) => {
  await using origin = await httpOrigin((received) =>
    response("ok", ...Array(Number(received.field("x-fields"))).fill("a:"))
  );
  const uri = `http://${origin.authority}/`;
  const cases: [asked: number, answered: number, status: number][] = [
    [998, 999, 200],
    [999, 999, 431],
    [0, 1000, 502],
  ];
  for (const [asked, answered, status] of cases) {
    using client = await proxy.connect();
    // Beside these, a request has Host and X-Fields, and an answer Content-Length.
    await client.send(request("GET", uri, `X-Fields: ${answered}`, ...Array(asked).fill("a:")));
    assertEquals((await client.message()).status, status);
  }
});

suite.test("what is for one hop alone, or tells of a client, is in no trailers either", async (proxy) => {
  await using origin = await Origin.listen();
  using client = await proxy.connect();
  const trailers = [
    "0",
    "X-Named: secret",
    "Forwarded: for=192.0.2.1",
    "X-Forwarded-For: 192.0.2.1",
    "Via: 1.1 secret",
    "Keep-Alive: secret",
    "X-Kept: kept",
    "",
    "",
  ].join("\r\n");
  const uri = `http://${origin.authority}/`;
  await client.send(
    request("POST", uri, "Connection: x-named", "Transfer-Encoding: chunked") + `1\r\na\r\n${trailers}`,
  );
  using target = await origin.accept();
  const received = await target.readUntil("X-Kept: kept\r\n\r\n");
  assert(!/secret|forwarded|192\.0\.2\.1/i.test(received), received);
  await target.send(
    `HTTP/1.1 200 OK\r\nConnection: X-NAMED\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n${trailers}`,
  );
  const answer = await client.readUntil("X-Kept: kept\r\n\r\n");
  assert(!/secret/.test(answer), answer);
});

suite.test("more than 100 informational answers to one request are 502", async (proxy) => {
  const hint = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n";
  for (const [count, status] of [[100, 200], [101, 502]]) {
    await using origin = await Origin.listen(async (connection) => {
      await connection.message();
      await connection.send(hint.repeat(count) + response("ok").toString());
      await connection.ending();
    });
    using client = await proxy.connect();
    await client.send(request("GET", `http://${origin.authority}/`));
    let hints = 0;
    let answer = await client.message();
    for (; answer.status === 103; answer = await client.message()) hints++;
    assertEquals(answer.status, status);
    // What was not on its way yet when the answer failed is not sent before the 502.
    assert(status === 200 ? hints === 100 : hints <= 100, `${hints} hints came`);
  }
});

suite.test("an answer with something small on each of its many chunks arrives", async (proxy) => {
  await using origin = await Origin.listen(async (connection) => {
    await connection.message();
    const chunks = "4;t=1700000000\r\nabcd\r\n".repeat(3000) + "1 \r\n!\r\n0  \r\n\r\n";
    await connection.send(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${chunks}`);
    await connection.ending();
  });
  using client = await proxy.connect();
  await client.send(request("GET", `http://${origin.authority}/`));
  assertEquals((await client.message()).text, `${"abcd".repeat(3000)}!`);
});

suite.test("an answer of the old coding identity runs to the close", async (proxy) => {
  await using origin = await Origin.listen(async (connection) => {
    await connection.message();
    await connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\n\r\nhello");
    connection.end();
    await connection.ending();
  });
  using client = await proxy.connect();
  await client.send(request("GET", `http://${origin.authority}/`));
  assertEquals((await client.message()).text, "hello");
});

suite.test("Expect may be empty, or say 100-continue twice", async (proxy) => {
  await using origin = await httpOrigin(() => response("ok"));
  for (const lines of [["Expect:"], ["Expect: 100-continue", "Expect: 100-Continue"]]) {
    using client = await proxy.connect();
    await client.send(request("POST", `http://${origin.authority}/`, "Content-Length: 2", ...lines) + "hi");
    assertEquals((await client.message()).status, 200);
  }
});

suite.test("GET https:// is 400 with a word about CONNECT, and is recorded without its password", async (proxy) => {
  const port = 20000 + Math.floor(Math.random() * 40000);
  using client = await proxy.connect();
  await client.send(request("GET", `https://127.0.0.1:${port}/`));
  const answer = await client.message();
  assertEquals(answer.status, 400);
  assertMatch(answer.text, /CONNECT/);
  const record = await proxy.record(`https://127.0.0.1:${port}/`, client);
  assertEquals([record.method, record.status], ["GET", 400]);
  using other = await proxy.connect();
  await other.send(`GET http://ann:secret@127.0.0.1:${port}/ HTTP/1.1\r\nHost: x\r\n\r\n`);
  assertEquals((await other.message()).status, 400);
  assertEquals((await proxy.record(`@127.0.0.1:${port}/`, other)).target, `http://...@127.0.0.1:${port}/`);
});

testRows("what follows a CONNECT or Upgrade whose password is wrong is no request", async (row) => {
  await using proxy = await ProxyProcess.start(row, ["--user", "ann:secret"]);
  await using origin = await httpOrigin();
  const basic = (user: string) => `Proxy-Authorization: Basic ${Buffer.from(user).toString("base64")}`;
  const uri = `http://${origin.authority}/`;
  const heads = [
    `CONNECT ${origin.authority} HTTP/1.1\r\nHost: x\r\n${basic("ann:wrong")}\r\n\r\n`,
    request("GET", uri, "Connection: upgrade", "Upgrade: websocket", basic("ann:wrong")),
  ];
  for (const head of heads) {
    using client = await proxy.connect();
    await client.send(head);
    await client.send(request("GET", uri, basic("ann:secret")));
    const answer = await client.message();
    assertEquals([answer.status, answer.field("connection")], [407, "close"]);
    assertEquals((await client.readToEnd()).length, 0);
  }
  assert(await origin.isUntouched());
  // A client that has yet to learn that there are users begins without credentials, and goes on where it is.
  using client = await proxy.connect();
  await client.send(`CONNECT ${origin.authority} HTTP/1.1\r\nHost: x\r\n\r\n`);
  assertEquals((await client.message()).status, 407);
  await client.send(request("GET", uri, basic("ann:secret")));
  assertEquals((await client.message()).status, 200);
  assertEquals(await proxy.stop(), 0);
});

testRows("behind an Upgrade that is not granted, early bytes are no request", async (row) => {
  await using proxy = await ProxyProcess.start(row);
  await using origin = await Origin.listen();
  using client = await proxy.connect();
  const uri = `http://${origin.authority}/`;
  await client.send(request("GET", uri, "Connection: upgrade", "Upgrade: websocket") + request("GET", uri));
  using target = await origin.accept();
  await target.readUntil("\r\n\r\n");
  await target.send(response("no"));
  const answer = await client.message();
  assertEquals([answer.text, answer.field("connection")], ["no", "close"]);
  assertEquals((await client.readToEnd()).length, 0);
  assertEquals(await proxy.stop(), 0);
});

testRows("an empty line behind a request begins no other", async (row) => {
  await using proxy = await ProxyProcess.start(row, ["--header-timeout", "300ms", "--idle-timeout", "1s"]);
  await using origin = await httpOrigin();
  const post = request("POST", `http://${origin.authority}/`, "Content-Length: 2") + "hi\r\n";
  using client = await proxy.connect();
  await client.send(post);
  assertEquals((await client.message()).status, 200);
  assertEquals((await client.readToEnd()).length, 0);
  using other = await proxy.connect();
  await other.send(post + post);
  for (let i = 0; i < 2; i++) assertEquals((await other.message()).status, 200);
  assertEquals(await proxy.stop(), 0);
});

/** The most memory that a process has had, in bytes (proc(5)). */
async function peakBytes({ pid }: ProxyProcess): Promise<number> {
  const [, kilobytes] = /^VmHWM:\s+(\d+) kB$/m.exec(await readFile(`/proc/${pid}/status`, "utf8")) ?? [];
  return Number(kilobytes) * 1024;
}

/** Clients with a head that has this in it and does not end. */
async function unfinished(proxy: ProxyProcess, count: number, lines: string): Promise<RawConnection[]> {
  const clients: RawConnection[] = [];
  // Encoded once: Deno takes a millisecond for each 200 KB.
  const head = Buffer.from(`GET http://localhost/ HTTP/1.1\r\nHost: x\r\n${lines}`, "latin1");
  for (let i = 0; i < count; i++) {
    const client = await connect(proxy.addresses[0]);
    clients.push(client);
    await client.send(head);
  }
  return clients;
}

testRows("a head that never ends holds its bytes, and not the objects of its fields", async (row) => {
  await using proxy = await ProxyProcess.start(row, ["--user", "ann:secret", "--header-timeout", "60s"]);
  // As many fields as there may be, and a long one behind them; or nothing but fields.
  const heads = [`${"a:\r\n".repeat(990)}X: ${"x".repeat(40_000)}`, "a:\r\n".repeat(15_000)];
  // What a process needs to serve at all is not to be counted.
  for (const lines of heads) {
    for (const client of await unfinished(proxy, 10, lines)) client[Symbol.dispose]();
  }
  const before = await peakBytes(proxy);
  const count = 150;
  for (const lines of heads) {
    const clients = await unfinished(proxy, count, lines);
    const more = Buffer.from("\r\n" + "x".repeat(65_536), "latin1");
    for (const client of clients) await client.send(more);
    for (const client of clients) assertEquals((await client.message()).status, 431);
    for (const client of clients) client[Symbol.dispose]();
  }
  assertLess(((await peakBytes(proxy)) - before) / count, 700 * 1024);
  assertEquals(await proxy.stop(), 0);
});

for (const [what, flags] of [["with users", ["--user", "ann:secret"]], ["without", []]] as const) {
  testRows(`all unfinished heads together have a budget, and the oldest go, ${what}`, async (row) => {
    const limits = ["--max-header-size", String(MIB), "--header-timeout", "60s"];
    await using proxy = await ProxyProcess.start(row, [...limits, ...flags]);
    await using origin = await httpOrigin();
    const clients = await unfinished(proxy, 60, `X: ${"x".repeat(600_000)}`);
    for (const client of clients.slice(0, 5)) assertEquals((await client.message()).status, 503);
    await proxy.said(/ warn .*unfinished heads/);
    // Whoever came last is still listened to, and who says all at once is served.
    const last = clients.at(-1)!;
    await last.send("\r\n\r\n");
    assert([407, 403, 502].includes((await last.message()).status));
    using client = await proxy.connect();
    const credentials = `Proxy-Authorization: Basic ${Buffer.from("ann:secret").toString("base64")}`;
    await client.send(request("GET", `http://${origin.authority}/`, credentials));
    assertEquals((await client.message()).status, 200);
    for (const client of clients) client[Symbol.dispose]();
    assertEquals(await proxy.stop(), 0);
  });
}
