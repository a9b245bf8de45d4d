import { assert, assertEquals, assertThrows } from "@std/assert";
import { Fault } from "../../src/faults.ts";
import {
  type RuleProtocol,
  type RuleRequest,
  Subject,
  TUNNEL_PROTOCOLS,
} from "../../src/policy/rule_request.ts";
import { type Decision, refuseDenied, Rules } from "../../src/policy/rules.ts";
import { needRead, type ReadRule } from "../../src/policy/rule.ts";
import { parseRules } from "../../src/policy/rules_file.ts";
import { spelledAddresses } from "../../src/addresses/spelled_addresses.ts";
import { UsageError } from "../../src/text/usage_error.ts";
import { Random, SEED } from "../support/random.ts";

const REQUEST: RuleRequest = {
  host: "example.com",
  port: 443,
  protocol: "connect",
  user: undefined,
  client: undefined,
};

/** The verdict, and the line of the rule that decided. */
function decide(lines: readonly string[], request: Partial<RuleRequest>): string {
  const rules = new Rules(parseRules(lines.join("\n"), "f"));
  const { verdict, rule } = rules.decide({ ...REQUEST, ...request });
  return rule ? `${verdict} by ${rule.origin}` : verdict;
}

Deno.test("Rules allow everything where there are none, and deny the rest where something is allowed", () => {
  assertEquals(decide([], {}), "allow");
  assertEquals(decide(["deny a.com"], {}), "allow");
  assertEquals(decide(["route * via http://a:1"], {}), "allow");
  assertEquals(decide(["allow a.com"], {}), "deny");
  assertEquals(decide(["deny a.com", "allow b.com"], {}), "deny");
});

Deno.test("the first rule that matches decides", () => {
  const rules = [
    "allow www.example.com",
    "route * via http://a:1",
    "deny .example.com",
    "allow *:443",
    "deny *",
  ];
  const cases: [host: string, port: number, expected: string][] = [
    ["www.example.com", 80, "allow by f:1"],
    ["WWW.EXAMPLE.COM.", 80, "allow by f:1"],
    ["example.com", 443, "deny by f:3"],
    ["Example.com.", 443, "deny by f:3"],
    ["other.test", 443, "allow by f:4"],
    ["other.test", 80, "deny by f:5"],
    ["192.0.2.1", 443, "allow by f:4"],
  ];
  for (const [host, port, expected] of cases) {
    assertEquals(decide(rules, { host, port }), expected, `${host}:${port}`);
  }
});

Deno.test("a name is unresolved at the first rule that only its address can tell of", () => {
  const rules = [
    "allow good.test",
    "deny 10.0.0.0/8 port=443",
    "deny bad.test",
    "allow 192.0.2.0/24",
    "deny *",
  ];
  const cases: [host: string, port: number, address: string | undefined, expected: string][] = [
    ["good.test", 443, undefined, "allow by f:1"],
    ["good.test", 443, "10.0.0.1", "allow by f:1"],
    ["a.test", 443, undefined, "unresolved by f:2"],
    ["a.test", 443, "10.0.0.1", "deny by f:2"],
    ["a.test", 443, "::ffff:10.0.0.1", "deny by f:2"],
    ["a.test", 80, undefined, "unresolved by f:4"],
    ["bad.test", 80, undefined, "deny by f:3"],
    ["bad.test", 443, "192.0.2.1", "deny by f:3"],
    ["a.test", 443, "192.0.2.1", "allow by f:4"],
    ["a.test", 443, "198.51.100.1", "deny by f:5"],
    ["10.0.0.1", 443, undefined, "deny by f:2"],
    ["10.0.0.1.", 443, undefined, "deny by f:2"],
    ["192.0.2.1", 443, undefined, "allow by f:4"],
  ];
  for (const [host, port, address, expected] of cases) {
    assertEquals(decide(rules, { host, port, address }), expected, `${host}:${port} at ${address}`);
  }
});

Deno.test("an address that cannot be read is denied where a rule has to judge it", () => {
  for (const line of ["deny 10.0.0.0/8", "allow 10.0.0.0/8", "allow !10.0.0.0/8"]) {
    assertEquals(decide([line], { address: "nonsense" }), "deny by f:1");
  }
});

