/**
 * The address that the proxy dials from: a page of `sluice help`.
 *
 * @module
 */

import type { Page } from "./page.ts";

/** The page. */
export const page: Page = {
  parts: [
    "A machine may have several addresses. A bind rule says which of them targets and upstreams see. It begins with bind, " +
    "and stands among the other rules, or behind --bind. The first bind that matches decides; without one the system chooses.",
    {
      lines: `sluice --bind 192.0.2.7
sluice --bind 192.0.2.7,2001:db8::7
sluice --bind 'user=ann to eth1' --bind '* to 2001:db8:1::/64 per user'`,
    },
    {
      terms: [
        ["bind ADDRESS", "For everything"],
        ["bind MATCH to ADDRESS", 'For what matches, in the words of "sluice help rules"'],
        ["192.0.2.7", "An address of this machine"],
        ["2001:db8::/64", "An address of this block, by chance"],
        ["eth1", "The address of an interface; on Deno with -S networkInterfaces"],
        ["A,B", "The first that has the family of the target: give one of IPv4 and one of IPv6"],
        [
          "per connection",
          "The same address of a block as long as the client's connection lasts: the default",
        ],
        ["per request", "Another one for each dial"],
        ["per user", "The same one for a user, also after a restart; without users, as per connection"],
      ],
    },
    "If there is no address of the target's family, it is not dialed at all: another address would give away what the rule " +
    'hides. The access log shows the address that was chosen (from), and "sluice explain" the rule.',
    "To dial from a whole block, Linux has to take it for its own, and the network has to lead it here:",
    { lines: `ip -6 route add local 2001:db8:1::/64 dev lo` },
  ],
  groups: [],
};
