/**
 * Users on the wire: the same on every protocol, asked before anything is resolved or dialed.
 *
 * @module
 */

import { assertEquals, assertMatch } from "@std/assert";
import { Buffer } from "node:buffer";
import { request, socks4Request, socks5Reply, socks5Request } from "./exchanges.ts";
import { Suite, testRows } from "./suite.ts";
import { httpOrigin, Origin, response } from "../support/origin.ts";
import { ProgramRun, ProxyProcess } from "../support/proxy.ts";

const suite = new Suite({ flags: ["--user", "ann:secret", "--user", "bob:pass:word"] });

function basic(credentials: string): string {
  return `Proxy-Authorization: Basic ${Buffer.from(credentials).toString("base64")}`;
}

/** RFC 1928 section 3 with method 2, and RFC 1929 section 2. */
function socks5Login(user: string, password: string): Uint8Array {
  return Uint8Array.from([
    ...[5, 1, 2],
    ...[1, user.length, ...Buffer.from(user)],
    ...[password.length, ...Buffer.from(password)],
  ]);
}

suite.test("F1 F4: HTTP users log in with Basic, on each request anew, and their credentials stay here", async (proxy) => {
  await using origin = await httpOrigin((received) =>
    response(received.field("proxy-authorization") ?? "none")
  );
  using client = await proxy.connect();
  const uri = `http://${origin.authority}/`;
  const attempts: [status: number, fields: string[]][] = [
    [407, []],
    [200, [basic("ann:secret")]],
    [407, [basic("ann:wrong")]],
    [200, [basic("bob:pass:word")]],
    [407, ["Authorization: Basic YW5uOnNlY3JldA=="]],
    [407, ["Proxy-Authorization: Bearer secret"]],
  ];
  for (const [status, fields] of attempts) {
    await client.send(request("GET", uri, ...fields));
    const answer = await client.message();
    assertEquals(answer.status, status, fields.join());
    if (status === 200) assertEquals(answer.text, "none");
    if (status === 407) assertMatch(String(answer.field("proxy-authenticate")), /^Basic realm="/);
  }
});

suite.test("F3 F5: every refusal is the same, and nothing was dialed for it", async (proxy) => {
  await using origin = await Origin.listen();
  const answers = new Set<string>();
  for (
    const fields of [[], [basic("ann:wrong")], [basic("eve:secret")], [basic("eve:")], [
      "Proxy-Authorization: Basic ???",
    ]]
  ) {
    using client = await proxy.connect();
    await client.send(request("GET", `http://${origin.authority}/`, ...fields));
    const { startLine, fields: received, text } = await client.message();
    answers.add(JSON.stringify([startLine, received.filter(([name]) => name !== "Date"), text]));
  }
  assertEquals(answers.size, 1);
  assertEquals(await origin.isUntouched(), true);
});

suite.test("F4: SOCKS5 users log in with name and password; the others, and SOCKS4, are refused", async (proxy) => {
  await using origin = await Origin.listen();
  {
    using client = await proxy.connect();
    await client.send(
      Uint8Array.from([...socks5Login("ann", "secret"), ...socks5Request("127.0.0.1", origin.port)]),
    );
    assertEquals([...await client.read(4)], [5, 2, 1, 0]);
    assertEquals(await socks5Reply(client), 0);
    using target = await origin.accept();
    target.end();
  }
  const refused: [sent: Uint8Array, answer: number[]][] = [
    [Uint8Array.from([...socks5Login("ann", "wrong"), ...socks5Request("127.0.0.1", origin.port)]), [
      5,
      2,
      1,
      1,
    ]],
    [Uint8Array.from([5, 1, 0, ...socks5Request("127.0.0.1", origin.port)]), [5, 255]],
    [socks4Request("127.0.0.1", origin.port), [0, 0x5B, 0, 0, 0, 0, 0, 0]],
  ];
  for (const [sent, answer] of refused) {
    using client = await proxy.connect();
    await client.send(sent);
    assertEquals([...await client.readToEnd()], answer);
  }
  assertEquals(await origin.isUntouched(), true);
});

testRows("no password gets into a log or an error, right or wrong", async (row) => {
  await using proxy = await ProxyProcess.start(row, ["--user", "ann:s3cr3t", "-v"]);
  for (const credentials of ["ann:s3cr3t", "ann:s3cr3tt", "s3cr3t:ann"]) {
    using client = await proxy.connect();
    await client.send(request("GET", "http://127.0.0.1:1/", basic(credentials)));
    await client.message();
  }
  assertEquals(await proxy.stop(), 0);
  assertEquals(
    [...proxy.output.all, ...proxy.diagnostics.all].filter((line) =>
      line.includes("s3cr3t:") || line.includes(":s3cr3t")
    ),
    [],
  );
  await using broken = new ProgramRun(row, ["--user", "s3cr3t"]);
  assertEquals(await broken.exit(), 2);
  assertEquals(broken.diagnostics.all.join("\n").includes("s3cr3t"), false);
});
