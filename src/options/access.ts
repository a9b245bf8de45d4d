/**
 * The options that say who may use the proxy.
 *
 * @module
 */

import { needIpBlock } from "../addresses/ip_block.ts";
import { parseUser, type UserEntry } from "../policy/users.ts";
import { FILE, isTextOrObject, SWITCH, TEXT } from "../settings/kinds.ts";
import type { OptionsFor } from "../settings/option.ts";

/** Who may use a proxy, as far as that can be written down. */
export interface AccessOptions {
  /**
   * Who may use the proxy, in place of `authenticate`: `NAME:PASSWORD` in clear text each, and what `parseUsersFile` makes of a
   * users file. With an empty list nobody may.
   */
  readonly users?: readonly (string | UserEntry)[];
  /** Leaves what is under way at a reload for users who were removed or have another password. Off by default. */
  readonly keepTunnels?: boolean;
  /** Blocks of IP addresses whose clients are served; all by default. Clients on Unix sockets always are. */
  readonly allowClients?: readonly string[];
}

/** The rows, in the order of the help. */
export const ACCESS_OPTIONS = {
  "user": {
    ...TEXT,
    group: "Access",
    short: "u",
    synonyms: ["auth", "password", "proxy-user"],
    value: "NAME:PASSWORD",
    help:
      "Who may use the proxy: HTTP Basic and SOCKS5 clients must say so, SOCKS4 cannot. May be repeated. Other " +
      "programs of this machine can see flags: SLUICE_USER is the safer place",
    unset: "none",
    repeatable: true,
    setting: "users",
    reload: true,
    read: readUser,
    takes: 'a text such as "NAME:PASSWORD", or an entry of a users file',
    accepts: isTextOrObject,
  },
  "users-file": {
    ...FILE,
    group: "Access",
    help: 'Users in a file, one NAME:HASH to a line; "sluice passwd NAME" makes one. Read again at SIGHUP',
    unset: "none",
    reload: true,
  },
  "keep-tunnels": {
    ...SWITCH,
    group: "Access",
    help: "At a reload, leave what is under way for users who were removed or have another password",
    default: false,
    setting: "keepTunnels",
    reload: true,
  },
  "allow-client": {
    ...TEXT,
    group: "Access",
    value: "CIDR",
    help: "Clients that may use the proxy, such as 10.0.0.0/8; others are refused. May be repeated",
    unset: "none",
    repeatable: true,
    setting: "allowClients",
    reload: false,
    read: readBlock,
  },
} as const satisfies OptionsFor<keyof AccessOptions>;

/** A name and a password, which are checked and left as they are. */
function readUser(text: string): string {
  parseUser(text);
  return text;
}

/** A block of addresses, which is checked and left as it is. */
function readBlock(text: string): string {
  needIpBlock(text);
  return text;
}
