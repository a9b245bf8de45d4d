import { assert, assertEquals, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import { Fault } from "../../src/faults.ts";
import type { Resolution, ResolveOptions } from "../../src/runtime/contract.ts";
import { UsageError } from "../../src/text/usage_error.ts";
import { parseHosts } from "../../src/dialing/hosts_file.ts";
import { Resolver, type ResolverOptions } from "../../src/dialing/resolver.ts";
import { VirtualClock } from "../support/virtual_clock.ts";

/** A question that the runtime was asked, and how the test answers it. */
interface Question {
  readonly host: string;
  readonly options: ResolveOptions;
  answer(resolution: Resolution): void;
  fail(code: string): void;
}

/** A resolver over a runtime that the test speaks for. */
function resolving(options: Partial<ResolverOptions> = {}) {
  const clock = new VirtualClock();
  const questions: Question[] = [];
  const runtime = {
    resolve: (host: string, options: ResolveOptions = {}) =>
      new Promise<Resolution>((resolve, reject) => {
        options.signal?.addEventListener("abort", () => reject(options.signal!.reason));
        questions.push({
          host,
          options,
          answer: resolve,
          fail: (code) => reject(Object.assign(new Error(`Cannot resolve "${host}"`), { code })),
        });
      }),
  };
  const asked = new Resolver({ runtime, clock, timeout: 5_000, ...options });
  const resolver = {
    resolve: async (host: string, signal: AbortSignal) => await asked.resolve(host, signal),
  };
  return { clock, questions, resolver, signal: new AbortController().signal };
}

Deno.test("resolve() asks nobody for a name that DNS cannot carry", async () => {
  const { resolver, questions, signal } = resolving();
  const label = "x".repeat(63);
  const longest = [label, label, label, "x".repeat(61)].join(".");
  const fault = await assertRejects(() => resolver.resolve(`${longest}x`, signal), Fault, "too long");
  assertEquals([fault.code, questions.length], ["dns_error", 0]);
  for (const name of [longest, `${longest}.`]) resolver.resolve(name, signal).catch(() => {});
  assertEquals(questions.length, 2);
});

Deno.test("resolve() asks nobody for names in the table, in whatever case and with a last dot", async () => {
  const hosts = parseHosts("192.0.2.7 Db.test db\n2001:DB8::7 db.test", "hosts");
  const { resolver, questions, signal } = resolving({ hosts });
  assertEquals(await resolver.resolve("db.test", signal), ["192.0.2.7", "2001:db8::7"]);
  assertEquals(await resolver.resolve("DB.TEST.", signal), ["192.0.2.7", "2001:db8::7"]);
  assertEquals(await resolver.resolve("dB", signal), ["192.0.2.7"]);
  assertEquals(questions, []);
});

Deno.test("resolve() hands the name servers on, but never asks them for localhost (RFC 6761)", async () => {
  const servers = ["192.0.2.53"];
  const { resolver, questions, signal } = resolving({ servers });
  assertEquals(await resolver.resolve("LocalHost", signal), ["127.0.0.1", "::1"]);
  assertEquals(await resolver.resolve("a.localhost.", signal), ["127.0.0.1", "::1"]);
  resolver.resolve("a.test", signal);
  assertEquals(questions.map(({ host, options }) => [host, options.servers]), [["a.test", servers]]);
});

Deno.test("resolve() takes the last dot off numbers only, which are addresses in odd spellings", async () => {
  const { resolver, questions, signal } = resolving();
  for (const host of ["127.1.", "0x7f.", "a.test.", "a1."]) resolver.resolve(host, signal);
  await Promise.resolve();
  assertEquals(questions.map(({ host }) => host), ["127.1", "0x7f", "a.test.", "a1."]);
});

Deno.test("resolve() asks once for all who want a name at the same time", async () => {
  const { resolver, questions, signal } = resolving();
  const answers = ["a.test", "A.TEST", "a.test"].map((host) => resolver.resolve(host, signal));
  assertEquals(questions.length, 1);
  questions[0].answer({ addresses: ["192.0.2.1"] });
  assertEquals(await Promise.all(answers), Array(3).fill(["192.0.2.1"]));
});

Deno.test("resolve(): who goes away leaves the question to the others, and the last one calls it off", async () => {
  const { clock, resolver, questions, signal } = resolving();
  const [first, second] = [new AbortController(), new AbortController()];
  const gone = new Fault("client_disconnected");
  const answers = [first, second].map(({ signal }) => resolver.resolve("a.test", signal));
  first.abort(gone);
  assertStrictEquals(await answers[0].catch((error) => error), gone);
  assertEquals(questions[0].options.signal!.aborted, false);
  second.abort(gone);
  assertStrictEquals(await answers[1].catch((error) => error), gone);
  assertEquals(questions[0].options.signal!.aborted, true);
  const again = resolver.resolve("a.test", signal);
  assertEquals(questions.length, 2, "What was called off is no answer");
  questions[1].answer({ addresses: ["192.0.2.1"] });
  assertEquals(await again, ["192.0.2.1"]);
  await Promise.resolve();
  assertEquals(clock.pending, 0);
});

for (
  const [ttl, milliseconds] of [[undefined, 5_000], [0, 1_000], [30, 30_000], [86_400, 300_000]] as const
) {
  Deno.test(`resolve() keeps an answer with a TTL of ${ttl} for ${milliseconds} ms`, async () => {
    const { clock, resolver, questions, signal } = resolving();
    const first = resolver.resolve("a.test", signal);
    questions[0].answer({ addresses: ["192.0.2.1"], ttl });
    await first;
    clock.advance(milliseconds - 1);
    assertEquals(await resolver.resolve("a.test", signal), ["192.0.2.1"]);
    assertEquals(questions.length, 1);
    clock.advance(1);
    resolver.resolve("a.test", signal);
    assertEquals(questions.length, 2);
  });
}

Deno.test("resolve() keeps a failure for a second, and names the host", async () => {
  const { clock, resolver, questions, signal } = resolving();
  const first = resolver.resolve("a.test", signal);
  questions[0].fail("dns_error");
  const fault = await assertRejects(() => first, Fault, "a.test");
  assertEquals([fault.code, fault.status, fault.socks5], ["dns_error", 502, 4]);
  clock.advance(999);
  assertStrictEquals(await resolver.resolve("a.test", signal).catch((error) => error), fault);
  clock.advance(1);
  resolver.resolve("a.test", signal);
  assertEquals(questions.length, 2);
});

Deno.test("resolve(): where a name server failed, nobody is told that the name is wrong", async () => {
  const { resolver, questions, signal } = resolving();
  for (const [i, code] of ["dns_error", "name_server_failed"].entries()) {
    const answer = resolver.resolve(`${i}.test`, signal);
    questions[i].fail(code);
    const fault = await assertRejects(() => answer, Fault, `${i}.test`);
    assertEquals([fault.code, fault.status, fault.socks5], ["dns_error", 502, 4]);
    assertEquals(fault.advice.startsWith("Check the spelling"), code === "dns_error", fault.advice);
  }
});

Deno.test("resolve() gives a name its time and no more: dns_timeout, which ends the question", async () => {
  const { clock, resolver, questions, signal } = resolving();
  const answer = resolver.resolve("a.test", signal);
  clock.advance(4_999);
  assertEquals(questions[0].options.signal!.aborted, false);
  clock.advance(1);
  const fault = await assertRejects(() => answer, Fault, "a.test");
  assertEquals([fault.code, fault.status, fault.socks5], ["dns_timeout", 504, 4]);
  assertEquals(questions[0].options.signal!.aborted, true);
  assertStrictEquals(await resolver.resolve("a.test", signal).catch((error) => error), fault);
});

Deno.test("resolve(): where the time for connecting is up, it was the name that was late", async () => {
  const { resolver } = resolving();
  const controller = new AbortController();
  const answer = resolver.resolve("a.test", controller.signal);
  controller.abort(new Fault("connection_timeout"));
  const fault = await assertRejects(() => answer, Fault, "a.test");
  assertEquals(fault.code, "dns_timeout");
});

Deno.test("resolve() keeps 16 addresses of a hundred, both families among them", async () => {
  const { resolver, questions, signal } = resolving();
  const six = Array.from({ length: 50 }, (_, i) => `2001:db8::${i + 1}`);
  const four = Array.from({ length: 50 }, (_, i) => `192.0.2.${i + 1}`);
  const answer = resolver.resolve("a.test", signal);
  questions[0].answer({ addresses: [...six, ...four] });
  const addresses = await answer;
  assertEquals(addresses.length, 16);
  assertEquals(addresses.slice(0, 3), ["2001:db8::1", "192.0.2.1", "2001:db8::2"]);
});

Deno.test("resolve() keeps a thousand names, and drops the oldest", async () => {
  const { resolver, questions, signal } = resolving();
  for (let i = 0; i <= 1_000; i++) {
    const answer = resolver.resolve(`${i}.test`, signal);
    questions[i].answer({ addresses: ["192.0.2.1"], ttl: 60 });
    await answer;
  }
  await resolver.resolve("1.test", signal);
  assertEquals(questions.length, 1_001);
  resolver.resolve("0.test", signal);
  assertEquals(questions.length, 1_002);
});

Deno.test("parseHosts() reads hosts(5): comments, several names, several lines of a name", () => {
  const hosts = parseHosts(
    "\uFEFF# all\r\n\n192.0.2.1\ta.test b # c.test\n192.0.2.2 a.test.\n192.0.2.1 A.test",
    "h",
  );
  assertEquals([...hosts], [["a.test", ["192.0.2.1", "192.0.2.2"]], ["b", ["192.0.2.1"]]]);
});

Deno.test("parseHosts() tells each bad line", () => {
  const error = assertThrows(
    () => parseHosts("a.test 192.0.2.1\n127.1 a\n192.0.2.1\n192.0.2.1 a b/c\n192.0.2.1 ok", "hosts.txt"),
    UsageError,
  );
  assertEquals(error.message.split("\n"), [
    'hosts.txt:1: "a.test" is no IP address: a line is an address and its names',
    'hosts.txt:2: "127.1" is no IP address: a line is an address and its names',
    'hosts.txt:3: The address "192.0.2.1" has no name',
    'hosts.txt:4: "b/c" is no host name',
  ]);
  const many = assertThrows(() => parseHosts("x\n".repeat(12), "h"), UsageError);
  assert(many.message.endsWith("h: 2 more lines are invalid"));
});
