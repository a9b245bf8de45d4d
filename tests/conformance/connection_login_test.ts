/**
 * Origins that let in a connection and not a request (NTLM, and Negotiate of RFC 4559): the client's connection and the
 * origin's are one for as long as both last, and nobody else's request goes over them.
 *
 * @module
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { request } from "./exchanges.ts";
import { Suite, testRows } from "./suite.ts";
import type { TcpAddress } from "../../src/runtime/contract.ts";
import type { HttpMessage } from "../support/http_message.ts";
import { Origin, response } from "../support/origin.ts";
import { ProxyProcess } from "../support/proxy.ts";
import type { RawConnection } from "../support/raw_client.ts";

const suite = new Suite();

function refusal(challenge: string): string {
  return `HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: ${challenge}\r\nContent-Length: 0\r\n\r\n`;
}

/** What an origin that keeps a state for each connection answers there to one request after the other. */
class Door {
  readonly #scheme: string;
  readonly #challenge = `challenge-${crypto.randomUUID()}`;
  #user: string | undefined;

  constructor(scheme: string) {
    this.#scheme = scheme;
  }

  answer(received: HttpMessage): string {
    const [scheme, word = ""] = received.field("authorization")?.split(" ") ?? [];
    const [name, answered] = word.split(":");
    if (scheme === this.#scheme && answered === this.#challenge) this.#user = name;
    if (this.#user !== undefined) return String(response(`${received.method} as ${this.#user}`));
    return refusal(word === "hello" ? `${this.#scheme} ${this.#challenge}` : this.#scheme);
  }
}

function guarded(scheme: string): Promise<Origin> {
  return Origin.listen(async (connection) => {
    const door = new Door(scheme);
    while (true) await connection.send(door.answer(await connection.message()));
  });
}

async function ask(client: RawConnection, { authority }: Origin, ...fields: string[]): Promise<HttpMessage> {
  await client.send(request("GET", `http://${authority}/`, ...fields));
  return await client.message();
}

/** Says who it is, in three requests on one connection. */
async function logIn(client: RawConnection, origin: Origin, scheme: string): Promise<void> {
  const invitation = await ask(client, origin);
  assertEquals([invitation.status, invitation.field("www-authenticate")], [401, scheme]);
  assertEquals(invitation.field("proxy-support"), "Session-Based-Authentication");
  assertEquals(invitation.field("connection")?.toLowerCase(), "proxy-support");
  const challenge = await ask(client, origin, `Authorization: ${scheme} hello`);
  assertEquals(challenge.status, 401);
  const [, word] = challenge.field("www-authenticate")!.split(" ");
  assertEquals((await ask(client, origin, `Authorization: ${scheme} ann:${word}`)).text, "GET as ann");
}

suite.test("a client that an origin has let in stays so, with every method, and nobody else is", async (proxy) => {
  for (const scheme of ["NTLM", "Negotiate"]) {
    await using origin = await guarded(scheme);
    await using elsewhere = await Origin.listen(async (connection) => {
      while (true) await connection.send(response((await connection.message()).target));
    });
    using client = await proxy.connect();
    await logIn(client, origin, scheme);
    for (let i = 0; i < 3; i++) {
      assertEquals((await ask(client, origin)).text, "GET as ann");
      await client.send(request("POST", `http://${origin.authority}/`, "Content-Length: 4") + "body");
      assertEquals((await client.message()).text, "POST as ann");
      assertEquals((await ask(client, elsewhere)).text, "/");
      using stranger = await proxy.connect();
      assertEquals((await ask(stranger, origin)).status, 401);
    }
  }
});

testRows(
  "an origin behind an upstream that is told of the client lets that client in, and nobody else",
  async (row) => {
    await using origin = await guarded("NTLM");
    await using next = await ProxyProcess.start(row, [
      ...["--listen", "127.0.0.1:0?proxy-protocol=127.0.0.0/8", "--allow-open", "--allow-private"],
    ]);
    const { port } = next.addresses.at(-1) as TcpAddress;
    for (const scheme of ["http", "socks5h"]) {
      await using proxy = await ProxyProcess.start(row, [
        ...["--proxy", `${scheme}://127.0.0.1:${port}?proxy-protocol=v2`],
      ]);
      using client = await proxy.connect();
      await logIn(client, origin, "NTLM");
      using stranger = await proxy.connect();
      assertEquals((await ask(stranger, origin)).status, 401);
      assertEquals((await ask(client, origin)).text, "GET as ann");
    }
  },
);

suite.test("where an origin that has let a client in ends its connection, the client's ends, and the other way round", async (proxy) => {
  for (const first of ["origin", "client"]) {
    await using origin = await Origin.listen();
    using client = await proxy.connect();
    await client.send(request("GET", `http://${origin.authority}/`, "Authorization: NTLM hello"));
    using target = await origin.accept();
    await target.message();
    await target.send(response("in"));
    assertEquals((await client.message()).text, "in");
    const [one, other] = first === "origin" ? [target, client] : [client, target];
    one.end();
    assert(await other.ending());
  }
});

suite.test("an origin that closes behind its answer to such a client has the client told so", async (proxy) => {
  await using origin = await Origin.listen();
  using client = await proxy.connect();
  await client.send(request("GET", `http://${origin.authority}/`, "Authorization: NTLM hello"));
  using target = await origin.accept();
  await target.message();
  await target.send(response("in", "Connection: close"));
  const answer = await client.message();
  assertEquals([answer.text, answer.field("connection")], ["in", "close"]);
  assertEquals((await client.readToEnd()).length, 0);
});

testRows("a proxy upstream that asks for such a scheme is told in the log and in the answer", async (row) => {
  await using next = await Origin.listen(async (connection) => {
    await connection.message();
    await connection.send(
      "HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: NTLM\r\nContent-Length: 0\r\n\r\n",
    );
  });
  await using proxy = await ProxyProcess.start(row, ["--proxy", `http://${next.authority}`]);
  for (
    const head of [
      request("GET", "http://origin.test/"),
      "CONNECT origin.test:443 HTTP/1.1\r\nHost: origin.test:443\r\n\r\n",
    ]
  ) {
    using client = await proxy.connect();
    await client.send(head);
    const answer = await client.message();
    assertEquals(answer.status, 500);
    assertMatch(answer.text, /asks for NTLM, which this proxy does not speak/);
    assertMatch(String((await proxy.record("", client)).reason), /asks for NTLM, which we do not speak/);
  }
});
