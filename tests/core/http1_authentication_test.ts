import { assertEquals } from "@std/assert";
import { bindingScheme, foreignScheme } from "../../src/protocols/http/authentication.ts";
import { Fields } from "../../src/protocols/http/fields.ts";

function fields(name: string, values: readonly string[]): Fields {
  const fields = new Fields();
  for (const value of values) fields.append(name, value);
  return fields;
}

const BINDING: [values: string[], scheme: string | undefined][] = [
  [["NTLM"], "NTLM"],
  [["ntlm TlRMTVNTUAAB"], "NTLM"],
  [["Basic realm=x", "Negotiate"], "Negotiate"],
  [['Basic realm="x", NEGOTIATE, NTLM'], "Negotiate"],
  [["Basic realm=ntlm"], undefined],
  [["NTLMv3", "Negotiated x"], undefined],
  [[], undefined],
];

for (const [values, scheme] of BINDING) {
  Deno.test(`bindingScheme: ${JSON.stringify(values)} is ${scheme}`, () => {
    assertEquals(bindingScheme(fields("WWW-Authenticate", values), "www-authenticate"), scheme);
  });
}

Deno.test("foreignScheme: a scheme that we do not speak is told where there is none that we do", () => {
  const of = (...values: string[]) => foreignScheme(fields("Proxy-Authenticate", values));
  assertEquals([of("NTLM"), of("Negotiate", "NTLM"), of("NTLM, Basic realm=x"), of("Bearer")], [
    "NTLM",
    "Negotiate",
    undefined,
    undefined,
  ]);
});
