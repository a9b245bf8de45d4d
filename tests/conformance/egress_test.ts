/**
 * The address that the proxy dials from: what origins see, and what the log tells.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { request, tunnel } from "./exchanges.ts";
import { testRows } from "./suite.ts";
import { httpOrigin, Origin } from "../support/origin.ts";
import { ProxyProcess } from "../support/proxy.ts";

testRows(
  "bind: the origin sees the address that the first matching rule says, and the log tells it",
  async (row) => {
    await using one = await httpOrigin();
    await using other = await Origin.listen();
    const rules = ["--bind", `*:${one.port} to 127.0.0.7`, "--bind", "127.0.1.0/28 per request"];
    await using proxy = await ProxyProcess.start(row, rules);
    using client = await proxy.connect();
    await client.send(request("GET", `http://${one.authority}/`));
    assertEquals((await client.message()).status, 200);
    assertEquals((await one.accept()).remoteAddress, "127.0.0.7");
    assertEquals((await proxy.record(`http://${one.authority}/`)).from, "127.0.0.7");
    const seen = new Set<string>();
    for (let i = 0; i < 20; i++) {
      using _tunnel = await tunnel(proxy, other.authority);
      const { remoteAddress } = await other.accept();
      seen.add(remoteAddress);
    }
    assert(seen.size > 1 && [...seen].every((address) => address.startsWith("127.0.1.")), [...seen].join());
  },
);

testRows(
  "bind: a target of a family without an address is not dialed, and nor is one from a foreign address",
  async (row) => {
    await using origin = await httpOrigin();
    for (const address of ["2001:db8::7", "192.0.2.7"]) {
      await using proxy = await ProxyProcess.start(row, ["--bind", address]);
      using client = await proxy.connect();
      await client.send(request("GET", `http://${origin.authority}/`));
      assertEquals((await client.message()).status, 502);
      const { fault } = await proxy.record(`http://${origin.authority}/`);
      assertEquals(fault, "destination_ip_unroutable");
    }
    assert(await origin.isUntouched());
  },
);