Deno.test("connectPorts restrict tunnels, before all rules, and nothing else", () => {
  const rules = new Rules(parseRules("allow *", "f"), { connectPorts: [443, " 8000-8999", "22,23"] });
  const cases: [protocol: RuleProtocol, port: number, expected: string][] = [
    ["connect", 443, "allow"],
    ["connect", 25, "deny"],
    ["socks4", 25, "deny"],
    ["socks5", 25, "deny"],
    ["socks5", 8500, "allow"],
    ["socks4", 23, "allow"],
    ["http", 25, "allow"],
    ["udp", 25, "allow"],
  ];
  for (const [protocol, port, expected] of cases) {
    assertEquals(rules.decide({ ...REQUEST, protocol, port }).verdict, expected, `${protocol} ${port}`);
  }
  assertThrows(
    () => refuseDenied(rules.decide({ ...REQUEST, port: 25 })),
    Fault,
    `Denied by the rule "deny protocol=${
      TUNNEL_PROTOCOLS.join(",")
    } !port=443,8000-8999,22,23" (--connect-port)`,
  );
  assertEquals(new Rules([], { connectPorts: [443] }).decide(REQUEST).verdict, "allow");
  assertEquals(new Rules([], { connectPorts: [] }).decide({ ...REQUEST, port: 25 }).verdict, "allow");
  for (const port of [0, 70000, "https", "", "1 2"]) {
    assertThrows(() => new Rules([], { connectPorts: [port] }), UsageError, "Invalid rule");
  }
});

Deno.test("refuseDenied() throws a fault that names the rule, and lets everything else pass", () => {
  const denied = new Rules(parseRules("deny *.example.com\nallow a.com", "rules.txt"));
  const fault = assertThrows(
    () => refuseDenied(denied.decide({ ...REQUEST, host: "www.example.com" })),
    Fault,
    'Denied by the rule "deny *.example.com" (rules.txt:1)',
  );
  assertEquals([fault.code, fault.status, fault.socks5], ["http_request_denied", 403, 2]);
  assertThrows(() => refuseDenied(denied.decide(REQUEST)), Fault, "Denied: no rule allows it");
  refuseDenied(denied.decide({ ...REQUEST, host: "a.com" }));
  refuseDenied({ verdict: "unresolved" });
});

Deno.test("Rules.route() is the first route that matches what the client named", () => {
  const rules = new Rules(parseRules(
    [
      "deny *",
      "route .corp.example port=443 via http://a:1",
      "route 10.0.0.0/8 via http://b:1,direct",
      "route user=ann !192.0.2.0/24 via socks5://c:1",
    ].join("\n"),
    "f",
  ));
  const cases: [request: Partial<RuleRequest>, expected: string | undefined][] = [
    [{ host: "www.Corp.example." }, "http://a:1"],
    [{ host: "www.corp.example", port: 80 }, undefined],
    [{ host: "10.0.0.1" }, "http://b:1,direct"],
    [{ host: "::ffff:10.0.0.1" }, "http://b:1,direct"],
    [{ host: "a.test", address: "10.0.0.1" }, undefined],
    [{ host: "a.test", user: "ann" }, "socks5://c:1"],
    [{ host: "a.test", user: "ann", address: "192.0.2.1" }, "socks5://c:1"],
    [{ host: "192.0.2.1", user: "ann" }, undefined],
  ];
  for (const [request, expected] of cases) {
    assertEquals(rules.route({ ...REQUEST, ...request }), expected, JSON.stringify(request));
  }
  assertEquals(new Rules([]).route(REQUEST), undefined);
});

/** Words of rules, each with its meaning spelled out over a small world. */
const WORDS: [text: string, meaning: (request: RuleRequest) => boolean | undefined][] = [
  ["a.test", ({ host }) => host === "a.test"],
  [".a.test", ({ host }) => ["a.test", "www.a.test"].includes(host)],
  ["*.a.test,b.test:80,443", ({ host, port }) => host === "www.a.test" || (host === "b.test" && port !== 25)],
  ["10.0.0.0/8", inTen],
  ["!10.0.0.0/8", (request) => inTen(request) === undefined ? undefined : !inTen(request)],
  ["a.test,10.0.0.0/8:25", (request) => request.host === "a.test" || (request.port === 25 && inTen(request))],
  ["*", () => true],
  ["!port=25", ({ port }) => port !== 25],
  ["port=80-443", ({ port }) => port !== 25],
  ["protocol=http,udp", ({ protocol }) => protocol === "http"],
  ["user=*", ({ user }) => user !== undefined],
  ["!user=ann", ({ user }) => user !== "ann"],
  ["client=10.0.0.0/8", ({ client }) => client === "10.0.0.9"],
];

function inTen({ host, address = host }: RuleRequest): boolean | undefined {
  return /^[0-9.]+$/.test(address) ? address.startsWith("10.") : undefined;
}

/** The words of three rules at most, tried one after the other, as the documentation tells it. */
function expected(rules: readonly [verdict: "allow" | "deny", words: typeof WORDS][], request: RuleRequest) {
  for (const [i, [verdict, words]] of rules.entries()) {
    const answers = words.map(([, meaning]) => meaning(request));
    if (answers.includes(false)) continue;
    return `${answers.includes(undefined) ? "unresolved" : verdict} by f:${i + 1}`;
  }
  return rules.some(([verdict]) => verdict === "allow") ? "deny" : "allow";
}

