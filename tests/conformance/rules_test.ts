/**
 * Rules on the wire: the same verdict on every protocol, before anything is resolved or dialed.
 *
 * @module
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { Buffer } from "node:buffer";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { request, socks4Request, SOCKS5_GREETING, socks5Reply, socks5Request } from "./exchanges.ts";
import { testRows } from "./suite.ts";
import { folder } from "../support/folder.ts";
import { addressRecords, type NameScript, NameServer } from "../support/name_server.ts";
import { httpOrigin, Origin } from "../support/origin.ts";
import { ProgramRun, ProxyProcess } from "../support/proxy.ts";
import { connect } from "../support/raw_client.ts";

/** The ways to ask for a target, and how each is told yes and no. */
const WAYS = {
  http: { allow: 200, deny: 403 },
  connect: { allow: 200, deny: 403 },
  socks4: { allow: 0x5A, deny: 0x5B },
  socks5: { allow: 0, deny: 2 },
} as const;

type Way = keyof typeof WAYS;
const ALL = Object.keys(WAYS) as Way[];

/** "pässwörd", at little cost. */
const HASH =
  "$scrypt$ln=10,r=8,p=1$MDEyMzQ1Njc4OWFiY2RlZg$TGOG+s1NLmSxVhUf5etn2dmhsDJkPbU1xHpAsYvO5BoJesaj8+CAE6ngIjZXBN04zhqoRqi81Rb0Bd3I+5EZaA";
const PASSWORD = "pässwörd";

/** Who asks. */
interface Who {
  readonly user?: string;
  readonly password?: string;
  /** The address that the client comes from. */
  readonly from?: string;
}

function basic(user: string, password: string): string {
  return `Proxy-Authorization: Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`;
}

/** RFC 1929 section 2. */
function credentials(user: string, password: string): Buffer {
  const [name, secret] = [Buffer.from(user), Buffer.from(password)];
  return Buffer.concat([Buffer.of(1, name.length), name, Buffer.of(secret.length), secret]);
}

/** Asks for a target, and settles with the verdict, or with the status or reply where that is neither. */
async function ask(
  proxy: ProxyProcess,
  way: Way,
  authority: string,
  { user, password = "secret", from = "127.0.0.1" }: Who = {},
): Promise<string> {
  const local = { localAddress: from };
  using client = await connect({ ...proxy.addresses[0], ...local });
  const [, host, port] = /^(.*):(\d+)$/.exec(authority)!;
  const fields = user === undefined ? [] : [basic(user, password)];
  let status: number;
  if (way === "http") {
    await client.send(request("GET", `http://${authority}/`, ...fields));
    status = (await client.message()).status;
  } else if (way === "connect") {
    await client.send(
      [`CONNECT ${authority} HTTP/1.1`, `Host: ${authority}`, ...fields, "", ""].join("\r\n"),
    );
    status = Number(/^HTTP\/1\.1 (\d+)/.exec(await client.readUntil("\r\n\r\n"))?.[1]);
  } else if (way === "socks4") {
    await client.send(socks4Request(host, Number(port)));
    status = (await client.read(8))[1];
  } else {
    await client.send(user === undefined ? SOCKS5_GREETING : Uint8Array.of(5, 1, 2));
    await client.read(2);
    if (user !== undefined) {
      await client.send(credentials(user, password));
      if ((await client.read(2))[1] !== 0) return "not let in";
    }
    await client.send(socks5Request(host, Number(port)));
    status = await socks5Reply(client);
  }
  const { allow, deny } = WAYS[way];
  return status === allow ? "allow" : status === deny ? "deny" : String(status);
}

/** What is asked, by which ways, of whom, and what is to come of it. */
type Question = readonly [verdict: "allow" | "deny", authority: string, ways?: readonly Way[], who?: Who];

async function assertVerdicts(proxy: ProxyProcess, questions: readonly Question[]): Promise<void> {
  const told = [];
  for (const [, authority, ways = ALL, who] of questions) {
    for (const way of ways) told.push([way, authority, who, await ask(proxy, way, authority, who)]);
  }
  const wanted = questions.flatMap(([verdict, authority, ways = ALL, who]) =>
    ways.map((way) => [way, authority, who, verdict])
  );
  assertEquals(told, wanted);
}

