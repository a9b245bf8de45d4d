/**
 * Users on the wire: the same on every protocol, asked before anything is resolved or dialed.
 *
 * @module
 */

import { assertEquals, assertMatch } from "@std/assert";
import { Buffer } from "node:buffer";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { request, socks4Request, SOCKS5_GREETING, socks5Reply, socks5Request } from "./exchanges.ts";
import { Suite, testRows } from "./suite.ts";
import { hashPassword } from "../../src/policy/password_hash.ts";
import { folder } from "../support/folder.ts";
import { httpOrigin, Origin, response } from "../support/origin.ts";
import { ProgramRun, ProxyProcess } from "../support/proxy.ts";
import { connect, type RawConnection } from "../support/raw_client.ts";

// Many a wrong password is tried here, and all come from one address.
const suite = new Suite({
  flags: ["--user", "ann:secret", "--user", "bob:pass:word", "--max-attempts", "1000000"],
});

/** "pässwörd", at little cost. */
const ZOE =
  "$scrypt$ln=10,r=8,p=1$MDEyMzQ1Njc4OWFiY2RlZg$TGOG+s1NLmSxVhUf5etn2dmhsDJkPbU1xHpAsYvO5BoJesaj8+CAE6ngIjZXBN04zhqoRqi81Rb0Bd3I+5EZaA";

/** How a client of this machine comes from an address of its own. */
const NEIGHBOUR = { localAddress: "127.0.0.2" };

function basic(credentials: string): string {
  return `Proxy-Authorization: Basic ${Buffer.from(credentials).toString("base64")}`;
}

/** RFC 1929 section 2. */
function socks5Credentials(user: string, password: string): Uint8Array {
  return Uint8Array.of(1, user.length, ...Buffer.from(user), password.length, ...Buffer.from(password));
}

/** RFC 1928 section 3 with method 2, and RFC 1929 section 2. */
function socks5Login(user: string, password: string): Uint8Array {
  return Uint8Array.of(5, 1, 2, ...socks5Credentials(user, password));
}

