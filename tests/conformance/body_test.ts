/**
 * Bodies on their way through: lengths, chunks, both ways at once, and cut ones (RFC 9112 sections 6 to 8).
 *
 * @module
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { randomBytes } from "node:crypto";
import { digest, request } from "./exchanges.ts";
import { Suite } from "./suite.ts";
import { chunked, type HttpMessage, parseMessage } from "../support/http_message.ts";
import { httpOrigin, Origin, response } from "../support/origin.ts";
import type { RawConnection } from "../support/raw_client.ts";

const suite = new Suite();

const BIG = randomBytes(3 * 1024 * 1024);

suite.test("3 MiB go up and come back, by length and in chunks", async (proxy) => {
  await using origin = await httpOrigin(({ framing, body }) =>
    framing === "chunked"
      ? `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${chunked(body, 50_000).toString("latin1")}`
      : response(body)
  );
  using client = await proxy.connect();
  for (const framing of ["length", "chunked"]) {
    const field = framing === "chunked" ? "Transfer-Encoding: chunked" : `Content-Length: ${BIG.length}`;
    await client.send(request("POST", `http://${origin.authority}/`, field));
    await client.send(framing === "chunked" ? chunked(BIG, 10_000) : BIG);
    const answer = await client.message();
    assertEquals([answer.status, answer.framing, digest(answer.body)], [200, framing, digest(BIG)]);
  }
});

suite.test("a request and its response stream both ways at once", async (proxy) => {
  await using origin = await Origin.listen();
  for (const field of ["Content-Length: 10", "Transfer-Encoding: chunked"]) {
    const framed = (text: string) => field.endsWith("chunked") ? `5\r\n${text}\r\n` : text;
    using client = await proxy.connect();
    await client.send(request("POST", `http://${origin.authority}/`, field) + framed("first"));
    using target = await origin.accept();
    await target.readUntil("first");
    await target.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nanswer\r\n");
    await client.readUntil("answer");
    await client.send(framed("later"));
    await target.readUntil("later");
    if (field.endsWith("chunked")) await client.send("0\r\n\r\n");
    await target.send("0\r\n\r\n");
    await client.readUntil("0\r\n\r\n");
  }
});

suite.test("chunk extensions end here, and trailers never become headers", async (proxy) => {
  await using origin = await httpOrigin(({ body, fields, trailers }) =>
    response(body, `X-Seen: ${JSON.stringify([...fields, ...trailers])}`)
  );
  using client = await proxy.connect();
  await client.send(
    request("POST", `http://${origin.authority}/`, "Transfer-Encoding: chunked") +
      '5;a;b=c;d="e;f"\r\nhello\r\n0\r\nHost: evil.test\r\nContent-Length: 3\r\nAuthorization: Basic eA==\r\n\r\n',
  );
  const answer = await client.message();
  assertEquals(answer.text, "hello");
  assert(!/evil|Content-Length|Authorization/i.test(answer.field("x-seen") ?? ""), answer.field("x-seen"));
});

suite.test("an early final answer is delivered, and the connection closed", async (proxy) => {
  await using origin = await Origin.listen();
  using client = await proxy.connect();
  await client.send(`${request("POST", `http://${origin.authority}/`, "Content-Length: 1000000")}beginning`);
  using target = await origin.accept();
  await target.readUntil("beginning");
  await target.send("HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\nConnection: close\r\n\r\nbig");
  const answer = await client.message();
  assertEquals([answer.status, answer.text, answer.field("connection")], [413, "big", "close"]);
  assertEquals((await client.readToEnd()).length, 0);
});

suite.test("a head that expects 100-continue is forwarded at once, and the origin decides", async (proxy) => {
  await using origin = await Origin.listen();
  const post = request("POST", `http://${origin.authority}/`, "Content-Length: 4", "Expect: 100-continue");
  {
    using client = await proxy.connect();
    await client.send(post);
    using target = await origin.accept();
    assertMatch(await target.readUntil("\r\n\r\n"), /\r\nExpect: 100-continue\r\n/);
    await target.send("HTTP/1.1 100 Continue\r\n\r\n");
    assertEquals((await client.message()).status, 100);
    await client.send("body");
    await target.readUntil("body");
    await target.send(response("ok"));
    assertEquals((await client.message()).text, "ok");
  }
  {
    using client = await proxy.connect();
    await client.send(post);
    using target = await origin.accept();
    await target.readUntil("\r\n\r\n");
    await target.send("HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0\r\n\r\n");
    const answer = await client.message();
    assertEquals([answer.status, answer.field("connection")], [417, "close"]);
    assertEquals((await client.readToEnd()).length, 0);
  }
});

suite.test("informational responses are relayed, except to HTTP/1.0", async (proxy) => {
  await using origin = await httpOrigin(() =>
    `HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n${
      response("ok")
    }`
  );
  const uri = `http://${origin.authority}/`;
  {
    using client = await proxy.connect();
    await client.send(request("GET", uri));
    const hints = await client.message();
    assertEquals([hints.status, hints.field("link"), hints.field("connection")], [
      103,
      "</style.css>; rel=preload",
      undefined,
    ]);
    assertEquals((await client.message()).status, 102);
    assertEquals((await client.message()).text, "ok");
  }
  {
    using client = await proxy.connect();
    await client.send(`GET ${uri} HTTP/1.0\r\n\r\n`);
    assertEquals((await client.message()).text, "ok");
  }
});

suite.test("responses to HEAD, 204 and 304 end with their heads, whatever the origin sends behind them", async (proxy) => {
  const statuses: Record<string, string> = {
    "/head": "200 OK",
    "/204": "204 No Content",
    "/304": "304 Not Modified",
  };
  await using origin = await httpOrigin(({ target }) =>
    target === "/good"
      ? response("good")
      : `HTTP/1.1 ${
        statuses[target]
      }\r\nContent-Length: 5\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil`
  );
  using client = await proxy.connect();
  for (const [path, status] of Object.entries(statuses)) {
    await client.send(request(path === "/head" ? "HEAD" : "GET", `http://${origin.authority}${path}`));
    const answer = await client.message({ bodiless: true });
    const length = path === "/204" ? undefined : "5";
    assertEquals([answer.startLine, answer.field("content-length")], [`HTTP/1.1 ${status}`, length]);
  }
  await client.send(request("GET", `http://${origin.authority}/good`));
  assertEquals((await client.message()).text, "good");
});

suite.test("an HTTP/1.0 client gets no chunks, and a body that ends at the close gets them on HTTP/1.1", async (proxy) => {
  const answers: Record<string, [status: string, body: string]> = {
    "/chunked": ["HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked", "3;x=y\r\none\r\n3\r\ntwo\r\n0\r\n\r\n"],
    "/close": ["HTTP/1.1 200 OK", "onetwo"],
    "/1.0": ["HTTP/1.0 200 OK", "onetwo"],
  };
  await using origin = await Origin.listen(async (connection) => {
    await connection.send(answers[(await connection.message()).target].join("\r\n\r\n"));
    connection.end();
    await connection.ending();
  });
  for (const path of Object.keys(answers)) {
    const uri = `http://${origin.authority}${path}`;
    const seen: HttpMessage[] = [];
    for (const head of [request("GET", uri), `GET ${uri} HTTP/1.0\r\n\r\n`]) {
      using client = await proxy.connect();
      await client.send(head);
      seen.push(await client.message());
    }
    assertEquals(seen.map(({ startLine, framing, text }) => [startLine, framing, text]), [
      ["HTTP/1.1 200 OK", "chunked", "onetwo"],
      ["HTTP/1.1 200 OK", "close", "onetwo"],
    ]);
  }
});

/** Ways in which an origin breaks off. */
const BREAKS: Record<string, (target: RawConnection) => unknown> = {
  fin: (target) => target.end(),
  reset: (target) => target.reset(),
  garbage: (target) => target.send("\r\nz\r\n"),
};