/** Names under `in.test` are 127.0.0.2, where nothing listens; all others are the origin's. */
const names: NameScript = ({ name, type }) => {
  if (name === "both.test") {
    return { records: type === "A" ? addressRecords(["127.0.0.2", "127.0.0.1"]) : [] };
  }
  return {
    records: type === "A" ? addressRecords([name.endsWith("in.test") ? "127.0.0.2" : "127.0.0.1"]) : [],
  };
};

function rules(...texts: string[]): string[] {
  return texts.flatMap((text) => ["--rule", text]);
}

/** A proxy with these flags, a name server and two origins on ports of their own. */
async function withOrigins(
  row: Parameters<typeof ProxyProcess.start>[0],
  flags: (ports: { one: number; two: number }) => readonly string[],
  body: (
    proxy: ProxyProcess,
    places: { one: number; two: number; server: NameServer },
  ) => Promise<void>,
): Promise<void> {
  await using server = await NameServer.start(names);
  await using first = await httpOrigin();
  await using second = await httpOrigin();
  const [one, two] = [first.port, second.port];
  await using proxy = await ProxyProcess.start(row, ["--dns", server.authority, ...flags({ one, two })]);
  await body(proxy, { one, two, server });
  assertEquals(await proxy.stop(), 0);
}

testRows("rules: names, blocks, ports and protocols decide, and the first match wins", async (row) => {
  await withOrigins(
    row,
    ({ two }) => [
      ...rules("allow good.bad.test", "deny *.bad.test,.worse.test", "deny 127.0.0.2/31 !port=1-65535"),
      ...["--deny", "127.0.0.2/32", "--deny", `*:${two} protocol=socks4,connect`, "--deny", "only.test:1"],
      ...["--allow", "*", "--deny", "late.test"],
    ],
    async (proxy, { one, two, server }) => {
      await assertVerdicts(proxy, [
        ["allow", `good.bad.test:${one}`],
        ["deny", `a.bad.test:${one}`],
        ["deny", `A.BAD.test.:${one}`],
        ["allow", `bad.test:${one}`],
        ["deny", `worse.test:${one}`],
        ["deny", `x.y.worse.test:${one}`],
        ["deny", `127.0.0.2:${one}`],
        ["deny", `[::ffff:127.0.0.2]:${one}`, ["http", "connect"]],
        ["deny", `host.in.test:${one}`],
        ["allow", `fine.test:${two}`, ["http", "socks5"]],
        ["deny", `fine.test:${two}`, ["connect", "socks4"]],
        ["allow", `only.test:${one}`],
        ["deny", "only.test:1"],
        ["allow", `late.test:${one}`],
      ]);
      const asked = server.questions.all.filter((question) => /bad\.test|worse|only\.test\./.test(question));
      assertEquals(asked.filter((question) => !/^(?:good\.)?bad\.test/.test(question)), []);
    },
  );
});

testRows(
  "rules: where something is allowed, all else is refused, and a name is asked for only where it matters",
  async (row) => {
    await withOrigins(
      row,
      ({ one }) => ["--allow", `listed.test:${one}`, "--allow", "*.block.test,127.0.0.1"],
      async (proxy, { one, two, server }) => {
        await assertVerdicts(proxy, [
          ["allow", `listed.test:${one}`],
          ["allow", `127.0.0.1:${two}`],
          ["allow", `a.block.test:${two}`],
          ["deny", `127.0.0.2:${two}`],
          // Its address is in an allowed block, and so it has to be looked up.
          ["allow", `other.test:${two}`],
          ["deny", `else.in.test:${two}`],
        ]);
        assert(server.questions.all.some((question) => question.startsWith("else.in.test")));
      },
    );
  },
);

