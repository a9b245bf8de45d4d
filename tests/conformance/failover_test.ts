/**
 * Several upstreams: the first that works is taken, and one that does not is left alone for a while.
 *
 * @module
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { request, SOCKS5_GREETING, socks5Reply, socks5Request, tunnel } from "./exchanges.ts";
import { testRows } from "./suite.ts";
import { ClosedPort, httpOrigin, Origin } from "../support/origin.ts";
import { freePort } from "../support/peers.ts";
import { ProxyProcess } from "../support/proxy.ts";
import { connect } from "../support/raw_client.ts";

/** How long an upstream is left alone after its first failure, in milliseconds. */
const PAUSE = 5_000;

/** GET, on a connection of its own: the status, and the way that the record tells. */
async function get(proxy: ProxyProcess, origin: Origin): Promise<{ status: number; route: unknown }> {
  using client = await proxy.connect();
  const path = `/${crypto.randomUUID()}`;
  await client.send(request("GET", `http://${origin.authority}${path}`));
  const { status } = await client.message();
  return { status, route: (await proxy.record(path)).route };
}

testRows(
  "failover: a dead first upstream is hidden, left alone, and taken again once it lives",
  async (row) => {
    await using origin = await httpOrigin();
    await using second = await ProxyProcess.start(row);
    const port = await freePort();
    const [first, other] = [`http://127.0.0.1:${port}`, `http://127.0.0.1:${second.port}`];
    await using proxy = await ProxyProcess.start(row, ["--proxy", first, "--proxy", other]);
    const start = performance.now();
    const answers = await Promise.all(Array.from({ length: 20 }, () => get(proxy, origin)));
    assertEquals(answers, answers.map(() => ({ status: 200, route: other })));
    using tunneled = await tunnel(proxy, origin.authority);
    await tunneled.send(request("GET", `http://${origin.authority}/tunnel`));
    assertEquals((await tunneled.message()).text, "ok");

    // It lives again, and is not asked before its pause is over.
    await using revived = await ProxyProcess.start(row, ["--listen", `127.0.0.1:${port}`]);
    let [asked, answer] = [performance.now(), await get(proxy, origin)];
    while (answer.route === other && asked - start < PAUSE + 5_000) {
      await new Promise((resolve) => setTimeout(resolve, 100));
      [asked, answer] = [performance.now(), await get(proxy, origin)];
      assertEquals(answer.status, 200);
    }
    // Requests went on all the time by connections to the second that were kept.
    assertEquals(answer.route, first);
    assert(asked - start > PAUSE - 100, `It was asked after ${asked - start} ms`);
    assertEquals(await revived.stop(), 0);
    const after = await Promise.all(Array.from({ length: 20 }, () => get(proxy, origin)));
    assertEquals(after, after.map(() => ({ status: 200, route: other })));
  },
);

testRows("failover: where all upstreams are dead it is 502, and the reason names them all", async (row) => {
  await using one = await ClosedPort.take();
  await using two = await ClosedPort.take();
  await using proxy = await ProxyProcess.start(row, [
    ...["--proxy", `http://${one.authority}`, "--proxy", `socks5h://${two.authority}`, "--name", "here"],
  ]);
  for (let i = 0; i < 2; i++) {
    using http = await proxy.connect();
    await http.send(request("GET", `http://target.test/${i}`));
    const answer = await http.message();
    assertEquals([answer.status, answer.field("proxy-status")], [
      502,
      'here; error=connection_refused; details="next proxy"',
    ]);
    const { reason } = await proxy.record(`/${i}`);
    assertMatch(String(reason), new RegExp(`http://${one.authority}: .*; socks5h://${two.authority}: `));
  }
  using socks = await proxy.connect();
  await socks.send(Uint8Array.of(...SOCKS5_GREETING, ...socks5Request("target.test", 443)));
  await socks.read(2);
  // Not 05: it is not the target that refuses.
  assertEquals(await socks5Reply(socks), 1);
});

testRows(
  "failover: what an upstream says of the target is the answer, and no other is asked",
  async (row) => {
    await using closed = await ClosedPort.take();
    await using first = await ProxyProcess.start(row, ["--deny", "denied.test"]);
    await using second = await ProxyProcess.start(row);
    await using proxy = await ProxyProcess.start(row, [
      ...["--proxy", `socks5h://127.0.0.1:${first.port}`, "--proxy", `http://127.0.0.1:${second.port}`],
    ]);
    for (const [authority, status] of [[closed.authority, 502], ["denied.test:80", 403]] as const) {
      using client = await proxy.connect();
      await client.send(request("GET", `http://${authority}/`));
      assertEquals((await client.message()).status, status);
    }
    assertEquals(second.output.all, []);
  },
);

