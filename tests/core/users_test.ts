import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import type { Fault } from "../../src/faults.ts";
import type { PasswordHash } from "../../src/policy/password_hash.ts";
import { type UserEntry, Users } from "../../src/policy/users.ts";
import { UsageError } from "../../src/text/usage_error.ts";
import { timings } from "../support/user_timings.ts";

/** An entry whose hash no scrypt has made: `FakeScrypt` finds the password in it. */
function entry(user: string, password: string, ln = 15): UserEntry {
  return {
    user,
    hash: { scheme: "scrypt", text: `${ln} ${password}` },
  };
}

/** Counts runs, and ends them when it is told to. */
class FakeScrypt {
  readonly runs: [ln: number, password: string][] = [];
  readonly ends: (() => void)[] = [];
  held = false;

  readonly verifyHash = async (hash: PasswordHash, password: string): Promise<boolean> => {
    const [ln, right] = hash.text.split(" ");
    this.runs.push([Number(ln), password]);
    if (this.held) await new Promise<void>((resolve) => this.ends.push(resolve));
    return right === password;
  };
}

/** Lets everything happen that waits for nothing. */
function settled(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}

Deno.test("Users.verify() knows its users by name and password, and nobody else", async () => {
  const scrypt = new FakeScrypt();
  const clear = ["ann:secret", "bob:with:colons", "Zoë:pässwörd"];
  const hashed = [entry("ann", "secret"), entry("bob", "with:colons", 16), entry("Zoë", "pässwörd", 17)];
  const cases: [user: string, password: string, expected: boolean][] = [
    ["ann", "secret", true],
    ["bob", "with:colons", true],
    ["Zoë", "pässwörd", true],
    ["ann", "Secret", false],
    ["ann", "secre", false],
    ["ann", "", false],
    ["", "secret", false],
    ["Ann", "secret", false],
    ["ann", "with:colons", false],
    ["bob:with", "colons", false],
    ["eve", "secret", false],
    ["eve", "with:colons", false],
    ["eve", "pässwörd", false],
  ];
  for (const entries of [clear, hashed, [clear[0], hashed[1], hashed[2]]]) {
    const users = new Users(entries, scrypt);
    for (const [user, password, expected] of [...cases, ...cases]) {
      assertEquals(await users.verify({ user, password }), expected, `${user}:${password}`);
    }
  }
});

Deno.test("Users refuses entries that cannot work, and quotes no password", () => {
  const broken = [
    "",
    "ann",
    "ann:",
    ":secret",
    "a\nnn:secret",
    `ann:${"s".repeat(256)}`,
    `${"ä".repeat(128)}:secret`,
    "ann:$scrypt$ln=15,r=8,p=3$secret",
  ];
  for (const entry of broken) {
    const { message } = assertThrows(() => new Users([entry]), UsageError);
    assertEquals(message.includes("secret"), false, message);
  }
  for (const entries of [["ann:1", "ann:2"], ["ann:1", entry("ann", "2")]]) {
    assertThrows(() => new Users(entries), UsageError, 'The user "ann" is given twice');
  }
});

Deno.test("wrong credentials cost one run of scrypt, whatever is wrong, and right ones are remembered", async () => {
  const scrypt = new FakeScrypt();
  const users = new Users(["ann:secret", entry("bob", "secret", 15), entry("eve", "hidden", 16)], scrypt);
  async function runs(user: string, password: string): Promise<number> {
    const before = scrypt.runs.length;
    await users.verify({ user, password });
    return scrypt.runs.length - before;
  }
  for (
    const [user, password] of [["ann", "wrong"], ["bob", "wrong"], ["nobody", "wrong"], ["nobody", "hidden"]]
  ) {
    assertEquals([await runs(user, password), await runs(user, password)], [1, 1], `${user}:${password}`);
  }
  assertEquals([await runs("ann", "secret"), await runs("bob", "secret"), await runs("bob", "secret")], [
    0,
    1,
    0,
  ]);
  assertEquals([await runs("bob", "hidden"), await runs("ann", "hidden"), await runs("eve", "secret")], [
    1,
    1,
    1,
  ]);
});