testRows("rules: an address that leads to another is judged as both", async (row) => {
  await withOrigins(row, () => ["--deny", "127.0.0.1"], async (proxy, { one }) => {
    await assertVerdicts(proxy, [
      ["deny", `0.0.0.0:${one}`],
      ["deny", `0:${one}`],
      ["deny", `[::ffff:0:127.0.0.1]:${one}`, ["http", "connect"]],
      ["deny", `[64:ff9b::127.0.0.1]:${one}`, ["http", "connect"]],
    ]);
  });
});

testRows("rules: a name that has several addresses is reached by one that is allowed", async (row) => {
  await withOrigins(row, () => ["--deny", "127.0.0.2"], async (proxy, { one }) => {
    await assertVerdicts(proxy, [["allow", `both.test:${one}`]]);
  });
});

testRows("rules: users and clients", async (row) => {
  const users = ["--user", "ann:secret", "--user", "bob:secret"];
  const ways: Way[] = ["http", "connect", "socks5"];
  await withOrigins(
    row,
    () => [
      ...users,
      ...rules("deny *.pay.test user=bob", "deny *.home.test !client=127.0.0.3/32", "allow * user=ann,bob"),
    ],
    async (proxy, { one }) => {
      await assertVerdicts(proxy, [
        ["allow", `a.pay.test:${one}`, ways, { user: "ann" }],
        ["deny", `a.pay.test:${one}`, ways, { user: "bob" }],
        ["allow", `a.test:${one}`, ways, { user: "bob" }],
        ["deny", `a.home.test:${one}`, ways, { user: "ann" }],
        ["allow", `a.home.test:${one}`, ways, { user: "ann", from: "127.0.0.3" }],
      ]);
    },
  );
});

testRows(
  "rules: a kept connection to a target does not carry the permission of whoever opened it",
  async (row) => {
    await withOrigins(
      row,
      () => ["--user", "ann:secret", "--user", "bob:secret", "--deny", "127.0.0.0/8 user=bob"],
      async (proxy, { one }) => {
        using client = await proxy.connect();
        const uri = `http://shared.test:${one}/`;
        for (const [user, status] of [["ann", 200], ["bob", 403], ["ann", 200], ["bob", 403]] as const) {
          await client.send(request("GET", uri, basic(user, "secret")));
          assertEquals((await client.message()).status, status, user);
          assertEquals(
            await ask(proxy, "http", `shared.test:${one}`, { user }),
            status === 200 ? "allow" : "deny",
          );
        }
        assertEquals(await proxy.stop(), 0);
        const dialed = proxy.output.all.map((line) => JSON.parse(line)).filter((record) => record.dialed);
        assertEquals([...new Set(dialed.map(({ user }) => user))], ["ann"]);
      },
    );
  },
);

testRows(
  "rules: nothing is resolved for a name that is denied, even by a name server that is silent",
  async (row) => {
    await using server = await NameServer.start(() => undefined);
    await using denying = await ProxyProcess.start(row, ["--dns", server.authority, "--deny", ".bad.test"]);
    await using allowing = await ProxyProcess.start(row, ["--dns", server.authority, "--allow", "good.test"]);
    await assertVerdicts(denying, [["deny", "www.bad.test:80"], ["deny", "bad.test:443"]]);
    await assertVerdicts(allowing, [["deny", "www.bad.test:80"], ["deny", "www.good.test:443"]]);
    assertEquals(server.questions.all, []);
  },
);

testRows("--connect-port restricts tunnels of every kind, and nothing else", async (row) => {
  await withOrigins(
    row,
    ({ one }) => ["--connect-port", String(one), "--connect-port", "1-9"],
    async (proxy, { one, two }) => {
      await assertVerdicts(proxy, [
        ["allow", `a.test:${one}`],
        ["deny", `a.test:${two}`, ["connect", "socks4", "socks5"]],
        ["allow", `a.test:${two}`, ["http"]],
      ]);
      for (const port of [22, 25]) {
        await assertVerdicts(proxy, [["deny", `127.0.0.1:${port}`, ["connect", "socks4", "socks5"]]]);
      }
    },
  );
});

