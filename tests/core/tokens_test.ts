import { assertEquals, assertThrows } from "@std/assert";
import { parseTokens, Tokens } from "../../src/policy/tokens.ts";
import { UsageError } from "../../src/text/usage_error.ts";

const ONE = "one-".padEnd(43, "x");
const TWO = "two.".padEnd(512, "~");

Deno.test("Tokens lets each of them in, and nothing that is almost one", () => {
  const tokens = new Tokens([ONE, TWO]);
  assertEquals([ONE, TWO].map((token) => tokens.verify(token)), [true, true]);
  const others = ["", ONE.slice(1), ONE.slice(0, -1), `${ONE}x`, ` ${ONE}`, ONE.toUpperCase(), ONE + TWO];
  assertEquals(others.filter((token) => tokens.verify(token)), []);
});

Deno.test("Tokens takes one that is given twice for one", () => {
  assertEquals(new Tokens([ONE, ONE]).verify(ONE), true);
});

Deno.test("Tokens refuses what is too short, too long or no token, and quotes none of it", () => {
  const bad = [ONE.slice(1), `${TWO}x`, `${ONE.slice(1)}!`, `${ONE.slice(1)} `, `=${ONE}`, "", `${ONE}\n`];
  for (const token of bad) {
    const { message } = assertThrows(() => new Tokens([ONE, token]), UsageError, "Invalid token");
    assertEquals(token !== "" && message.includes(token.slice(0, 8)), false, message);
  }
  assertThrows(() => new Tokens([]), UsageError, "There is no token");
});

Deno.test("parseTokens() reads one a line, and passes comments and blank lines over", () => {
  for (const ending of ["\n", "\r\n"]) {
    const text = ["# since May", "", `${ONE} # ann`, `\t${TWO} `, "#"].join(ending);
    assertEquals(parseTokens(text), [ONE, TWO]);
  }
  assertEquals(parseTokens(""), []);
  assertEquals(parseTokens(`${ONE}\n${TWO}`), [ONE, TWO]);
});