suite.test("a response that the origin cuts off is shown to be cut", async (proxy) => {
  await using origin = await Origin.listen();
  const cases = {
    "Content-Length: 100\r\n\r\nbeginning": ["fin", "reset"],
    "Transfer-Encoding: chunked\r\n\r\n9\r\nbeginning": ["fin", "reset", "garbage"],
    // A body that ends at the close is whole at FIN.
    "\r\nbeginning": ["reset"],
  };
  for (const [response, manners] of Object.entries(cases)) {
    for (const manner of manners) {
      using client = await proxy.connect();
      await client.send(request("GET", `http://${origin.authority}/${manner}`));
      using target = await origin.accept();
      await target.message();
      await target.send(`HTTP/1.1 200 OK\r\n${response}`);
      await client.until("beginning");
      BREAKS[manner](target);
      await client.ending();
      assertEquals(parseMessage(client.received, { ended: true }), undefined);
      assertEquals((await proxy.record(`${origin.authority}/${manner}`)).ending, "aborted");
    }
  }
});

suite.test("a request body that is cut off never looks whole to the origin", async (proxy) => {
  await using origin = await Origin.listen();
  for (const manner of ["fin", "reset"]) {
    for (
      const framed of [
        "Content-Length: 100\r\n\r\nbeginning",
        "Transfer-Encoding: chunked\r\n\r\n9\r\nbeginning\r\n",
      ]
    ) {
      using client = await proxy.connect();
      await client.send(request("POST", `http://${origin.authority}/`).replace(/\r\n$/, framed));
      using target = await origin.accept();
      await target.readUntil("beginning");
      if (manner === "fin") client.end();
      else client.reset();
      await target.ending();
      assertEquals(target.received.toString("latin1").trim(), "");
    }
  }
});

suite.test("a client that vanishes from a download takes its origin connection with it", async (proxy) => {
  await using origin = await Origin.listen();
  using client = await proxy.connect();
  await client.send(request("GET", `http://${origin.authority}/`));
  using target = await origin.accept();
  await target.message();
  await target.send("HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\nbeginning");
  await client.readUntil("beginning");
  client.reset();
  const pushing = push(target);
  await target.ending();
  await pushing;
});

/** Sends until the connection is gone. */
async function push(connection: RawConnection): Promise<void> {
  while (connection.ended === undefined) await connection.send(BIG.subarray(0, 65536));
}