Deno.test("an unknown name has the parameters of one of the hashes, the same each time", async () => {
  const scrypt = new FakeScrypt();
  const users = new Users([entry("bob", "secret", 15), entry("eve", "hidden", 16)], scrypt);
  const chosen = new Set<number>();
  for (let name = 0; name < 100; name++) {
    scrypt.runs.length = 0;
    for (const password of ["1", "2", "3"]) await users.verify({ user: `user${name}`, password });
    assertEquals(new Set(scrypt.runs.map(([ln]) => ln)).size, 1);
    chosen.add(scrypt.runs[0][0]);
  }
  assertEquals(chosen, new Set([15, 16]));
});

Deno.test("what Users remember is bounded, and the longest unused goes first", async () => {
  const scrypt = new FakeScrypt();
  const names = Array.from({ length: 1_001 }, (_, index) => `user${index}`);
  const users = new Users(names.map((name) => entry(name, "secret")), scrypt);
  const verify = (user: string) => users.verify({ user, password: "secret" });
  for (const name of names.slice(0, -1)) await verify(name);
  await verify(names[0]);
  await verify(names[1_000]);
  scrypt.runs.length = 0;
  assertEquals([verify(names[0]), verify(names[1_000])], [true, true]);
  await verify(names[1]);
  assertEquals(scrypt.runs.length, 1);
});

Deno.test("scrypt runs twice at once and no more; who waits can give up, or be spared it", async () => {
  const scrypt = new FakeScrypt();
  scrypt.held = true;
  const users = new Users([entry("ann", "secret"), entry("bob", "hidden")], scrypt);
  const controller = new AbortController();
  const answers = ["1", "secret", "2", "3", "secret"].map((password, index) =>
    users.verify(
      { user: "ann", password, client: `192.0.2.${index}:1` },
      password === "2" ? controller.signal : undefined,
    )
  );
  await settled();
  assertEquals(scrypt.runs.length, 2);
  const reason = new Error("gone");
  controller.abort(reason);
  assertEquals(await assertRejects(() => answers[2] as Promise<boolean>), reason);
  await assertRejects(async () => await users.verify({ user: "ann", password: "4" }, controller.signal));
  scrypt.ends[1]();
  assertEquals(await Promise.all([answers[1], answers[4]]), [true, true]);
  await settled();
  assertEquals(scrypt.runs.map(([, password]) => password), ["1", "secret", "3"]);
  for (const end of scrypt.ends) end();
  assertEquals([await answers[0], await answers[3]], [false, false]);
  scrypt.held = false;
  assertEquals(await users.verify({ user: "bob", password: "hidden" }), true);
});

/** Verifies while scrypt is held; tells in which order the passwords get their runs. */
class Contest {
  readonly scrypt = new FakeScrypt();
  readonly users = new Users(
    [entry("ann", "secret"), entry("bob", "hidden"), entry("eve", "third")],
    this.scrypt,
  );
  readonly refused: unknown[] = [];

  constructor() {
    this.scrypt.held = true;
  }

  get runs(): string[] {
    return this.scrypt.runs.map(([, password]) => password);
  }

  ask(user: string, password: string, client: string): void {
    Promise.resolve(this.users.verify({ user, password, client })).catch((error) => this.refused.push(error));
  }

  async end(run: number): Promise<void> {
    this.scrypt.ends[run]();
    await settled();
  }
}

Deno.test("one source has one run of scrypt at a time, and a newcomer is not behind its queue", async () => {
  const contest = new Contest();
  for (let guess = 0; guess < 20; guess++) contest.ask(`user${guess}`, `guess ${guess}`, "192.0.2.1:1");
  await settled();
  assertEquals(contest.runs, ["guess 0"]);
  contest.ask("bob", "hidden", "192.0.2.2:1");
  await settled();
  assertEquals(contest.runs, ["guess 0", "hidden"]);
  // All clients of a /48 are one source here.
  contest.ask("ann", "1", "[2001:db8:1:1::1]:1");
  contest.ask("ann", "2", "[2001:db8:1:2::1]:1");
  await contest.end(1);
  assertEquals(contest.runs.length, 3);
  await contest.end(0);
  await contest.end(2);
  assertEquals(
    contest.runs.slice(2).toSorted(),
    ["1", "2", contest.runs.find((run) => /guess [^0]/.test(run))].toSorted(),
  );
});

