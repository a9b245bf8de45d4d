/**
 * Coming from another proxy: a page of `sluice help`.
 *
 * @module
 */

import type { Page } from "./page.ts";

/** The office of the page in Squid's words. */
export const SQUID = `http_port 3128
auth_param basic program /usr/lib/squid/basic_ncsa_auth /etc/squid/users
acl staff proxy_auth REQUIRED
acl bosses proxy_auth ann bob
acl office src 10.1.0.0/16
acl banks dstdomain .bank.example
acl blocked dstdomain "/etc/squid/blocked"
acl tls port 443 8443
acl CONNECT method CONNECT
http_access deny !office
http_access deny CONNECT !tls
http_access deny blocked
http_access deny banks !bosses
http_access allow staff
http_access deny all
cache_peer 10.0.0.1 parent 3128 0 no-query default
cache_peer 10.0.0.2 parent 3128 0 no-query
never_direct allow all
access_log stdio:/var/log/squid/access.log`;

/** The same office in a config file of sluice. */
export const OFFICE = `# /etc/sluice/sluice.toml
listen = "0.0.0.0:3128"
users-file = "users"
allow-client = "10.1.0.0/16"
connect-port = [443, 8443]
rules-file = "blocked"
rules = [
  "deny  .bank.example !user=ann,bob",
  "limit user=* to 50GB/month per user",
]
proxy = ["http://10.0.0.1:3128", "http://10.0.0.2:3128"]
access-log = "/var/log/sluice/access.log"
log-format = "squid"`;

/** The page. */
export const page: Page = {
  parts: [
    "A small company: its staff logs in, two of them may use the bank, some sites are blocked, tunnels go to the ports of " +
    "TLS alone, and everything leaves through the first of two parents that works. In squid.conf:",
    { lines: SQUID },
    "The same, and a quota for each user, in a config file of sluice:",
    { lines: OFFICE },
    'Everybody who is a user may go where no rule denies it, so "allow staff" needs no line. The users of Squid\'s file are ' +
    'entered anew by "sluice passwd", or stay where they are bcrypt. The block list gets a word in front of each line, and ' +
    "all is tried before it runs:",
    {
      lines: `sed 's/^/deny /' /etc/squid/blocked > /etc/sluice/blocked
sluice config check /etc/sluice/sluice.toml
sluice explain -c /etc/sluice/sluice.toml --as eve www.bank.example:443`,
    },
    { heading: "From Squid" },
    {
      terms: [
        ["http_port", "listen"],
        ["auth_param basic", "users-file, or [users]"],
        [
          "acl, http_access",
          "rules: the words of one rule must all hold, and the first rule that matches decides",
        ],
        ["acl src, for all", "allow-client"],
        ["acl CONNECT, port", "connect-port"],
        ["cache_peer, never_direct", "proxy; several in a list are tried in their order"],
        ["cache_peer_access", "route in rules, and names in [upstreams]"],
        ["delay_pools", "limit in rules, such as limit * to 10MB/s per user"],
        ["squid -k parse", "sluice config check"],
        ["squid -k reconfigure", "SIGHUP, or POST /reload"],
        ["squid -k rotate", "SIGUSR1"],
      ],
    },
    { heading: "From tinyproxy" },
    "tinyproxy.conf has no rules by user, no hashes and no second parent. As far as it goes:",
    {
      lines: `Port 3128
Allow 10.1.0.0/16
BasicAuth ann secret
ConnectPort 443
ConnectPort 8443
Filter "/etc/tinyproxy/blocked"
FilterType fnmatch
Upstream http 10.0.0.1:3128
LogFile "/var/log/tinyproxy/access.log"`,
    },
    "Port and Listen are listen, Allow is allow-client, BasicAuth is an entry of [users], ConnectPort is connect-port, " +
    "Filter is rules-file, Upstream is proxy, and no upstream is no-proxy.",
    { heading: "From gost" },
    "gost.yml has parts that name each other. The office without its rules by user:",
    {
      lines: `services:
- name: office
  addr: ":3128"
  admission: office
  bypass: blocked
  handler: { type: http, auther: staff, chain: parents }
  listener: { type: tcp }
authers:
- name: staff
  auths: [{ username: ann, password: secret }]
admissions:
- name: office
  whitelist: true
  matchers: [10.1.0.0/16]
bypasses:
- name: blocked
  file: { path: /etc/gost/blocked }
chains:
- name: parents
  hops:
  - name: parent
    selector: { strategy: fifo, maxFails: 1, failTimeout: 30s }
    nodes:
    - { name: a, addr: "10.0.0.1:3128", connector: { type: http } }
    - { name: b, addr: "10.0.0.2:3128", connector: { type: http } }`,
    },
    "services are listen, authers are users, admissions are allow-client, bypasses are deny in rules, chains are proxy: " +
    "hops have commas between them, and nodes are a list.",
  ],
};
