/**
 * Actions on the admin listener: who may close connections, and who may not.
 *
 * @module
 */

import { assertEquals, assertMatch } from "@std/assert";
import { tunnel } from "./exchanges.ts";
import { testRows } from "./suite.ts";
import type { Address } from "../../src/runtime/contract.ts";
import { Chromium } from "../support/chromium.ts";
import type { HttpMessage } from "../support/http_message.ts";
import { echoOrigin, Origin } from "../support/origin.ts";
import { ProxyProcess } from "../support/proxy.ts";
import type { Row } from "../support/toolchain.ts";

const TOKEN = "an-admin-token-of-more-than-forty-three-characters";
const BEARER = `Authorization: Bearer ${TOKEN}`;
const ENVIRONMENT = { SLUICE_ADMIN_TOKEN: TOKEN };

/** Starts a proxy with an admin listener. */
async function start(
  row: Row,
  flags: readonly string[],
  environment: Readonly<Record<string, string>> = ENVIRONMENT,
): Promise<{ proxy: ProxyProcess; admin: Address }> {
  const proxy = await ProxyProcess.start(row, ["--admin", "127.0.0.1:0", ...flags], environment);
  const [, [, port]] = await proxy.said(/^listening on 127\.0\.0\.1:(\d+)$/, 2);
  return { proxy, admin: { host: "127.0.0.1", port: Number(port) } };
}

/** Asks at an address: `METHOD /path`, more fields, a body. */
async function ask(
  proxy: ProxyProcess,
  address: Address | undefined,
  start: string,
  fields: readonly string[] = [],
  body = "",
): Promise<HttpMessage> {
  using client = await proxy.connect(address);
  const lines = [`${start} HTTP/1.1`, "Host: 127.0.0.1", "Connection: close", ...fields, "", body];
  await client.send(lines.join("\r\n"));
  return await client.message();
}

testRows(
  "admin: connections are closed one by one, or all of a user or a target, and the record says so",
  async (row) => {
    await using one = await echoOrigin();
    await using other = await Origin.listen();
    const { proxy, admin } = await start(row, ["--user", "ann:secret", "--user", "bob:secret"]);
    await using _ = proxy;
    const open = async (user: string, authority: string) => {
      const client = await proxy.connect();
      const login = `Proxy-Authorization: Basic ${btoa(`${user}:secret`)}`;
      await client.send(`CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n${login}\r\n\r\n`);
      assertMatch(await client.readUntil("\r\n\r\n"), /^HTTP\/1\.1 200 /);
      return client;
    };
    using ann = await open("ann", one.authority);
    using bob = await open("bob", one.authority);
    using also = await open("bob", other.authority);
    const close = async (query: string) => {
      const { status, text } = await ask(proxy, admin, `POST /connections/close?${query}`, [BEARER]);
      return [status, JSON.parse(text).closed];
    };
    assertEquals(await close("user=eve"), [200, 0]);
    assertEquals(await close(`user=bob&target=${one.authority}`), [200, 1]);
    await bob.ending();
    assertEquals((await proxy.record(one.authority)).fault, "connection_closed");
    const { connections } = JSON.parse((await ask(proxy, admin, "GET /connections")).text);
    const { id } = connections.find(({ user }: { user: string }) => user === "ann");
    assertEquals(await close(`id=${id}`), [200, 1]);
    await ann.ending();
    using far = await other.accept();
    await also.send("still");
    assertEquals(String(await far.read(5)), "still");
    assertEquals(await close("client=127.0.0.1"), [200, 1]);
    await also.ending();
  },
  { permissions: ["-E"] },
);

testRows(
  "admin: nothing is closed without the token, from another site, by GET, or on the proxy's own port",
  async (row) => {
    await using origin = await Origin.listen();
    const { proxy, admin } = await start(row, []);
    await using _ = proxy;
    using client = await tunnel(proxy, origin.authority);
    const path = "/connections/close?client=127.0.0.1";
    const refused: [start: string, fields: string[], status: number][] = [
      [`GET ${path}`, [BEARER], 405],
      [`PUT ${path}`, [BEARER], 405],
      [`OPTIONS ${path}`, ["Origin: http://evil.test", "Access-Control-Request-Method: POST"], 405],
      [`POST ${path}`, [], 401],
      [`POST ${path}`, [`${BEARER}x`], 401],
      [`POST ${path}`, [`Authorization: Basic ${btoa(`a:${TOKEN}`)}`], 401],
      [`POST ${path}`, [BEARER, "Origin: http://evil.test"], 403],
      [`POST ${path}`, [BEARER, "Origin: null"], 403],
      [`POST ${path}`, [BEARER, "Sec-Fetch-Site: same-site"], 403],
      [`POST ${path}`, [BEARER, "Sec-Fetch-Site: cross-site", "Origin: http://127.0.0.1"], 403],
      ["POST /connections/close", [BEARER], 400],
      ["POST /connections/close?users=ann", [BEARER], 400],
      ["POST /connections/close?id=1&id=2", [BEARER], 400],
      ["POST /connections", [BEARER], 405],
      ["POST /missing", [BEARER], 404],
      ["DELETE /", [BEARER], 405],
    ];
    for (const [start, fields, status] of refused) {
      assertEquals((await ask(proxy, admin, start, fields)).status, status, `${start} ${fields}`);
    }
    assertEquals((await ask(proxy, admin, `GET ${path}`)).field("allow"), "POST");
    assertEquals((await ask(proxy, admin, "POST /metrics")).field("allow"), "GET, HEAD");
    assertMatch(String((await ask(proxy, admin, `POST ${path}`)).field("www-authenticate")), /^Bearer /);
    const own = [`POST ${path}`, `GET ${path}`, "POST /", "POST /missing"];
    const statuses = [];
    for (const start of own) {
      using client = await proxy.connect();
      await client.send(`${start} HTTP/1.1\r\nHost:\r\n${BEARER}\r\nConnection: close\r\n\r\n`);
      statuses.push((await client.message()).status);
    }
    assertEquals(statuses, [400, 404, 400, 400]);
    using far = await origin.accept();
    await client.send("still");
    assertEquals(String(await far.read(5)), "still");
    const mine = [BEARER, "Origin: http://127.0.0.1", "Content-Length: 4"];
    assertMatch((await ask(proxy, admin, `POST ${path}`, mine, "body")).text, /^\{"closed":1\}\n$/);
    await client.ending();
    const { proxy: open, admin: there } = await start(row, [], {});
    await using __ = open;
    assertEquals((await ask(open, there, `POST ${path}`, [BEARER])).status, 403);
  },
  { permissions: ["-E"] },
);

