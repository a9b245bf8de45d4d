import { assertEquals, assertThrows } from "@std/assert";
import { Fault } from "../../src/faults.ts";
import { askRules, judge, type JudgementServices } from "../../src/policy/judgement.ts";
import { OwnAddresses } from "../../src/policy/own_addresses.ts";
import type { RuleRequest } from "../../src/policy/rule_request.ts";
import { Rules } from "../../src/policy/rules.ts";
import { parseRules } from "../../src/policy/rules_file.ts";
import { VirtualClock } from "../support/virtual_clock.ts";

/** Rules that count how often they are asked. */
class CountedRules extends Rules {
  asked = 0;

  override decide(request: RuleRequest, lies?: boolean): ReturnType<Rules["decide"]> {
    this.asked++;
    return super.decide(request, lies);
  }
}

const NOTHING_OF_ITS_OWN = {
  ownAddresses: () => [],
  openDatagrams: () => Promise.reject(new Error("There are no datagrams here")),
};

function services(rules: () => Rules): JudgementServices {
  return {
    rules,
    settings: { privateDestinations: "allow" },
    ownAddresses: new OwnAddresses({ runtime: NOTHING_OF_ITS_OWN, clock: new VirtualClock() }),
    listening: () => [],
  };
}

function question(host: string): RuleRequest {
  return { host, port: 443, protocol: "connect", user: undefined, client: "192.0.2.9" };
}

const RULES = "allow *.good.test\ndeny 198.51.100.0/24\nallow 0.0.0.0/0,::/0\n";

Deno.test("rules that allow a name whatever its address are not asked about the address", () => {
  const rules = new CountedRules(parseRules(RULES, "rules"));
  const judging = services(() => rules);
  const left = askRules(judging, question("www.good.test"));
  judge(judging, left, { address: { host: "198.51.100.7", port: 443 } });
  assertEquals(rules.asked, 1);
});

Deno.test("rules that look at addresses are asked about each of them", () => {
  const rules = new CountedRules(parseRules(RULES, "rules"));
  const judging = services(() => rules);
  const left = askRules(judging, question("www.other.test"));
  judge(judging, left, { address: { host: "192.0.2.7", port: 443 } });
  assertThrows(() => judge(judging, left, { address: { host: "198.51.100.7", port: 443 } }), Fault, "Denied");
  assertEquals(rules.asked, 3);
});

Deno.test("a host that is an address is asked about again, since it may carry another one", () => {
  const rules = new Rules(parseRules("deny 198.51.100.0/24\n", "rules"));
  const judging = services(() => rules);
  const host = "64:ff9b::198.51.100.7";
  const left = askRules(judging, question(host));
  assertThrows(() => judge(judging, left, { address: { host, port: 443 } }), Fault, "Denied");
});

Deno.test("an answer holds for the rules that gave it, and not for those that a reload brings", () => {
  let rules = new Rules(parseRules("allow *.good.test\n", "rules"));
  const judging = services(() => rules);
  const left = askRules(judging, question("www.good.test"));
  rules = new Rules(parseRules("deny *.good.test\n", "rules"));
  assertThrows(
    () => judge(judging, left, { address: { host: "192.0.2.7", port: 443 } }),
    Fault,
    'Denied by the rule "deny *.good.test"',
  );
});
