/**
 * Whom a kept connection to an origin serves: the client connection that it was opened for, and nobody else.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { request } from "./exchanges.ts";
import { Suite } from "./suite.ts";
import { Origin, response } from "../support/origin.ts";
import type { RawConnection } from "../support/raw_client.ts";

const suite = new Suite({ flags: ["--user", "ann:secret", "--user", "bob:secret"] });

/** What may not come to anybody else. */
const LATE = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil";

function get({ authority }: Origin, user: string, method = "GET"): string {
  return request(method, `http://${authority}/`, `Proxy-Authorization: Basic ${btoa(`${user}:secret`)}`);
}

/** Has a request answered by the next connection that comes to the origin. */
async function ask(
  client: RawConnection,
  origin: Origin,
  { user, text }: { user: string; text: string },
): Promise<RawConnection> {
  await client.send(get(origin, user));
  const target = await origin.accept();
  await target.message();
  await target.send(response(text));
  assertEquals((await client.message()).text, text);
  return target;
}

suite.test("a connection to an origin is kept for one client connection, and ends with it", async (proxy) => {
  await using origin = await Origin.listen();
  using client = await proxy.connect();
  using kept = await ask(client, origin, { user: "ann", text: "first" });
  using stranger = await proxy.connect();
  using other = await ask(stranger, origin, { user: "ann", text: "of her own" });
  await client.send(get(origin, "ann"));
  await kept.message();
  await kept.send(response("second"));
  assertEquals((await client.message()).text, "second");
  client.end();
  await kept.ending();
  assertEquals(other.ended, undefined);
});

suite.test("a client that changes its user gets a connection of that user's", async (proxy) => {
  await using origin = await Origin.listen();
  using client = await proxy.connect();
  using first = await ask(client, origin, { user: "ann", text: "for ann" });
  using second = await ask(client, origin, { user: "bob", text: "for bob" });
  await first.ending();
  assertEquals(second.ended, undefined);
});

suite.test("what an origin sends behind its answer comes to no stranger, whatever the answer was", async (proxy) => {
  const answers: Record<string, [method: string, head: string]> = {
    "304": ["GET", "HTTP/1.1 304 Not Modified\r\n\r\n"],
    "204": ["GET", "HTTP/1.1 204 No Content\r\n\r\n"],
    "HEAD": ["HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n"],
    "200": ["GET", String(response("good"))],
  };
  await using origin = await Origin.listen();
  for (const [name, [method, head]] of Object.entries(answers)) {
    using faulty = await proxy.connect();
    await faulty.send(get(origin, "ann", method));
    using target = await origin.accept();
    await target.message();
    await target.send(head);
    await faulty.message({ bodiless: method === "HEAD" });
    using stranger = await proxy.connect();
    // The late bytes and the stranger's request are on their way at the same time.
    await Promise.all([target.send(LATE), stranger.send(get(origin, "ann"))]);
    using own = await origin.accept();
    await own.message();
    await own.send(response("own"));
    assertEquals((await stranger.message()).text, "own", name);
  }
});
