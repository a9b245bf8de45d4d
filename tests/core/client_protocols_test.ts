import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { formatHelp } from "../../src/cli/help/command_help.ts";
import { formatTopic } from "../../src/cli/help/topic_help.ts";
import { parseEndpoint } from "../../src/listeners/endpoint.ts";
import { RULE_PROTOCOLS } from "../../src/policy/rule_request.ts";
import { Rules } from "../../src/policy/rules.ts";
import { PROTOCOLS, ruleWord } from "../../src/protocols/client_protocols.ts";
import { CLIENT_PROTOCOLS } from "../../src/protocols/table.ts";

Deno.test("every client protocol has a name, a handshake and words of its own", () => {
  const words = CLIENT_PROTOCOLS.flatMap(({ ruleWords }) => Object.values(ruleWords));
  assertEquals(new Set(words).size, words.length);
  assertEquals(Object.keys(PROTOCOLS), CLIENT_PROTOCOLS.map(({ name }) => name));
  assertEquals(RULE_PROTOCOLS.toSorted(), words.toSorted());
});

Deno.test("no tunnel of any client protocol escapes --connect-port", () => {
  const rules = new Rules([], { connectPorts: [443] });
  for (const { name } of CLIENT_PROTOCOLS) {
    const request = {
      host: "a.test",
      protocol: ruleWord("tunnel", name),
      user: undefined,
      client: undefined,
    };
    assertEquals(rules.decide({ ...request, port: 22 }).verdict, "deny", name);
    assertEquals(rules.decide({ ...request, port: 443 }).verdict, "allow", name);
  }
});

Deno.test("every client protocol is a scheme of listeners, and is told apart where its row says so", () => {
  for (const { name, detected, begins } of CLIENT_PROTOCOLS) {
    assertEquals(parseEndpoint(`${name}://127.0.0.1:1`).scheme, name);
    const firsts = Array.from({ length: 256 }, (_, first) => first).filter(begins);
    const rivals = CLIENT_PROTOCOLS.filter((row) => row.detected && row.name !== name);
    assert(firsts.length > 0, name);
    assertEquals(firsts.some((first) => rivals.some((rival) => rival.begins(first))), !detected, name);
  }
});

Deno.test("people are told every word that rules have for protocols", async () => {
  assertStringIncludes(await formatTopic("rules"), `  protocol=${RULE_PROTOCOLS.join(",")}\n`);
  const help = formatHelp("explain").replace(/\s+/g, " ");
  for (const word of RULE_PROTOCOLS) assert(new RegExp(`speaks: [^(]*\\b${word}\\b`).test(help), word);
});
