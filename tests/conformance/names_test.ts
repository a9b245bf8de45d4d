/**
 * Host names on the wire: what clients are told of names that do not resolve, and who waits for whom.
 *
 * Every proxy has a name server of its own, in this process.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { request, SOCKS5_GREETING, socks5Reply, socks5Request } from "./exchanges.ts";
import { testRows } from "./suite.ts";
import { addressRecords, type NameAnswer, type NameScript, NameServer } from "../support/name_server.ts";
import { httpOrigin, Origin } from "../support/origin.ts";
import { ProxyProcess } from "../support/proxy.ts";

/** What is said of a name, by its type; the origin is on 127.0.0.1 and on [::1]. */
const ANSWERS: Readonly<Record<string, (type: string) => NameAnswer | undefined>> = {
  "nxdomain.test": () => ({ rcode: "NXDOMAIN" }),
  "servfail.test": () => ({ rcode: "SERVFAIL" }),
  "refused.test": () => ({ rcode: "REFUSED" }),
  "short.test": () => ({
    records: addressRecords(["127.0.0.1"]),
    forge: (answer) => [answer.subarray(0, -1)],
  }),
  "silent.test": () => undefined,
  "circle.test": () => ({
    records: [
      { type: "CNAME", data: "there.test" },
      { name: "there.test", type: "CNAME", data: "circle.test" },
    ],
  }),
  "hundred.test": (type) => ({
    records: type === "A" ? addressRecords(Array.from({ length: 100 }, (_, i) => `127.0.0.${i + 1}`)) : [],
  }),
  "four.test": (type) => ({ records: type === "A" ? addressRecords(["127.0.0.1"]) : [] }),
  "under_score.test": (type) => ANSWERS["four.test"](type),
  "-lead.test": (type) => ANSWERS["four.test"](type),
  "six.test": (type) => ({ records: type === "AAAA" ? addressRecords(["::1"]) : [] }),
};

function script(): NameScript {
  let ready: Promise<unknown> | undefined;
  return ({ name, type }) => {
    if (name !== "late.test") return ANSWERS[name]?.(type);
    // As a server that asks others: whoever asks again gets the answer as soon as it is there.
    ready ??= new Promise((resolve) => setTimeout(resolve, 2_000));
    return { ...ANSWERS["four.test"](type), after: ready };
  };
}

interface Told {
  readonly status: number;
  readonly error?: string;
  readonly socks5: number;
}

/** Asks for a name over HTTP and over SOCKS5 at once. */
async function ask(proxy: ProxyProcess, host: string, port: number): Promise<Told> {
  using http = await proxy.connect();
  using socks = await proxy.connect();
  await http.send(request("GET", `http://${host}:${port}/`));
  await socks.send(Uint8Array.from([...SOCKS5_GREETING, ...socks5Request(host, port)]));
  await socks.read(2);
  const [answer, socks5] = await Promise.all([http.message(), socks5Reply(socks)]);
  const [, error] = /error=(\S+)/.exec(String(answer.field("proxy-status"))) ?? [];
  return error === undefined ? { status: answer.status, socks5 } : { status: answer.status, error, socks5 };
}

testRows("each fate of a name has its answer on HTTP and SOCKS5", async (row) => {
  await using server = await NameServer.start(script());
  await using proxy = await ProxyProcess.start(row, ["--dns", server.authority, "--dns-timeout", "3s"]);
  await using four = await httpOrigin();
  const failed = { status: 502, error: "dns_error", socks5: 4 };
  const fine = { status: 200, socks5: 0 };
  const table: Readonly<Record<string, Told>> = {
    "nxdomain.test": failed,
    "servfail.test": failed,
    "refused.test": failed,
    "short.test": failed,
    "circle.test": failed,
    "silent.test": { status: 504, error: "dns_timeout", socks5: 4 },
    "late.test": fine,
    "hundred.test": fine,
    "four.test": fine,
    "FOUR.test.": fine,
    "under_score.test": fine,
    "-lead.test": fine,
  };
  const told = await Promise.all(
    Object.keys(table).map(async (host) => [host, await ask(proxy, host, four.port)] as const),
  );
  assertEquals(Object.fromEntries(told), table);
});