suite.test("HTTP users log in with Basic, on each request anew, and their credentials stay here", async (proxy) => {
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

suite.test("every refusal is the same, and nothing was dialed for it", async (proxy) => {
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

suite.test("SOCKS5 users log in with name and password; the others, and SOCKS4, are refused", async (proxy) => {
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

suite.test("a failed login is logged with the name that was tried, and the target where the client has named it", async (proxy) => {
  const uri = "http://failed.test/page";
  const connect = "CONNECT failed.test:443 HTTP/1.1\r\nHost: failed.test:443\r\n";
  const cases: [sent: string | Uint8Array, expected: (string | undefined)[]][] = [
    [request("GET", uri, basic("eve:hidden")), ["GET", uri, "eve"]],
    [request("GET", "http://failed.test/", basic("eve\u2028:hidden")), [
      "GET",
      "http://failed.test/",
      "eve\u2028",
    ]],
    [`${connect}${basic(`${"n".repeat(100)}:hidden`)}\r\n\r\n`, [
      "CONNECT",
      "failed.test:443",
      "n".repeat(64),
    ]],
    [`${connect}\r\n`, ["CONNECT", "failed.test:443", undefined]],
    [socks5Login("eve", "hidden"), [undefined, undefined, "eve"]],
  ];
  for (const [sent, expected] of cases) {
    using client = await proxy.connect();
    const end = `:${client.localPort}`;
    await client.send(sent);
    const line = await proxy.output.find((line) => String(JSON.parse(line).client).endsWith(end));
    const { method, target, tried_user, user, fault } = JSON.parse(line);
    assertEquals([method, target, tried_user], expected);
    assertEquals([user, fault], [undefined, "proxy_authentication_required"]);
    assertEquals(line.includes("hidden"), false, line);
  }
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

suite.test("a SOCKS5 request before the end of authentication gets nowhere, in any order and any split", async (proxy) => {
  await using origin = await Origin.listen();
  const connect = socks5Request("127.0.0.1", origin.port);
  const [none, password, either] = [SOCKS5_GREETING, [5, 1, 2], [5, 2, 0, 2]];
  const [right, wrong] = [socks5Credentials("ann", "secret"), socks5Credentials("ann", "wrong")];
  const unacceptable = [5, 0xFF];
  const denied = [5, 2, 1, 1];
  const sequences: [name: string, messages: Iterable<number>[], answer: number[]][] = [
    ["request", [connect], unacceptable],
    ["request, greeting, credentials", [connect, password, right], unacceptable],
    ["greeting without a password, request", [none, connect], unacceptable],
    ["greeting without a password, credentials, request", [none, right, connect], unacceptable],
    [
      "greeting without a password, greeting, credentials, request",
      [none, password, right, connect],
      unacceptable,
    ],
    ["greeting with no method, request", [[5, 0], connect], unacceptable],
    ["greeting, request", [password, connect], denied],
    ["greeting with both methods, request", [either, connect], denied],
    ["greeting, request, credentials", [password, connect, right], denied],
    ["greeting, greeting, request", [password, none, connect], denied],
    ["greeting, wrong credentials, request", [password, wrong, connect], denied],
    ["greeting, wrong credentials, right ones, request", [password, wrong, right, connect], denied],
    ["greeting, empty credentials, request", [password, [1, 0, 0], connect], denied],
    [
      "greeting, credentials of a wrong version, request",
      [password, [5, ...right.slice(1)], connect],
      denied,
    ],
    ["greeting, the status that a server would send, request", [password, [1, 0], connect], denied],
    ["credentials, request", [right, connect], []],
  ];
  for (const [name, messages, answer] of sequences) {
    const bytes = Uint8Array.from(messages.flatMap((message) => [...message]));
    const sends: ((client: RawConnection) => Promise<void>)[] = [
      (client) => client.send(bytes),
      (client) => client.sendSlowly(bytes),
      async (client) => {
        for (const message of messages) await client.send(Uint8Array.from(message));
      },
    ];
    for (const send of sends) {
      using client = await proxy.connect();
      await send(client);
      client.end();
      await client.ending();
      assertEquals([...client.received], answer, name);
    }
  }
  assertEquals(await origin.isUntouched(), true);
});

testRows("users in a file log in with the passwords that the file has hashes of", async (row) => {
  const folder = await mkdtemp(join(tmpdir(), "sluice-"));
  try {
    const file = join(folder, "users");
    await writeFile(file, `# people\r\n\r\nzoe:${ZOE}\r\n`);
    await using origin = await httpOrigin(() => response("in"));
    await using proxy = await ProxyProcess.start(row, ["--users-file", file, "--user", "ann:secret"]);
    using client = await proxy.connect();
    const attempts: [credentials: string, status: number][] = [
      ["zoe:pässwörd", 200],
      ["zoe:pässwörd", 200],
      ["zoe:passwörd", 407],
      ["eve:pässwörd", 407],
      ["ann:secret", 200],
      ["ann:pässwörd", 407],
      ["zoe:pässwörd", 200],
    ];
    for (const [credentials, status] of attempts) {
      await client.send(request("GET", `http://${origin.authority}/`, basic(credentials)));
      assertEquals((await client.message()).status, status, credentials);
    }
    client.end();
    assertEquals(await proxy.stop(), 0);

    await writeFile(file, `zoe:${ZOE}\nann:s3cr3t\nbob:$apr1$s3cr3t$s3cr3t\n`);
    await using broken = new ProgramRun(row, ["--users-file", file]);
    assertEquals(await broken.exit(), 2);
    const said = broken.diagnostics.all.join("\n");
    assertEquals(
      [`${file}:2: `, `${file}:3: `, "sluice passwd", "s3cr3t"].map((text) => said.includes(text)),
      [
        true,
        true,
        true,
        false,
      ],
    );
  } finally {
    await rm(folder, { recursive: true });
  }
}, { needs: "files", permissions: ["-R", "-W"] });

testRows(
  "1,000 wrong passwords from one address get nobody in, and its neighbours are served meanwhile",
  async (row) => {
    await using origin = await httpOrigin(() => response("in"));
    const users = ["--user", "ann:secret", "--user", "eve:hidden"];
    const flags = ["--max-attempts", "20", "--header-timeout", "5m"];
    await using proxy = await ProxyProcess.start(row, [...users, ...flags]);
    const uri = `http://${origin.authority}/`;
    async function serves(client: RawConnection): Promise<void> {
      await client.send(request("GET", uri, basic("ann:secret")));
      assertEquals((await client.message()).status, 200);
    }
    using ann = await proxy.connect();
    await serves(ann);

    // One among them is right, and is not let in either: whoever guesses so fast is not even judged.
    const passwords = Array.from({ length: 1_000 }, (_, index) => index === 500 ? "hidden" : `wrong${index}`);
    const guesses: RawConnection[] = [];
    try {
      for (const [index, password] of passwords.entries()) {
        const guess = await proxy.connect();
        guesses.push(guess);
        const login = socks5Login("eve", password);
        await guess.send(index % 2 === 0 ? request("GET", uri, basic(`eve:${password}`)) : login);
        if (index % 100 !== 99) continue;
        await serves(ann);
        using newcomer = await connect({ ...proxy.addresses[0], ...NEIGHBOUR });
        await serves(newcomer);
      }
      // 50 may wait for their turn. All others are told at once that they may not; meanwhile the neighbours are served on.
      let waiting: string[];
      do {
        await serves(ann);
        const answers = guesses.map(({ received }) => received.toString("latin1"));
        waiting = answers.filter((answer) => answer === "" || answer === "\x05\x02");
        const denied = answers.filter((answer) =>
          /^HTTP\/1\.1 (?:407|503) /.test(answer) || answer === "\x05\x02\x01\x01"
        );
        assertEquals(denied.length + waiting.length, answers.length);
      } while (waiting.length > 50);
      assertEquals(waiting.length > 0, true);
    } finally {
      for (const guess of guesses) guess[Symbol.dispose]();
    }
  },
);

/** From how many addresses one name is guessed. */
const SOURCES = 6;

testRows(
  "a right password is answered soon while many addresses guess, and whoever is refused leaves a line",
  async (row) => {
    const folder = await mkdtemp(join(tmpdir(), "sluice-"));
    try {
      const file = join(folder, "users");
      await writeFile(file, `zoe:${ZOE.replace("ln=10", "ln=15")}\nann:${ZOE}\n`);
      await using origin = await httpOrigin(() => response("in"));
      const trusting = "auto://127.0.0.1:0?proxy-protocol=127.0.0.1";
      const flags = ["--users-file", file, "--allow-private", "--listen", trusting];
      await using proxy = await ProxyProcess.start(row, flags);
      const uri = `http://${origin.authority}/`;
      const guesses: RawConnection[] = [];
      try {
        // 20 of each source are judged, which keeps scrypt busy for longer than anybody waits.
        for (let made = 0; made < SOURCES * 22; made++) {
          const guess = await proxy.connect(proxy.addresses[1]);
          guesses.push(guess);
          const from = `PROXY TCP4 192.0.2.${made % SOURCES} 192.0.2.1 5000 80\r\n`;
          await guess.send(from + request("GET", uri, basic(`zoe:wrong${made}`)));
        }
        using newcomer = await proxy.connect();
        await newcomer.send(request("GET", uri, basic("ann:pässwörd")));
        assertEquals((await newcomer.message()).status, 200);
        // Nobody gets an empty answer: wrong, or too many at a time, which is a line in the log, too.
        const statuses = await Promise.all(guesses.map(async (guess) => {
          const { status } = await guess.message();
          guess.end();
          return status;
        }));
        assertEquals(statuses.every((status) => status === 407 || status === 503), true, statuses.join());
        assertEquals(statuses.includes(503), true);
        const refused = statuses.filter((status) => status === 503).length;
        const lines = new Set<string>();
        while (lines.size < refused) {
          const line = await proxy.output.next();
          const { fault, status } = JSON.parse(line);
          if (fault !== "authentication_unavailable") continue;
          assertEquals(status, 503);
          lines.add(line);
        }
      } finally {
        for (const guess of guesses) guess[Symbol.dispose]();
      }
    } finally {
      await rm(folder, { recursive: true });
    }
  },
  { needs: "files", permissions: ["-R", "-W"] },
);

testRows("guesses from all over a /48 have one budget, and its neighbours another", async (row) => {
  await using origin = await httpOrigin(() => response("in"));
  const trusting = "auto://127.0.0.1:0?proxy-protocol=127.0.0.1";
  await using proxy = await ProxyProcess.start(row, [
    "--user",
    "ann:secret",
    "--allow-private",
    "--listen",
    trusting,
  ]);
  async function status(address: string, credentials: string): Promise<number> {
    using client = await proxy.connect(proxy.addresses[1]);
    const from = `PROXY TCP6 ${address} 2001:db8::1 5000 80\r\n`;
    await client.send(from + request("GET", `http://${origin.authority}/`, basic(credentials)));
    return (await client.message()).status!;
  }
  assertEquals(await status("2001:db8:77:ffff::1", "ann:secret"), 200);
  const statuses: number[] = [];
  for (let guess = 0; guess < 200; guess++) {
    statuses.push(await status(`2001:db8:77:${guess.toString(16)}00::1`, "ann:guess"));
  }
  const judged = statuses.filter((status) => status === 407).length;
  assertEquals(judged >= 60 && judged < 120, true, String(judged));
  assertEquals(statuses.filter((status) => status === 503).length, 200 - judged);
  assertEquals(await status("2001:db8:77:ffff::1", "ann:secret"), 200);
  assertEquals(await status("2001:db8:78::1", "ann:secret"), 200);
});

testRows(
  "SIGHUP: users who are gone or have another password lose their tunnels, unless --keep-tunnels is given",
  async (row) => {
    const folder = await mkdtemp(join(tmpdir(), "sluice-"));
    const other = ZOE.replace("MDEy", "MDEz");
    try {
      const file = join(folder, "users");
      await using origin = await Origin.listen();
      for (const flags of [[], ["--keep-tunnels"]]) {
        await writeFile(file, ["zoe", "eve", "ann"].map((user) => `${user}:${ZOE}\n`).join(""));
        await using proxy = await ProxyProcess.start(row, ["--users-file", file, ...flags]);
        const clients = new Map<string, RawConnection>();
        for (const user of ["zoe", "eve", "ann"]) {
          const client = await proxy.connect();
          clients.set(user, client);
          const fields = `Host: ${origin.authority}\r\n${basic(`${user}:pässwörd`)}`;
          await client.send(`CONNECT ${origin.authority} HTTP/1.1\r\n${fields}\r\n\r\n`);
          assertMatch(await client.readUntil("\r\n\r\n"), /^HTTP\/1\.1 200 /);
          const target = await origin.accept();
          target.readToEnd().then(() => target.end(), () => {});
        }
        await writeFile(file, `ann:${ZOE}\neve:${other}\n`);
        proxy.kill("SIGHUP");
        await proxy.said(/Read the files/);
        if (flags.length === 0) await Promise.all(["zoe", "eve"].map((user) => clients.get(user)!.ending()));
        for (const client of clients.values()) client.end();
        assertEquals(await proxy.stop(), 0);
        const records = proxy.output.all.map((line) => JSON.parse(line));
        const reasons = Object.fromEntries(records.map(({ user, reason }) => [user, reason ?? "none"]));
        const gone = flags.length === 0 ? "The user was removed, or has another password" : "none";
        assertEquals(reasons, { ann: "none", eve: gone, zoe: gone });
        for (const client of clients.values()) client[Symbol.dispose]();
      }
    } finally {
      await rm(folder, { recursive: true });
    }
  },
  { needs: "files", permissions: ["-R", "-W"] },
);

testRows("SIGHUP: a password that is being judged is judged by the users who are there then", async (row) => {
  const folder = await mkdtemp(join(tmpdir(), "sluice-"));
  try {
    const file = join(folder, "users");
    // One that takes its time, as "sluice passwd" makes it.
    await writeFile(file, `zoe:${await hashPassword("slow")}\nann:${ZOE}\n`);
    await using origin = await Origin.listen();
    await using proxy = await ProxyProcess.start(row, ["--users-file", file]);
    using client = await proxy.connect();
    const fields = `Host: ${origin.authority}\r\n${basic("zoe:slow")}`;
    await client.send(`CONNECT ${origin.authority} HTTP/1.1\r\n${fields}\r\n\r\n`);
    await writeFile(file, `ann:${ZOE}\n`);
    proxy.kill("SIGHUP");
    await proxy.said(/Read the files/);
    // Refused, or let in just before and cut off.
    await client.ending();
  } finally {
    await rm(folder, { recursive: true });
  }
}, { needs: "files", permissions: ["-R", "-W"] });

testRows(
  "users of htpasswd -B log in on every protocol, and other hashes are told by their names",
  async (row) => {
    using place = folder();
    const file = join(place.path, "htpasswd");
    // Made with "htpasswd -nbB zoe pässwörd".
    await writeFile(file, "zoe:$2y$05$feP1GlL39d6g.4ExeCn1A.ox9l.f3ZhnMrKIvm8WBEVcquj14wtia\n");
    await using origin = await httpOrigin();
    await using proxy = await ProxyProcess.start(row, ["--users-file", file]);
    for (
      const [words, status] of [["zoe:pässwörd", 200], ["zoe:wrong", 407], ["eve:pässwörd", 407]] as const
    ) {
      using client = await proxy.connect();
      await client.send(request("GET", `http://${origin.authority}/`, basic(words)));
      assertEquals((await client.message()).status, status, words);
    }
    {
      using socks = await proxy.connect();
      const [name, password] = [Buffer.from("zoe"), Buffer.from("pässwörd")];
      await socks.send(Buffer.of(5, 1, 2, 1, name.length, ...name, password.length, ...password));
      assertEquals([...await socks.read(4)], [5, 2, 1, 0]);
    }
    assertEquals(await proxy.stop(), 0);

    await writeFile(
      file,
      "ann:$apr1$r31.....$HqJZimcKQFAMYayBlzkrA/\nbob:{SHA}fEqNCco3Yq9h5ZUglD3CZJT4lBs=\n",
    );
    await using refused = new ProgramRun(row, ["--listen", "127.0.0.1:0", "--users-file", file]);
    assertEquals(await refused.exit(), 2);
    const advice =
      'and scrypt or bcrypt is needed; make the entry with "sluice passwd NAME", or with "htpasswd -B"';
    assertEquals(refused.diagnostics.all, [
      `sluice: ${file}:1: Cannot use this password: it is Apache's MD5, ${advice}`,
      `sluice: ${file}:2: Cannot use this password: it is SHA-1, ${advice}`,
    ]);
  },
  { needs: "files", permissions: ["-R", "-W"] },
);
