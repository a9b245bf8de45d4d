/**
 * Who only looks whether somebody is there, as load balancers do and the lifelines of a proxy before this one: connects,
 * says nothing and leaves.
 *
 * @module
 */

import { assertEquals, assertMatch } from "@std/assert";
import { request } from "./exchanges.ts";
import { testRows } from "./suite.ts";
import { certificates } from "../contract/certificates.ts";
import { httpOrigin } from "../support/origin.ts";
import { ProxyProcess } from "../support/proxy.ts";

testRows("visitors that say nothing leave no record, whatever the listener expects", async (row) => {
  const { one } = certificates();
  const tls = `cert=${one.certFile}&key=${one.keyFile}`;
  await using origin = await httpOrigin();
  await using proxy = await ProxyProcess.start(row, [
    ...["--listen", "127.0.0.1:0?proxy-protocol=127.0.0.0/8", "--listen", `auto+tls://127.0.0.1:0?${tls}`],
    ...["--listen", `auto+tls://127.0.0.1:0?${tls}&proxy-protocol=127.0.0.0/8`],
  ]);
  for (const leave of ["end", "reset"] as const) {
    for (const address of proxy.addresses) {
      using visitor = await proxy.connect(address);
      visitor[leave]();
      await visitor.ending();
    }
  }
  // One who introduces somebody is no more than a visitor either.
  using visitor = await proxy.connect(proxy.addresses[3]);
  await visitor.send("PROXY TCP4 203.0.113.7 127.0.0.1 12345 8080\r\n");
  visitor.end();
  await visitor.ending();
  // One who says something and leaves is on record.
  using other = await proxy.connect(proxy.addresses[2]);
  await other.send("\x16\x03");
  other.end();
  const line = await proxy.output.find((line) => line.includes(`:${other.localPort}"`));
  assertMatch(JSON.parse(line).fault, /^(?:tls_protocol_error|client_disconnected)$/);
  using client = await proxy.connect();
  await client.send(request("GET", `http://${origin.authority}/last`));
  await client.message();
  await proxy.record("/last");
  assertEquals(proxy.output.all.length, 2, proxy.output.all.join("\n"));
}, { permissions: ["-R", "-W"], programs: ["openssl"] });