Deno.test("a name that many sources guess keeps no other name from its run", async () => {
  const contest = new Contest();
  for (let source = 0; source < 80; source++) contest.ask("ann", `guess ${source}`, `198.51.100.${source}:1`);
  await settled();
  contest.ask("bob", "hidden", "192.0.2.2:1");
  contest.ask("ann", "one more", "192.0.2.3:1");
  await settled();
  await contest.end(0);
  assertEquals(contest.runs[2], "hidden");
});

Deno.test("of those who wait for scrypt beyond 100, one is refused for each that comes, the worst first", async () => {
  const contest = new Contest();
  for (let source = 0; source < 102; source++) {
    contest.ask("ann", `guess ${source}`, `198.51.100.${source}:1`);
  }
  await settled();
  assertEquals(contest.refused, []);
  contest.ask("bob", "hidden", "192.0.2.2:1");
  await settled();
  assertEquals(contest.refused.map((error) => (error as Fault).code), ["authentication_unavailable"]);
  await contest.end(0);
  assertEquals(contest.runs[2], "hidden");
});

Deno.test("a source whose last password was right gets its run before all strangers, and is not refused", async () => {
  for (const guessed of ["ann", "a name that nobody has tried"]) {
    const contest = new Contest();
    contest.ask("bob", "hidden", "192.0.2.2:1");
    await settled();
    await contest.end(0);
    for (let source = 0; source < 102; source++) {
      const user = guessed === "ann" ? guessed : `${guessed} ${source}`;
      contest.ask(user, `guess ${source}`, `198.51.100.${source}:1`);
    }
    await settled();
    // The second waits behind the run of the first, and stays before the strangers meanwhile.
    contest.ask("ann", "secret", "192.0.2.2:1");
    contest.ask("eve", "third", "192.0.2.2:1");
    for (let source = 0; source < 40; source++) contest.ask("ann", `more ${source}`, `203.0.113.${source}:1`);
    await settled();
    await contest.end(1);
    for (let source = 40; source < 80; source++) {
      contest.ask("ann", `more ${source}`, `203.0.113.${source}:1`);
    }
    await settled();
    await contest.end(3);
    assertEquals(contest.runs.slice(3).toSorted(), ["secret", "third"], guessed);
  }
});

Deno.test("a source that was right once and then guesses stands behind strangers again", async () => {
  const contest = new Contest();
  contest.ask("bob", "hidden", "192.0.2.2:1");
  await settled();
  await contest.end(0);
  contest.ask("ann", "guess 1", "192.0.2.2:1");
  await settled();
  contest.ask("ann", "stranger's", "198.51.100.1:1");
  contest.ask("ann", "guess 2", "192.0.2.2:1");
  contest.ask("ann", "newcomer's", "203.0.113.1:1");
  await settled();
  await contest.end(1);
  assertEquals(contest.runs.slice(1), ["guess 1", "stranger's", "newcomer's"]);
});

Deno.test("a run of scrypt that fails frees its place", async () => {
  const users = new Users([entry("ann", "secret")], {
    verifyHash: () => Promise.reject(new Error("no memory")),
  });
  for (let round = 0; round < 5; round++) {
    await assertRejects(
      async () => await users.verify({ user: "ann", password: "secret" }),
      Error,
      "no memory",
    );
  }
});

Deno.test("what is wrong with clear credentials cannot be told from the time (TIMING=20000 asserts it)", () => {
  const samples = Deno.env.get("TIMING");
  const comparisons = timings(Number(samples ?? 10));
  assertEquals(comparisons.length, 3);
  // A few samples are too noisy to fail for.
  if (samples !== undefined) assertEquals(comparisons.filter(({ p }) => p <= 0.01), []);
});

Deno.test("Users.keeps() is true for a user whose name and hash or clear password are the same", () => {
  const before = new Users(["ann:secret", "dan:old", "fay:x", entry("bob", "old"), entry("eve", "same")]);
  const after = new Users([
    "ann:secret",
    "dan:new",
    entry("fay", "x"),
    entry("bob", "new"),
    entry("eve", "same"),
  ]);
  const kept = ["ann", "bob", "dan", "eve", "fay", "zoe"].filter((user) => after.keeps(user, before));
  assertEquals(kept, ["ann", "eve"]);
  const none = new Users(["zoe:secret"]);
  assertEquals(["ann", "eve", "zoe"].map((user) => none.keeps(user, before)), [false, false, false]);
});
