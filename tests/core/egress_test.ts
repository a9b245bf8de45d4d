import { assertEquals, assertMatch, assertNotEquals, assertThrows } from "@std/assert";
import { Fault } from "../../src/faults.ts";
import { Egress } from "../../src/policy/egress.ts";
import { parseRule } from "../../src/policy/rule.ts";
import { Rules } from "../../src/policy/rules.ts";
import { UsageError } from "../../src/text/usage_error.ts";

const MACHINE = {
  ownAddresses: (name?: string) => name === "eth1" ? ["fe80::1", "192.0.2.9", "2001:db8::9"] : [],
};
const ANN = { id: "a-1", user: "ann" };

function from(text: string, host: string, whose: { id: string; user?: string } = ANN): string {
  return Egress.parse(text).addressFor(host, { user: undefined, ...whose }, MACHINE);
}

Deno.test("egress: the first place that has the family of the target", () => {
  assertEquals(from("192.0.2.7,2001:db8::7", "198.51.100.1"), "192.0.2.7");
  assertEquals(from("192.0.2.7,2001:db8::7", "2001:db8:f::1"), "2001:db8::7");
  assertEquals(from("eth1", "198.51.100.1"), "192.0.2.9");
  assertEquals(from("eth1", "2001:db8:f::1"), "2001:db8::9");
  assertThrows(() => from("192.0.2.7", "2001:db8:f::1"), Fault, "no IPv6 address");
  assertThrows(() => from("eth0", "198.51.100.1"), Fault, "bind eth0");
});

Deno.test("egress: an address of a block stays the same for its scope, and within the block", () => {
  const target = "2001:db8:f::1";
  const block = "2001:db8:1::/64";
  assertMatch(from(block, target), /^2001:db8:1::?[0-9a-f:]+$/);
  assertEquals(from(block, target), from(`${block} per connection`, target));
  assertNotEquals(from(block, target), from(block, target, { id: "a-2" }));
  assertNotEquals(from(`${block} per request`, target), from(`${block} per request`, target));
  assertEquals(
    from(`${block} per user`, target),
    from(`${block} per user`, target, { id: "a-2", user: "ann" }),
  );
  assertNotEquals(
    from(`${block} per user`, target),
    from(`${block} per user`, target, { id: "a-1", user: "bob" }),
  );
  const seen = new Set<string>();
  for (let i = 0; i < 500; i++) seen.add(from("192.0.2.16/29 per request", "198.51.100.1"));
  assertEquals([...seen].toSorted(), [16, 17, 18, 19, 20, 21, 22, 23].map((last) => `192.0.2.${last}`));
});

Deno.test("egress: what is wrong is told with what is meant", () => {
  for (
    const [text, message] of [
      ["", "where from is missing"],
      ["192.0.2.300", "is no address"],
      ["192.0.2.7/24", 'write "192.0.2.0/24"'],
      ["192.0.2.7 for user", 'write "per user"'],
      ["192.0.2.7 per usr", 'did you mean "per user"?'],
      ["192.0.2.7 per", "use one of connection, request, user"],
    ]
  ) assertThrows(() => Egress.parse(text), UsageError, message);
});

Deno.test("egress: the first bind that matches decides, and one without a match is about everything", () => {
  const rules = new Rules([
    parseRule("bind", "user=ann to 192.0.2.1", "--bind"),
    parseRule("bind", " 192.0.2.2 per request", "--bind"),
  ]);
  const request = { host: "example.com", port: 443, protocol: "connect", client: undefined } as const;
  const texts = ["ann", "bob"].map((user) => rules.bind({ ...request, user })?.text);
  assertEquals(texts, ["bind user=ann to 192.0.2.1", "bind * to 192.0.2.2 per request"]);
  assertEquals(rules.decide({ ...request, user: "bob" }).verdict, "allow");
  assertEquals(new Rules([]).bind({ ...request, user: "ann" }), undefined);
});
