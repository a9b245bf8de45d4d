/**
 * W3C Trace Context: the log has the client's trace, and a CONNECT carries it to the next proxy, where that is asked for.
 *
 * @module
 */

import { assertEquals, assertMatch } from "@std/assert";
import { request } from "./exchanges.ts";
import { testRows } from "./suite.ts";
import { httpOrigin, Origin } from "../support/origin.ts";
import { ProxyProcess } from "../support/proxy.ts";

const TRACE = "0af7651916cd43dd8448eb211c80319c";
const FIELD = `traceparent: 00-${TRACE}-b7ad6b7169203331-01`;

testRows("--trace-context: a trace is in the log, and a CONNECT takes it to the next proxy", async (row) => {
  await using next = await Origin.listen();
  await using origin = await httpOrigin();
  for (const flags of [["--trace-context"], []]) {
    await using proxy = await ProxyProcess.start(row, [
      ...flags,
      "--route",
      `example.test via ${next.authority}`,
    ]);
    using client = await proxy.connect();
    await client.send(`CONNECT example.test:443 HTTP/1.1\r\nHost: example.test:443\r\n${FIELD}\r\n\r\n`);
    using far = await next.accept();
    const head = await far.readUntil("\r\n\r\n");
    assertEquals(/^traceparent: 00-(.*?)-.*\r$/im.exec(head)?.[1], flags.length > 0 ? TRACE : undefined);
    await far.send("HTTP/1.1 200 OK\r\n\r\n");
    assertMatch(await client.readUntil("\r\n\r\n"), /^HTTP\/1\.1 200 /);
    far.end();
    client.end();
    const wanted = flags.length > 0 ? TRACE : undefined;
    assertEquals((await proxy.record("example.test:443")).trace, wanted);
    using other = await proxy.connect();
    await other.send(request("GET", `http://${origin.authority}/`, FIELD));
    assertEquals((await other.message()).status, 200);
    assertEquals((await proxy.record(`http://${origin.authority}/`)).trace, wanted);
  }
});