testRows("--allow-client serves clients of a block, and refuses others on every protocol", async (row) => {
  await withOrigins(row, () => ["--allow-client", "127.0.0.2/31"], async (proxy, { one }) => {
    await assertVerdicts(proxy, [
      ["deny", `a.test:${one}`],
      ["allow", `a.test:${one}`, ALL, { from: "127.0.0.2" }],
      ["allow", `a.test:${one}`, ALL, { from: "127.0.0.3" }],
      ["deny", `a.test:${one}`, ALL, { from: "127.0.0.4" }],
    ]);
    using client = await proxy.connect();
    await client.send("GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
    assertEquals((await client.message()).status, 403);
  });
});

testRows("a refusal tells the client whom to ask and a reference, and the operator the rule", async (row) => {
  await using origin = await Origin.listen();
  const flags = ["--deny", "127.0.0.1 port=1-65535", "--contact", "it@example.test <b>"];
  await using proxy = await ProxyProcess.start(row, flags);
  for (
    const [accept, type, contact] of [
      ["*/*", "text/plain", "Contact: it@example.test <b>"],
      ["text/html,*/*;q=0.8", "text/html", "Contact: it@example.test &#60;b&#62;"],
    ]
  ) {
    for (
      const start of [`GET http://${origin.authority}/ HTTP/1.1`, `CONNECT ${origin.authority} HTTP/1.1`]
    ) {
      using client = await proxy.connect();
      await client.send(`${start}\r\nHost: ${origin.authority}\r\nAccept: ${accept}\r\n\r\n`);
      const answer = await client.message();
      assertEquals(answer.status, 403);
      assertMatch(String(answer.field("content-type")), new RegExp(`^${type}; charset=utf-8$`));
      assertMatch(String(answer.field("proxy-status")), /; error=http_request_denied$/);
      assert(answer.text.includes(contact), answer.text);
      const reference = /Reference: ([\w-]+)/.exec(answer.text)?.[1];
      const record = await proxy.record(start.split(" ")[1], client);
      assertEquals(record.id, reference);
      assertEquals(record.fault, "http_request_denied");
      assertEquals(record.reason, 'Denied by the rule "deny 127.0.0.1 port=1-65535" (--deny)');
      // The rule is the operator's business alone.
      assert(!answer.text.includes("port=1-65535"), answer.text);
    }
  }
  assertEquals(await ask(proxy, "socks4", origin.authority), "deny");
  assertEquals(await ask(proxy, "socks5", origin.authority), "deny");
  assertEquals(await origin.isUntouched(), true);
});

testRows(
  "--rules-file: comments, blank lines and line ends of every kind; it comes behind the flags",
  async (row) => {
    using place = folder();
    const file = join(place.path, "rules");
    await writeFile(
      file,
      "\uFEFF# who may go where\r\n\r\n  deny  *.bad.test   # no\n\tallow .bad.test\nallow *.in.test\ndeny *",
    );
    await withOrigins(
      row,
      () => ["--allow", "first.bad.test", "--rules-file", file],
      async (proxy, { one }) => {
        await assertVerdicts(proxy, [
          ["allow", `first.bad.test:${one}`],
          ["deny", `second.bad.test:${one}`],
          ["allow", `bad.test:${one}`],
          ["deny", `other.test:${one}`],
        ]);
        const { reason } = await proxy.record(`second.bad.test:${one}/`);
        assertEquals(reason, `Denied by the rule "deny *.bad.test" (${file}:3)`);
      },
    );
  },
  { needs: "files", permissions: ["-R", "-W"] },
);

testRows("--rules-file: each bad line has a line on standard error, with exit code 2", async (row) => {
  using place = folder();
  const file = join(place.path, "rules");
  await writeFile(
    file,
    "allow *\nblock *.example.com\ndeny\n# deny\ndeny 10.0.0.1/8\ndeny * port=99999\ndeny http://example.com/\n" +
      "route * via ftp://ann:s3cr3t@127.0.0.1:1\n",
  );
  await using program = new ProgramRun(row, ["--listen", "127.0.0.1:0", "--rules-file", file]);
  assertEquals(await program.exit(), 2);
  const lines = program.diagnostics.all.filter((line) => line.startsWith(`sluice: ${file}:`));
  assertEquals(lines.length, program.diagnostics.all.length);
  assertEquals(lines.map((line) => Number(line.slice(`sluice: ${file}:`.length).split(":")[0])), [
    2,
    3,
    5,
    6,
    7,
  ]);
  assert(!lines.join().includes("s3cr3t"));

  await writeFile(file, "route * via ftp://ann:s3cr3t@127.0.0.1:1\n");
  await using second = new ProgramRun(row, ["--listen", "127.0.0.1:0", "--rules-file", file]);
  assertEquals(await second.exit(), 2);
  assertEquals(second.diagnostics.all.length, 1);
  assert(!second.diagnostics.all.join().includes("s3cr3t"), second.diagnostics.all.join());

  await using missing = new ProgramRun(row, [
    "--listen",
    "127.0.0.1:0",
    "--rules-file",
    join(place.path, "none"),
  ]);
  assertEquals(await missing.exit(), 2);
  assertEquals(missing.diagnostics.all.length, 1);
}, { needs: "files", permissions: ["-R", "-W"] });

testRows(
  "SIGHUP: rules and users are read anew, and a file that cannot be used leaves everything as it was",
  async (row) => {
    using place = folder();
    const [file, users] = [join(place.path, "rules"), join(place.path, "users")];
    const ways: Way[] = ["http", "connect", "socks5"];
    const [ann, bob] = ["ann", "bob"].map((user): Who => ({ user, password: PASSWORD }));
    await writeFile(file, "deny *.old.test\n");
    await writeFile(users, `ann:${HASH}\n`);
    await withOrigins(row, () => ["--rules-file", file, "--users-file", users], async (proxy, { one }) => {
      async function reload(pattern: RegExp, count = 1): Promise<void> {
        proxy.kill("SIGHUP");
        await proxy.said(pattern, count);
      }
      async function letIn(who: Who): Promise<string> {
        return await ask(proxy, "http", `a.test:${one}`, who);
      }
      await assertVerdicts(proxy, [
        ["deny", `a.old.test:${one}`, ways, ann],
        ["allow", `a.new.test:${one}`, ways, ann],
      ]);
      assertEquals([await letIn(ann), await letIn(bob)], ["allow", "407"]);

      // A request of a client that stays is judged by the rules of its own time.
      using client = await proxy.connect();
      const uri = `http://a.new.test:${one}/`;
      await client.send(request("GET", uri, basic("ann", PASSWORD)));
      assertEquals((await client.message()).status, 200);

      await writeFile(file, "deny *.new.test\n");
      await writeFile(users, `ann:${HASH}\nbob:${HASH}\n`);
      await reload(/Read the files/);
      await client.send(request("GET", uri, basic("ann", PASSWORD)));
      assertEquals((await client.message()).status, 403);
      const now: Question[] = [
        ["allow", `a.old.test:${one}`, ways, ann],
        ["deny", `a.new.test:${one}`, ways, bob],
      ];
      await assertVerdicts(proxy, now);

      const good = "allow *\n";
      const broken: [rules: string, users: string][] = [
        ["deny *.new.test\ndeny\n", `ann:${HASH}\n`],
        [good, "ann:secret\n"],
        [good, ""],
        ["route * via ftp://a:1\n", `ann:${HASH}\n`],
      ];
      for (const [index, [badRules, badUsers]] of broken.entries()) {
        await writeFile(file, badRules);
        await writeFile(users, badUsers);
        await reload(/Everything stays as it was/, index + 1);
        await assertVerdicts(proxy, now);
      }
      await rm(file);
      await reload(/Everything stays as it was/, broken.length + 1);
      await assertVerdicts(proxy, now);
      assert(!proxy.diagnostics.all.join("\n").includes("secret"));

      await writeFile(file, good);
      await writeFile(users, `bob:${HASH}\n`);
      await reload(/Read the files/, 2);
      assertEquals([await letIn(ann), await letIn(bob)], ["407", "allow"]);
    });
  },
  { needs: "files", permissions: ["-R", "-W"] },
);
