import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { parseEndpoint } from "../../src/listeners/endpoint.ts";
import { destinationsFor, type Exposure, exposureOf } from "../../src/proxy/exposure.ts";
import type { ProxyOptions } from "../../src/proxy/options.ts";
import { UsageError } from "../../src/text/usage_error.ts";

/** How others come to a listener, and what the refusal to listen there says. */
const LISTENERS: readonly (readonly [text: string, exposure: Exposure | undefined, says?: string])[] = [
  ["127.0.0.1:1", undefined],
  ["[::1]:1", undefined],
  ["localhost:1", undefined],
  ["unix:/run/s", undefined],
  ["unix:/run/s?mode=0600", undefined],
  ["unix:/run/s?mode=0755", undefined],
  ["0.0.0.0:1", "address", "other machines can reach 0.0.0.0:1"],
  ["[::]:1", "address", "other machines can reach [::]:1"],
  ["10.0.0.1:1?proxy-protocol=10.0.0.2", "address", "other machines can reach 10.0.0.1:1"],
  ["[::1]:1?proxy-protocol=::1", "balancer", "proxy-protocol=::1 at [::1]:1 passes on clients"],
  ["127.0.0.1:1?proxy-protocol=127.0.0.1,::1", "balancer", "proxy-protocol=127.0.0.1,::1 at 127.0.0.1:1"],
  ["unix:/run/s?mode=0660", "mode", "mode 0660 lets others than its owner connect to unix:/run/s"],
  ["unix:/run/s?mode=0602", "mode", "mode 0602"],
  ["unix:/run/s?mode=777", "mode", "mode 0777"],
];

function destinations(text: string, options: Partial<ProxyOptions> = {}): "allow" | "deny" | "refused" {
  try {
    return destinationsFor(["127.0.0.1:9", text].map(parseEndpoint), options);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    return "refused";
  }
}

Deno.test("exposureOf(): the bound address, who is trusted to pass others on, and the mode of a Unix socket", () => {
  assertEquals(
    LISTENERS.map(([text]) => [text, exposureOf(parseEndpoint(text))]),
    LISTENERS.map(([text, exposure]) => [text, exposure]),
  );
});

Deno.test("destinationsFor(): an exposed listener is refused without users, and guarded with them", () => {
  for (const [text, exposure] of LISTENERS) {
    const [refused, guarded] = exposure ? ["refused", "deny"] : ["allow", "allow"];
    assertEquals(destinations(text), refused, text);
    assertEquals(destinations(text, { authenticate: () => true }), guarded, text);
    assertEquals(destinations(text, { tokens: ["x"] }), guarded, text);
    assertEquals(destinations(text, { allowOpen: true }), guarded, text);
    for (const privateDestinations of ["allow", "deny"] as const) {
      assertEquals(destinations(text, { allowOpen: true, privateDestinations }), privateDestinations, text);
    }
  }
});

Deno.test("destinationsFor(): blocks of clients hold for those that have addresses", () => {
  for (const [text, exposure] of LISTENERS) {
    const expected = exposure === undefined ? "allow" : exposure === "mode" ? "refused" : "deny";
    assertEquals(destinations(text, { allowClients: ["10.0.0.0/8"] }), expected, text);
  }
});

Deno.test("destinationsFor(): who says where the clients of a balancer may go knows of them", () => {
  for (const [text, exposure] of LISTENERS) {
    const known = exposure === undefined || exposure === "balancer";
    for (const privateDestinations of ["allow", "deny"] as const) {
      assertEquals(
        destinations(text, { privateDestinations }),
        known ? privateDestinations : "refused",
        text,
      );
    }
  }
});

Deno.test("destinationsFor() says what the exposure is, and the ways out", () => {
  for (const [text, , says] of LISTENERS) {
    if (says === undefined) continue;
    const { message } = assertThrows(() => destinationsFor([parseEndpoint(text)], {}), UsageError);
    for (const part of [says, "Refusing to listen on", "--user", "--allow-open"]) {
      assertStringIncludes(message, part);
    }
  }
});
