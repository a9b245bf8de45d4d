/**
 * Rules: a page of `sluice help`.
 *
 * @module
 */

import { ruleWords } from "../../../protocols/client_protocols.ts";
import type { Page } from "./page.ts";

/** The page. */
export const page: Page = {
  parts: [
    "A rule begins with allow, deny, route or limit. The first that matches of allow and deny decides. Where none matches, a request is " +
    "allowed, unless there is any allow rule.",
    'Limits are in "sluice help limits". Rules come from --allow, --deny, --route, --limit and --rule, in their order, ' +
    "then from --rules-file: one rule to a line; what follows # is a comment. SIGHUP reads the file anew. A request costs no more with a million rules about names, " +
    "addresses or users than with ten; in memory, such a rule takes about 200 bytes in each worker.",
    { heading: "Words of a rule" },
    'All words of a rule must hold. Commas mean "or". A ! before a word means "not".',
    {
      terms: [
        ["example.com", "That name"],
        ["*.example.com", "What is under it"],
        [".example.com", "Both"],
        ["*", "Everything"],
        [
          "192.0.2.1, 10.0.0.0/8, [fc00::]/7",
          "Addresses: those that clients give, and those that names resolve to",
        ],
        ["example.com:443, *:80,8000-8999", "These ports of the target before the colon"],
        ["port=80,443", "Ports of any target"],
        [
          `protocol=${ruleWords("exchange", "tunnel", "association").join(",")}`,
          "How the client asks: http is plain requests, connect is HTTP CONNECT, udp is datagrams of SOCKS5",
        ],
        ["user=ann,bob", "These users; user=* is everybody who has logged in"],
        ["client=10.0.0.0/8", "Clients at these addresses"],
      ],
    },
    {
      lines: `# No mail. The office is for Ann alone. The last rule gives no verdict.
deny  *:25,465,587
deny  10.0.0.0/8,192.168.0.0/16,[fc00::]/7 !user=ann
allow .example.com,example.org:80,443
allow user=* port=443
route .corp.example via socks5://10.0.0.1:1080`,
    },
    "Names are compared without case and without a last dot. A rule about a name does not stop a client that knows the " +
    "address: deny the addresses as well.",
    '"sluice explain" tells which rule decides, without connecting. The access log names the rule that refused a ' +
    "request. The client's page says whom to ask (--contact), and by which reference to find the request in the log.",
    { lines: `sluice explain --rules-file rules.txt --as ann example.com:443` },
    { heading: "Private addresses" },
    'While a listener is exposed (see "sluice help listeners"), clients cannot reach private, loopback, link-local and ' +
    "other addresses that the public internet does not have, nor the metadata services of clouds. It does not matter " +
    "how they are spelled, nor whether a name resolves to them. --allow-private and --deny-private say otherwise. The " +
    "proxy's own listeners are refused always.",
    "Where an upstream resolves names, the rules and this guard judge the host that the client names, and each address " +
    "that some resolver reads in it (127.1, 0x7f.1, localhost). What any other name leads to, the upstream has to judge.",
  ],
  groups: ["Destinations"],
};