Deno.test(`random rules decide as an evaluator does that knows no shortcuts (seed ${SEED})`, () => {
  const random = new Random();
  const seen = new Set<string>();
  for (let round = 0; round < 5_000; round++) {
    const rules = Array.from(
      { length: random.below(4) },
      (): [verdict: "allow" | "deny", words: typeof WORDS] => {
        // One word about targets, and some of the others, each of its own kind.
        const others = [random.pick(WORDS.slice(7, 9)), ...WORDS.slice(9)].filter(() =>
          random.below(3) === 0
        );
        return [random.pick(["allow", "deny"] as const), [random.pick(WORDS.slice(0, 7)), ...others]];
      },
    );
    const lines = rules.map(([verdict, words]) => `${verdict} ${words.map(([text]) => text).join(" ")}`);
    const request: RuleRequest = {
      host: random.pick(["a.test", "www.a.test", "b.test", "10.0.0.1", "192.0.2.1"]),
      port: random.pick([25, 80, 443]),
      protocol: random.pick(["http", "connect"]),
      user: random.pick([undefined, "ann", "bob"]),
      client: random.pick([undefined, "10.0.0.9", "192.0.2.9"]),
    };
    const address = /^[0-9]/.test(request.host) ? request.host : random.pick(["10.0.0.2", "192.0.2.2"]);
    const before = decide(lines, request);
    const after = decide(lines, { ...request, address });
    const message = `${lines.join("; ")} on ${JSON.stringify(request)}`;
    assertEquals(before, expected(rules, request), message);
    assertEquals(after, expected(rules, { ...request, address }), message);
    // What was decided without the address holds with it.
    if (!before.startsWith("unresolved")) assertEquals(after, before, message);
    seen.add(before.split(" ")[0]);
  }
  assertEquals([...seen].sort(), ["allow", "deny", "unresolved"] satisfies Decision["verdict"][]);
});

/** What rules decide if they are tried one after another. */
function decideOneByOne(rules: readonly ReadRule[], request: RuleRequest, lies?: boolean): string {
  const subject = new Subject(request, lies);
  for (const { kind, match, origin } of rules) {
    if (kind === "route") continue;
    const held = match.holds(subject);
    if (held === false) continue;
    const verdict = held ? kind : request.address === undefined ? "unresolved" : "deny";
    return `${verdict} by ${origin}`;
  }
  return rules.some(({ kind }) => kind === "allow") ? "deny" : "allow";
}

/** The route that they choose, likewise. */
function routeOneByOne(rules: readonly ReadRule[], request: RuleRequest): string | undefined {
  const [address] = spelledAddresses(request.host);
  const subject = new Subject({ ...request, address }, false);
  return rules.filter((rule) => rule.kind === "route").find(({ match }) => match.holds(subject))?.via;
}

const SOME_NAMES = [
  "a.test",
  "b.a.test",
  "c.b.a.test",
  "xa.test",
  "test",
  "d.test",
  "bücher.test",
  "ann",
  "10.a",
];
const SOME_ADDRESSES = [
  "10.0.0.1",
  "10.1.0.1",
  "192.0.2.1",
  "127.0.0.1",
  "2001:db8::1",
  "2001:db8:1::1",
  "::1",
];
const SOME_BLOCKS = [
  ...[
    "0.0.0.0/0",
    "10.0.0.0/8",
    "10.0.0.0/16",
    "10.1.0.0/16",
    "192.0.2.1",
    "127.0.0.0/8",
    "::ffff:10.0.0.0/104",
  ],
  ...["::/0", "2001:db8::/32", "2001:db8:1::/48", "[2001:db8::1]", "::1", "2001:db8::/33"],
];

function randomTarget(random: Random): string {
  const host = random.below(3) === 0
    ? random.pick(SOME_BLOCKS)
    : random.below(12) === 0
    ? "*"
    : random.pick(["", "", ".", "*."]) + random.pick(SOME_NAMES);
  const takesPorts = !host.includes("::") || host.includes("/");
  return takesPorts && random.below(5) === 0
    ? `${host}:${random.pick(["80", "443", "80,443", "1-442"])}`
    : host;
}

function randomList(random: Random, item: () => string): string {
  return Array.from({ length: random.below(8) === 0 ? 3 : 1 }, item).join(",");
}