testRows("failover: `direct` may be the last resort", async (row) => {
  await using closed = await ClosedPort.take();
  await using origin = await httpOrigin();
  await using proxy = await ProxyProcess.start(row, [
    ...["--proxy", `http://${closed.authority}`, "--proxy", "direct"],
  ]);
  assertEquals(await get(proxy, origin), { status: 200, route: "direct" });
});

testRows("failover: what an upstream may have done already is not asked of another", async (row) => {
  await using first = await Origin.listen(async (connection) => void await connection.message());
  await using second = await Origin.listen();
  await using proxy = await ProxyProcess.start(row, [
    ...["--proxy", `http://${first.authority}`, "--proxy", `http://${second.authority}`],
  ]);
  using client = await proxy.connect();
  await client.send(`${request("POST", "http://target.test/", "Content-Length: 4")}once`);
  assertEquals((await client.message()).status, 502);
  assertEquals(await second.isUntouched(), true);
});

testRows("failover: an upstream that hangs up whatever it is asked is left alone", async (row) => {
  await using first = await Origin.listen(async (connection) => {
    await connection.message();
    connection.end();
  });
  await using second = await ProxyProcess.start(row);
  await using origin = await httpOrigin();
  const other = `http://127.0.0.1:${second.port}`;
  await using proxy = await ProxyProcess.start(row, [
    ...["--proxy", `http://${first.authority}`, "--proxy", other],
  ]);
  assertEquals(await get(proxy, origin), { status: 502, route: `http://${first.authority}` });
  // It is asked for a word of its own meanwhile.
  let answer = await get(proxy, origin);
  for (let i = 0; i < 50 && answer.route !== other; i++) answer = await get(proxy, origin);
  assertEquals(answer, { status: 200, route: other });
});

/**
 * An HTTP proxy of another make: what an origin does to it, it does to its client, and a target that it cannot reach is
 * 500, as with tinyproxy.
 */
function faithful(): Promise<Origin> {
  return Origin.listen(async (connection) => {
    while (true) {
      const { startLine } = await connection.message();
      const [, authority, path] = /^[A-Z]+ (?:http:\/\/)?([^/ ]*)(\S*)/.exec(startLine)!;
      if (authority === "*") {
        await connection.send("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
        continue;
      }
      const [host, port] = authority.split(":");
      if (startLine.startsWith("CONNECT") && host === "dead.test") {
        await connection.send("HTTP/1.1 500 Unable to connect\r\nContent-Length: 0\r\n\r\n");
        continue;
      }
      if (startLine.startsWith("CONNECT")) return connection.end();
      using origin = await connect({ host, port: Number(port) });
      await origin.send(`GET ${path} HTTP/1.1\r\nHost: ${authority}\r\n\r\n`);
      await origin.until("\r\n\r\nok").then(() => connection.send(origin.received), () => connection.end());
    }
  });
}

testRows("failover: no origin can make its upstream count as failed", async (row) => {
  await using first = await faithful();
  await using second = await Origin.listen();
  await using origin = await httpOrigin();
  await using closes = await Origin.listen(async (connection) => void await connection.message());
  await using challenges = await httpOrigin(() =>
    "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 4\r\n\r\nok  "
  );
  await using proxy = await ProxyProcess.start(row, [
    ...["--proxy", `http://${first.authority}`, "--proxy", `http://${second.authority}`],
  ]);
  const good = { status: 200, route: `http://${first.authority}` };
  assertEquals(await get(proxy, origin), good);
  for (const bad of [closes, challenges]) {
    for (let i = 0; i < 3; i++) {
      assert((await get(proxy, bad)).status >= 500);
      assertEquals(await get(proxy, origin), good);
    }
  }
  // A tunnel that is refused or hung up on goes no other way, nor does the next request.
  for (const target of ["dead.test:443", "closing.test:443"]) {
    using client = await proxy.connect();
    await client.send(`CONNECT ${target} HTTP/1.1\r\nHost: ${target}\r\n\r\n`);
    assertEquals((await client.message()).status, 502, target);
    assertEquals(await get(proxy, origin), good);
  }
  assertEquals(await second.isUntouched(), true);
});
