import { assertEquals } from "@std/assert";
import { Proof } from "../../src/policy/proof.ts";
import type { Channel } from "../../src/streams/channel.ts";
import { hear, say, until, VirtualNetwork } from "../support/virtual_network.ts";

function get(fields: string): string {
  return `GET http://dead.test/ HTTP/1.1\r\nHost: dead.test\r\n${fields}\r\n`;
}

function basic(credentials: string): string {
  return `Proxy-Authorization: Basic ${btoa(credentials)}\r\n`;
}

/** The status of one more request on a connection: 502 where the client is let in, because the target is dead. */
async function statusOf(client: Channel, fields: string): Promise<string> {
  await say(client, get(fields));
  return (await hear(client, /\r\n\r\n[^]*\.\n/)).slice(9, 12);
}

Deno.test("a proof holds for the same words, and for those who accepted them", () => {
  const [judges, others] = [{}, {}];
  const proof = new Proof("Basic YTpi", { user: "a", judges });
  assertEquals(proof.user, "a");
  assertEquals([proof.holds("Basic YTpi", judges), proof.holds("Basic YTpi", judges)], [true, true]);
  for (const words of ["", "Basic YTp", "Basic YTpiYTpi", "basic YTpi", "Basic YTpj"]) {
    assertEquals(proof.holds(words, judges), false, words);
  }
  assertEquals([proof.holds("Basic YTpi", others), proof.holds("Basic YTpi", undefined)], [false, false]);
});

Deno.test("a client that has logged in is not judged again on its connection, and does not wait for strangers", async () => {
  const network = await VirtualNetwork.start({ users: ["ann:secret"], limits: { attempts: 1 } });
  const { client } = network.connect();
  assertEquals(await statusOf(client, basic("ann:secret")), "502");
  // Wrong passwords use up ann's own budget and that of her address, so that the next attempts wait.
  const guesses = Array.from({ length: 2 }, () => network.connect().client);
  for (const guess of guesses) await say(guess, get(basic("ann:wrong")));
  await until(() => network.records.some(({ status }) => status === 407));
  assertEquals(await statusOf(client, basic("ann:secret")), "502");
  const another = network.connect().client;
  await say(another, get(basic("ann:secret")));
  await until(() => network.proxy.connections === 4);
  assertEquals(network.records.map(({ status, user }) => [status, user]).sort(), [
    [407, undefined],
    [502, "ann"],
    [502, "ann"],
  ]);
  await network.proxy.close({ drain: 0 });
});

Deno.test("after a login, other words on the same connection are judged, and each request has its own user", async () => {
  const network = await VirtualNetwork.start({ users: ["ann:secret", "bob:secret"] });
  const { client } = network.connect();
  const statuses: string[] = [];
  for (const user of ["ann:secret", "ann:secret", "ann:wrong", "bob:secret", "ann:secret", "bob:secret"]) {
    statuses.push(await statusOf(client, basic(user)));
  }
  statuses.push(await statusOf(client, ""));
  assertEquals(statuses, ["502", "502", "407", "502", "502", "502", "407"]);
  const users = ["ann", "ann", undefined, "bob", "ann", "bob", undefined];
  assertEquals(network.records.map(({ user }) => user), users);
});

Deno.test("a reload makes every proof worthless at once", async () => {
  const cases: [before: object, after: object, fields: string, status: string][] = [
    [{ users: ["ann:secret"] }, { users: ["ann:new"] }, basic("ann:secret"), "407"],
    [{ users: ["ann:secret"] }, { users: ["bob:secret"] }, basic("ann:secret"), "407"],
    [{ users: ["ann:secret"] }, { users: ["ann:secret"] }, basic("ann:secret"), "502"],
    [{ users: ["ann:secret"] }, { contact: "it" }, basic("ann:secret"), "502"],
    [
      { tokens: ["o".repeat(43)] },
      { tokens: ["n".repeat(43)] },
      `Proxy-Authorization: Bearer ${"o".repeat(43)}\r\n`,
      "407",
    ],
  ];
  for (const [before, after, fields, status] of cases) {
    const network = await VirtualNetwork.start({ ...before, keepTunnels: true });
    const { client } = network.connect();
    assertEquals([await statusOf(client, fields), await statusOf(client, fields)], ["502", "502"]);
    await network.proxy.reload(after);
    assertEquals(await statusOf(client, fields), status, JSON.stringify(after));
    await network.proxy.close({ drain: 0 });
  }
});

Deno.test("authenticate() is asked about every request of a connection", async () => {
  const answers = [true, true, false, true];
  const network = await VirtualNetwork.start({ authenticate: () => answers.shift()! });
  const { client } = network.connect();
  const statuses: string[] = [];
  while (answers.length > 0) statuses.push(await statusOf(client, basic("ann:secret")));
  assertEquals(statuses, ["502", "502", "407", "502"]);
});
