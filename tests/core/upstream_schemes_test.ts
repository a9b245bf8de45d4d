import { assertEquals, assertThrows } from "@std/assert";
import { routeKey } from "../../src/dialing/route_key.ts";
import { parseChain } from "../../src/dialing/upstream.ts";
import { isTarget, UPSTREAM_PROTOCOLS } from "../../src/dialing/upstream_schemes.ts";
import { UsageError } from "../../src/text/usage_error.ts";
import { settingsWith } from "../support/settings.ts";

const PROXIES = UPSTREAM_PROTOCOLS.filter(({ connect }) => connect);

const HOP = {
  target: { host: "192.0.2.7", port: 443 },
  authorization: undefined,
  via: undefined,
  settings: settingsWith({ limits: { headerSize: 1024 } }),
  pinned: false,
};

Deno.test("every upstream scheme has a name of its own, and is read by it", () => {
  assertEquals(new Set(UPSTREAM_PROTOCOLS.map(({ name }) => name)).size, UPSTREAM_PROTOCOLS.length);
  for (const { name, port } of PROXIES) {
    assertEquals(parseChain(`${name}://a:7`)[0].scheme, name);
    if (port === undefined) assertThrows(() => parseChain(`${name}://a`), UsageError, "give a port");
    else assertEquals(parseChain(`${name}://a`)[0].address, { host: "a", port });
  }
});

Deno.test("an upstream takes the user, the token and the TLS parameters that its row says, and no other", () => {
  for (const { name, users, token, tls } of PROXIES) {
    takes(`${name}://ann@localhost:7`, users !== undefined);
    takes(`${name}://ann:pw@localhost:7`, users !== undefined && users.noPassword === undefined);
    takes(`${name}://a%3Ab@localhost:7`, users !== undefined && users.noColon === undefined);
    takes(`${name}://${"x".repeat(256)}@localhost:7`, users !== undefined && users.limit === undefined);
    takes(`${name}://localhost:7?token=t`, token);
    takes(`${name}://proxy.example:7?token=t`, token && tls);
    takes(`${name}://localhost:7?ca=c`, tls);
    assertEquals(parseChain(`${name}://localhost:7`)[0].tls !== undefined, tls, name);
  }
});

function takes(text: string, expected: boolean): void {
  if (expected) parseChain(text);
  else assertThrows(() => parseChain(text), UsageError, undefined, text);
}

Deno.test("every scheme of a proxy has a connector that names the target, and one of a target has none", () => {
  for (const { name, connect } of UPSTREAM_PROTOCOLS) {
    assertEquals(isTarget({ scheme: name }), connect === undefined, name);
    if (connect) assertEquals(connect(HOP).start().length > 0, true, name);
  }
});

Deno.test("connections to an upstream that takes requests are shared whatever the target, and no others", () => {
  for (const { name, takesRequests } of PROXIES) {
    const chain = parseChain(`${name}://a:7`);
    const keys = ["b", "c"].map((host) => routeKey(chain, { host, port: 80 }));
    assertEquals(keys[0] === keys[1], takesRequests, name);
  }
});
