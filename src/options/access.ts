/**
 * The options that say who may use the proxy.
 *
 * @module
 */

import { needIpBlock } from "../addresses/ip_block.ts";
import { parseUser, type UserEntry } from "../policy/users.ts";
import { parseEntry } from "../policy/users_file.ts";
import { FILE, isTextOrObject, SWITCH, TEXT } from "../settings/kinds.ts";
import { MASK, type OptionsFor } from "../settings/option.ts";

/** Who may use a proxy, apart from the callback `authenticate` and bearer tokens. */
export interface AccessOptions {
  /**
   * Who may use the proxy, in place of `authenticate`. Each is `NAME:PASSWORD` in clear text, or an entry of a users file
   * from `parseUsersFile`. With an empty list nobody may.
   */
  readonly users?: readonly (string | UserEntry)[];
  /**
   * At a reload, keeps the connections of users who were removed or have another password, and what the rules no longer
   * allow. Off by default.
   */
  readonly keepTunnels?: boolean;
  /** Blocks of IP addresses whose clients are served; all by default. Clients on Unix sockets are always served. */
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
    entry: (name, password) => `${name}:${password}`,
    masked: (text) => text.replace(/:.*/s, isHashed(text) ? ":$scrypt$..." : `:${MASK}`),
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
    help:
      "At a reload, leave what is under way: for users who were removed or have another password, and what the " +
      "rules no longer allow",
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
    reload: true,
    read: readBlock,
  },
} as const satisfies OptionsFor<keyof AccessOptions>;

/** Reads a name with a hash, or checks a name and a password in clear text, which it returns unchanged. */
function readUser(text: string): string | UserEntry {
  if (isHashed(text)) return parseEntry(text);
  parseUser(text);
  return text;
}

function isHashed(text: string): boolean {
  return /^[^:]*:\$scrypt\$/.test(text);
}

/** Checks a block of addresses, and returns the text unchanged. */
function readBlock(text: string): string {
  needIpBlock(text);
  return text;
}
