/**
 * Users: a page of `sluice help`.
 *
 * @module
 */

import type { Page } from "./page.ts";

/** The page. */
export const page: Page = {
  parts: [
    "Users hold on every protocol alike. HTTP clients say who they are by Basic, SOCKS5 clients by name and password. " +
    "SOCKS4 has no password: it is refused where there are users.",
    {
      lines: `sluice passwd ann >> users
sluice -l 0.0.0.0:3128 --users-file users --contact it@example.com`,
    },
    '"sluice passwd" asks for the password and prints a line with its scrypt hash. SIGHUP reads the file anew. A user ' +
    "who was removed, or has another password, loses what is under way; --keep-tunnels leaves it.",
    'A file that "htpasswd -B" has made (bcrypt, $2y$ or $2b$, cost up to 12) can be used as it is. The package bcryptjs ' +
    "verifies it, on the thread that serves: at a cost of 10 a wrong password holds other traffic up for 0.1 s, while " +
    "scrypt runs beside it. Other hashes (MD5, SHA-1, crypt) are refused: they are too easily guessed.",
    "--user ann:secret is for trying out: other programs of this machine can see arguments. The variable " +
    "SLUICE_USER=ann:secret is the safer place. Deno reads it with -E alone.",
    "--allow-client 10.0.0.0/8 serves clients of these addresses and refuses all others, with users or without.",
    { heading: "Wrong passwords" },
    "One address (IPv4, or an IPv6 /64) may give --max-attempts wrong passwords a minute. Beyond that each attempt waits " +
    "its turn; names that were not wrong lately go first. A client that waits too long is told 503, and the log says " +
    "authentication_unavailable. Clients that were let in before do not wait for others behind the same address. One name may be wrong ten times as " +
    "often, from all addresses together; then it waits, too, but not where it was let in before.",
  ],
  groups: ["Access"],
};
