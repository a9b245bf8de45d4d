/**
 * Who comes to a listener: visitors that only look whether somebody is there, as load balancers do and the lifelines of
 * a proxy before this one; clients that are gone before they are accepted; IPv4 clients of an IPv6 listener.
 *
 * @module
 */

import { assertEquals, assertMatch } from "@std/assert";
import { request } from "./exchanges.ts";
import { testRows } from "./suite.ts";
import { certificates } from "../contract/certificates.ts";
import type { TcpAddress } from "../../src/runtime/contract.ts";
import { httpOrigin, Origin } from "../support/origin.ts";
import { ProxyProcess } from "../support/proxy.ts";

testRows("visitors that say nothing leave no record, whatever the listener expects", async (row) => {
  const { one } = certificates();
  const tls = `cert=${one.certFile}&key=${one.keyFile}`;
  await using origin = await httpOrigin();
  await using proxy = await ProxyProcess.start(row, [
    ...["--listen", "127.0.0.1:0?proxy-protocol=127.0.0.0/8", "--listen", `auto+tls://127.0.0.1:0?${tls}`],
    ...["--listen", `auto+tls://127.0.0.1:0?${tls}&proxy-protocol=127.0.0.0/8`],
    ...["--allow-open", "--allow-private"],
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

testRows("clients that are gone before they are accepted hold nobody up", async (row) => {
  await using origin = await httpOrigin();
  await using proxy = await ProxyProcess.start(row, []);
  proxy.kill("SIGSTOP");
  // They fit into the queue. With a pause of 50 ms for each of them, who stands behind them would wait 20 s.
  for (let i = 0; i < 400; i++) (await proxy.connect()).reset();
  using client = await proxy.connect();
  await client.send(request("GET", `http://${origin.authority}/`));
  proxy.kill("SIGCONT");
  assertEquals((await client.message()).status, 200);
});

testRows("an IPv4 client of [::] is IPv4: in records, rules, limits, and to the next proxy", async (row) => {
  await using origin = await httpOrigin();
  await using next = await Origin.listen();
  await using proxy = await ProxyProcess.start(row, [
    ...["--listen", "[::]:0", "--listen", "[::]:0?proxy-protocol=127.0.0.1", "--allow-private"],
    ...[
      "--allow-client",
      "127.0.0.0/8",
      "--allow-client",
      "203.0.113.7",
      "--deny",
      "*:1 client=127.0.0.1,203.0.113.7",
    ],
    ...["--route", `next.test via http://${next.authority}?proxy-protocol=v1`],
  ]);
  const [, plain, trusting] = proxy.addresses as readonly TcpAddress[];
  const at = ({ port }: TcpAddress) => ({ host: "127.0.0.1", port });
  {
    using client = await proxy.connect(at(plain));
    await client.send(request("GET", `http://${origin.authority}/plain`));
    assertEquals((await client.message()).status, 200);
    assertEquals((await proxy.record("/plain")).client, `127.0.0.1:${client.localPort}`);
    await client.send(request("GET", "http://127.0.0.1:1/denied"));
    assertEquals((await client.message()).status, 403);
  }
  {
    using client = await proxy.connect(at(plain));
    await client.send("CONNECT next.test:443 HTTP/1.1\r\nHost: next.test:443\r\n\r\n");
    using sent = await next.accept();
    assertEquals(
      await sent.readUntil("\r\n"),
      `PROXY TCP4 127.0.0.1 127.0.0.1 ${client.localPort} ${plain.port}\r\n`,
    );
  }
  // A load balancer that listens on [::] itself says what it sees.
  using client = await proxy.connect(at(trusting));
  await client.send("PROXY TCP6 ::ffff:203.0.113.7 ::ffff:192.0.2.1 12345 8080\r\n");
  await client.send(request("GET", `http://${origin.authority}/behind`));
  assertEquals((await client.message()).status, 200);
  assertEquals((await proxy.record("/behind")).client, "203.0.113.7:12345");
  await client.send(request("GET", "http://127.0.0.1:1/denied"));
  assertEquals((await client.message()).status, 403);
});