function randomRule(random: Random): string {
  const block = () => random.pick(SOME_BLOCKS).replace(/[[\]]/g, "");
  const words = [
    () => randomList(random, () => randomTarget(random)),
    () => `port=${random.pick(["80", "443", "1-442"])}`,
    () => `protocol=${random.pick(["http", "connect", "udp"])}`,
    () => `user=${randomList(random, () => random.pick(["ann", "bob", "a.test", "*"]))}`,
    () => `client=${randomList(random, block)}`,
  ];
  const chosen = words.filter((_, i) => random.below(i === 0 ? 4 : 5) < (i === 0 ? 3 : 1));
  const texts = (chosen.length > 0 ? chosen : words.slice(0, 1)).map((word) =>
    random.below(6) === 0 ? `!${word()}` : word()
  );
  const kind = random.pick(["allow", "deny", "deny", "route"]);
  return `${kind} ${texts.join(" ")}${kind === "route" ? ` via http://proxy-${random.below(99)}:1` : ""}`;
}

Deno.test(`many random rules decide and route as if they were tried one after another (seed ${SEED})`, () => {
  const random = new Random();
  const seen = new Map<string, number>();
  for (let round = 0; round < 400; round++) {
    const lines = Array.from({ length: 1 + random.below(60) }, () => randomRule(random));
    const parsed = parseRules(lines.join("\n"), "f").map(needRead);
    const rules = new Rules(parsed);
    for (let asked = 0; asked < 25; asked++) {
      const host = random.pick([
        ...SOME_NAMES,
        ...SOME_ADDRESSES,
        "A.Test.",
        "xn--bcher-kva.test",
        "127.1",
        "e.d",
      ]);
      const request: RuleRequest = {
        host,
        port: random.pick([80, 443, 8080]),
        protocol: random.pick(["http", "connect", "udp"]),
        user: random.pick([undefined, "ann", "bob", "eve"]),
        client: random.pick([undefined, ...SOME_ADDRESSES, "::ffff:10.0.0.1", "fe80::1%eth0"]),
        ...random.below(2) === 0 &&
          { address: random.pick([...SOME_ADDRESSES, "::ffff:10.0.0.9", "nonsense"]) },
      };
      const lies = random.pick([undefined, false, true]);
      const message = `${lines.join("\n")}\non ${JSON.stringify(request)}, lies: ${lies}`;
      const { verdict, rule } = rules.decide(request, lies);
      const decided = rule ? `${verdict} by ${rule.origin}` : verdict;
      assertEquals(decided, decideOneByOne(parsed, request, lies), message);
      const route = rules.route(request);
      assertEquals(route, routeOneByOne(parsed, request), message);
      for (const one of [decided.replace(/\d+/, ""), route ? "routed" : "not routed"]) {
        seen.set(one, (seen.get(one) ?? 0) + 1);
      }
    }
  }
  // Each kind of answer came often enough to mean something.
  for (const one of ["allow by f:", "deny by f:", "unresolved by f:", "routed", "not routed"]) {
    assert(seen.get(one)! > 100, `${one}: ${seen.get(one)}`);
  }
});

Deno.test("a rule out of very many is found by looking at few", () => {
  let asked = 0;
  const word = (text: string) => {
    const rule = needRead(parseRules(text, "f")[0]);
    const holds = rule.match.holds.bind(rule.match);
    rule.match.holds = (subject) => (asked++, holds(subject));
    return rule;
  };
  const cases: [name: string, line: (i: number) => string, request: Partial<RuleRequest>][] = [
    ["names", (i) => `deny host-${i}.example`, { host: "host-777.example" }],
    ["endings", (i) => `deny .e${i}.example`, { host: "a.b.e777.example" }],
    ["addresses", (i) => `deny 10.${i >> 8}.${i & 255}.0/24`, { host: "10.3.9.1" }],
    ["addresses of a name", (i) => `deny 10.${i >> 8}.${i & 255}.0/24 port=25`, { host: "a.test" }],
    ["users", (i) => `deny user=u${i} !a.test`, { user: "u777" }],
    ["clients", (i) => `deny client=10.${i >> 8}.${i & 255}.7`, { client: "10.3.9.7" }],
    ["users of one host", (i) => `deny example.com user=u${i}`, { user: "u777" }],
    ["hosts of one user", (i) => `deny h${i}.example user=ann`, { user: "ann", host: "h777.example" }],
    ["addresses of many users", (i) => `deny 10.${i & 3}.0.0/16 user=u${i}`, { user: "u777" }],
  ];
  for (const [name, line, request] of cases) {
    const rules = new Rules(Array.from({ length: 2_000 }, (_, i) => word(line(i))));
    asked = 0;
    rules.decide({ ...REQUEST, ...request });
    assert(asked <= 4, `${name}: asked ${asked} of 2000`);
  }
});
