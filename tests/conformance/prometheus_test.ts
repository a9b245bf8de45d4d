/**
 * The metrics in the hands of Prometheus: promtool has nothing against them, and every graph of the dashboard for Grafana
 * shows something.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { spawnSync } from "node:child_process";
import { request } from "./exchanges.ts";
import { outputOf } from "./real_clients.ts";
import { testRows } from "./suite.ts";
import { echoOrigin, httpOrigin } from "../support/origin.ts";
import { prometheus } from "../support/peers.ts";
import { ProxyProcess } from "../support/proxy.ts";

interface Series {
  readonly metric: Readonly<Record<string, string>>;
}

testRows(
  "metrics: promtool takes them, and Prometheus has what each graph of the dashboard asks for",
  async (row) => {
    await using web = await httpOrigin();
    await using origin = await echoOrigin();
    await using proxy = await ProxyProcess.start(row, [
      "--admin",
      "127.0.0.1:0",
      "--limit",
      "*:1 to 1 requests/day shadow",
    ], {
      SLUICE_USER: "ann:secret",
    });
    const [, [, port]] = await proxy.said(/^listening on 127\.0\.0\.1:(\d+)$/, 2);
    await using server = await prometheus(`127.0.0.1:${port}`);
    const user = `Proxy-Authorization: Basic ${btoa("ann:secret")}`;
    const ask = async (path: string): Promise<{ data: { result: Series[] } & Series[] }> =>
      await (await fetch(`http://${server.authority}/api/v1/${path}`)).json();
    const instant = async (query: string) =>
      (await ask(`query?query=${encodeURIComponent(query)}`)).data.result;

    const { panels } = JSON.parse(String(await outputOf([...row.command, "print", "grafana.json"])));
    const queries: string[] = panels.flatMap(({ targets }: { targets: { expr: string }[] }) =>
      targets.map(({ expr }) => expr.replaceAll("$instance", ".+").replaceAll("$__rate_interval", "10s"))
    );
    // Traffic goes on until each query has an answer: a rate needs two values that differ.
    for (let missing = queries; missing.length > 0;) {
      using client = await proxy.connect();
      await client.send(request("GET", `http://${web.authority}/`, user));
      assertEquals((await client.message()).status, 200);
      await client.send(request("GET", "http://127.0.0.1:1/", user));
      assertEquals((await client.message()).status, 502);
      await client.send(
        `CONNECT ${origin.authority} HTTP/1.1\r\nHost: ${origin.authority}\r\n${user}\r\n\r\nping`,
      );
      client.end();
      await client.readToEnd();
      const answers = await Promise.all(missing.map(instant));
      missing = missing.filter((_, i) => answers[i].length === 0);
    }
    const [{ metric }] = await instant("sluice_user_received_bytes_total");
    assertEquals(metric.user, "ann");
    const examples = await ask(
      `query_exemplars?query=sluice_request_duration_seconds_bucket&start=${Date.now() / 1_000 - 600}&end=${
        Date.now() / 1_000 + 60
      }`,
    );
    const { id } =
      (examples.data as unknown as { exemplars: { labels: { id: string } }[] }[])[0].exemplars[0].labels;
    assert(proxy.output.all.some((line) => JSON.parse(line).id === id));

    const plain = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
    const { status, stdout, stderr } = spawnSync("promtool", ["check", "metrics"], { input: plain });
    assertEquals([status, String(stdout), String(stderr)], [0, "", ""]);
  },
  { programs: ["prometheus", "promtool"], permissions: ["-E"] },
);