testRows("admin: with workers, the connections of all are closed", async (row) => {
  await using origin = await echoOrigin();
  const { proxy, admin } = await start(row, ["--workers", "2"]);
  await using _ = proxy;
  const clients = await Promise.all(Array.from({ length: 8 }, () => tunnel(proxy, origin.authority)));
  const { text } = await ask(proxy, admin, `POST /connections/close?target=${origin.authority}`, [BEARER]);
  assertEquals(JSON.parse(text), { closed: clients.length });
  for (const client of clients) await client.ending();
}, { needs: "workers", permissions: ["-R", "-E"] });

testRows(
  "dashboard: Chromium shows what is under way, finds it, and closes it with the token",
  async (row) => {
    await using origin = await Origin.listen();
    const { proxy, admin } = await start(row, ["--deny", "evil.test", "--allow-private"]);
    await using _ = proxy;
    // What strangers write is text on the page.
    const name = "<b>x.test";
    using denied = await proxy.connect();
    await denied.send(`GET http://evil.test/${name} HTTP/1.1\r\nHost: evil.test\r\n\r\n`);
    assertEquals((await denied.message()).status, 403);
    const clients = await Promise.all(Array.from({ length: 60 }, () => tunnel(proxy, origin.authority)));
    const fars = await Promise.all(clients.map(() => origin.accept()));
    await fars[0].send("x".repeat(5_000));
    await using page = await Chromium.open(`http://127.0.0.1:${(admin as { port: number }).port}/`);
    await page.until("document.querySelector('#count').textContent === '61'");
    const rows = "document.querySelectorAll('#body tr[data-id]')";
    const first = `${rows}[0].cells[0].textContent`;
    assertEquals(await page.evaluate(first), origin.authority);
    assertEquals(await page.evaluate(`${rows}.length < 40`), true, "Only what can be seen is rendered");
    await page.until("document.querySelector('#refusals tbody')?.textContent.includes('deny evil.test')");
    assertEquals(await page.evaluate("document.querySelectorAll('#refusals b').length"), 0);
    await page.until("document.querySelector('#down-all').textContent === '5.0 kB in all'");
    await page.press("/");
    assertEquals(await page.evaluate("document.activeElement.id"), "search");
    for (const key of "idle") await page.press(key);
    assertEquals(await page.evaluate("document.querySelector('#count').textContent"), "1 of 61");
    await page.press("Escape");
    assertEquals(await page.evaluate("document.querySelector('#count').textContent"), "61");
    await page.press("ArrowDown");
    await page.press("ArrowDown");
    assertEquals(await page.evaluate(`document.activeElement === ${rows}[1]`), true);
    await page.press("Enter");
    await page.evaluate("[...document.querySelectorAll('#choices button')].at(-2).click()");
    await page.evaluate(
      "document.querySelector('#token').value = 'wrong'; document.querySelector('#yes').click()",
    );
    await page.until("document.querySelector('#wrong').textContent !== ''");
    await page.evaluate(
      `document.querySelector('#token').value = '${TOKEN}'; document.querySelector('#yes').click()`,
    );
    await page.until("document.querySelector('#said').textContent === 'Closed 1 connection.'");
    await page.until("document.querySelector('#count').textContent === '60'");
    await page.evaluate("document.querySelector('#most .x').click(); document.querySelector('#yes').click()");
    await page.until("document.querySelector('#none').textContent === 'Nothing is under way.'");
    for (const client of clients) await client.ending();
    assertEquals(page.complaints.filter((text) => !/401|favicon/.test(text)), []);
  },
  { permissions: ["-E"], programs: ["chromium"] },
);
