/**
 * The library: a page of `sluice help`.
 *
 * @module
 */

import type { Option } from "../../../settings/option.ts";
import { FLAGS } from "../../flags/flags.ts";
import type { Page, Terms } from "./page.ts";

/** The library's names of the options that have flags. */
const SETTINGS: Terms = Object.entries<Option>(FLAGS).flatMap(([name, { setting }]) =>
  setting === undefined ? [] : [[setting, `--${name}`] as const]
);

/** The page. */
export const page: Page = {
  parts: [
    {
      lines: `import { createProxy } from "sluice";

const proxy = await createProxy({
  listen: "127.0.0.1:0",
  authenticate: ({ user, password }) => user === "ann" && password === "xyz",
  rules: ["deny *:25", "deny 10.0.0.0/8"],
  onRecord: (record) => console.log(record.target, record.status),
});
console.log(proxy.addresses);
await proxy.close();`,
    },
    'The option route is a function that chooses for each request. It may name upstreams, refuse ({ deny: "why" }), or take the target\'s ' +
    "place ({ handle: (stream) => ... }): a server that exists only in your test. What it leaves open goes as rules, " +
    "noProxy and proxy say.",
    {
      lines: `const proxy = await createProxy({
  listen: "127.0.0.1:0",
  route: ({ target }) =>
    target.host.endsWith(".onion") ? "socks5h://127.0.0.1:9050" : undefined,
});
await proxy.close();`,
    },
    "proxy.handle(stream) serves a client on any pair of WHATWG byte streams: a socket is not needed. Time limits are " +
    "in milliseconds, sizes in bytes. The documentation of ProxyOptions has every option with its default.",
    { heading: "Options and flags" },
    { terms: SETTINGS },
  ],
};