testRows("a name server's failure is never told as a name that does not exist", async (row) => {
  await using server = await NameServer.start(script());
  await using proxy = await ProxyProcess.start(row, ["--dns", server.authority]);
  const missing = "Check the spelling of the host name.";
  const failed = "The name server failed. Try again in a moment.";
  const table: Readonly<Record<string, readonly [advice: string, logged: RegExp]>> = {
    "nxdomain.test": [missing, /answered NXDOMAIN/],
    "servfail.test": [failed, /answered SERVFAIL/],
    "refused.test": [failed, /answered REFUSED/],
    "short.test": [failed, /malformed/],
  };
  for (const [host, [advice, logged]] of Object.entries(table)) {
    using client = await proxy.connect();
    await client.send(request("GET", `http://${host}/`));
    const answer = await client.message();
    assertEquals([answer.status, answer.text.includes(advice)], [502, true], `${host}: ${answer.text}`);
    await proxy.output.find((line) => line.includes(host) && logged.test(line));
  }
});

testRows("a name with an IPv6 address only is reached by it", async (row) => {
  await using server = await NameServer.start(script());
  await using proxy = await ProxyProcess.start(row, ["--dns", server.authority]);
  await using six = await Origin.listen(async (connection) => {
    await connection.message();
    await connection.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
  }, { host: "::1" });
  assertEquals(await ask(proxy, "six.test", six.port), { status: 200, socks5: 0 });
});

testRows("an address that a name has got since is judged, too, and never dialed", async (row) => {
  // Nothing may leave this machine: the first answer is none at all. With a public one: tests/core/direct_test.ts.
  await using server = await NameServer.start(({ type }, nth) => ({
    records: type === "A" && nth > 1 ? addressRecords(["127.0.0.1"], 1) : [],
  }));
  await using origin = await Origin.listen();
  await using proxy = await ProxyProcess.start(row, ["--dns", server.authority, "--deny-private"]);
  const prohibited = { status: 403, error: "destination_ip_prohibited", socks5: 2 };
  assertEquals(await ask(proxy, "rebound.test", origin.port), { status: 502, error: "dns_error", socks5: 4 });
  // The failure is remembered for a second.
  while ((await ask(proxy, "rebound.test", origin.port)).status === 502) {
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  assertEquals(await ask(proxy, "rebound.test", origin.port), prohibited);
  assertEquals(await origin.isUntouched(), true);
});

testRows("500 names that hang keep no other client waiting", async (row) => {
  await using server = await NameServer.start(({ name, type }) =>
    name.startsWith("hang") ? undefined : ANSWERS["four.test"](type)
  );
  await using origin = await httpOrigin();
  await using proxy = await ProxyProcess.start(row, [
    "--dns",
    server.authority,
    "--connect-timeout",
    "60s",
    "--dns-timeout",
    "60s",
  ]);
  using hanging = new DisposableStack();
  let ended = 0;
  const starts = Array.from({ length: 500 }, async (_, i) => {
    const client = hanging.use(await proxy.connect());
    client.ending().then(() => ended++, () => {});
    await client.send(Uint8Array.from([...SOCKS5_GREETING, ...socks5Request(`hang${i}.test`, origin.port)]));
  });
  await Promise.all(starts);
  // Of so many questions at once the socket's buffer loses some; any of the last will do.
  await server.questions.find((question) => /^hang4\d\d\./.test(question));
  const answers = await Promise.all(
    Array.from({ length: 50 }, (_, i) => ask(proxy, `other${i}.test`, origin.port)),
  );
  assertEquals(answers, Array(50).fill({ status: 200, socks5: 0 }));
  assert(ended < 250, `${ended} of the names that hang had been given up before`);
  assert(proxy.alive);
});

testRows("--hosts-file comes before name servers, in whatever case", async (row) => {
  await using server = await NameServer.start(() => ({ rcode: "NXDOMAIN" }));
  await using origin = await httpOrigin();
  const file = await Deno.makeTempFile();
  try {
    await Deno.writeTextFile(file, "# names\n127.0.0.1 Listed.test listed # both\n");
    await using proxy = await ProxyProcess.start(row, ["--dns", server.authority, "--hosts-file", file]);
    for (const host of ["listed.test", "LISTED.test.", "listed"]) {
      assertEquals(await ask(proxy, host, origin.port), { status: 200, socks5: 0 }, host);
    }
    assertEquals(server.questions.all, []);
  } finally {
    await Deno.remove(file);
  }
}, { needs: "files", permissions: ["-R", "-W"] });
