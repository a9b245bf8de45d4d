/**
 * The config file: a page of `sluice help`.
 *
 * @module
 */

import { SECTIONS } from "../../config/config_file.ts";
import type { Page } from "./page.ts";

/** The example of the page. */
export const EXAMPLE = `# /etc/sluice/sluice.toml
listen = ["0.0.0.0:3128", "unix:/run/sluice/proxy.sock"]
admin = "127.0.0.1:9100"
users-file = "users"
connect-port = [443, 8443]
rules = [
  "deny  *.ads.example",
  "deny  .bank.example !user=ann,bob",
  "route .corp.example via office",
]
proxy = ["first", "second"]
access-log = "/var/log/sluice/access.log"

[upstreams]
first = "http://10.0.0.1:3128"
second = "http://10.0.0.2:3128"
office = "socks5h://10.9.0.1:1080"

[timeouts]
idle = "10m"`;

/** The page. */
export const page: Page = {
  parts: [
    "-c FILE, or SLUICE_CONFIG, names a file with options. A flag goes before its variable, and a variable before the " +
    "file. What the file names by a relative path is relative to the file.",
    { lines: EXAMPLE },
    { lines: `sluice -c /etc/sluice/sluice.toml` },
    { heading: "Keys and values" },
    'The file is TOML, or JSON with comments where its name ends in ".json" or ".jsonc". Each long flag is a key: ' +
    "idle-timeout for --idle-timeout. So is the library's name of the option, with hyphens: users for user, rules for " +
    `rule, idle under [timeouts] for idle-timeout. Tables of options are ${[...SECTIONS].join(" and ")}.`,
    {
      terms: [
        ["Times, sizes", 'A text as for the flag, "5m" or "64k", or a number of seconds or bytes'],
        ["Lists", "What a flag may be repeated for is a list, or one value"],
        [
          "rules",
          "One list in its order: the first that matches decides. Its lines are those of a rules file",
        ],
        ["[users]", 'ann = "secret", or the hash that "sluice passwd" prints behind the name'],
        ["[upstreams]", "Names for upstreams. proxy and route take them in place of the upstreams"],
        [
          "[[listen]]",
          "A listener as a table: address, scheme, cert, key, client-ca, min-tls, proxy-protocol, mode",
        ],
      ],
    },
    "A file with passwords or tokens in clear text has to be closed to others: chmod 600.",
    { heading: "Check and show" },
    {
      lines: `sluice config check /etc/sluice/sluice.toml
sluice config show -c /etc/sluice/sluice.toml
sluice config schema > sluice.schema.json`,
    },
    '"check" tells all faults at once, each with file, line and column, and exits with 1 if there are any. "show" tells ' +
    "what is in force and where each value comes from: a flag, a variable, a line of the file, or the default; secrets " +
    'are masked. The schema is for editors: "$schema" in JSON, or a first line "#:schema ./sluice.schema.json" in TOML.',
  ],
  groups: ["Configuration"],
};
