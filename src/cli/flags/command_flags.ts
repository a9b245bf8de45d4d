/**
 * The flags that are no options of a proxy: some belong to one or two commands, the others to all.
 *
 * @module
 */

import { parseIp } from "../../addresses/host.ts";
import { RULE_PROTOCOLS } from "../../policy/rule_request.ts";
import type { FieldLine } from "../../protocols/http/fields.ts";
import { isToken } from "../../protocols/http/syntax.ts";
import { parseAuthority } from "../../protocols/http/target.ts";
import { FILE, oneOf, SWITCH, TEXT, TIME } from "../../settings/kinds.ts";
import { KNOWS_RULES, type Option } from "../../settings/option.ts";
import { DEFAULT_TIMEOUTS } from "../../settings/timeouts.ts";
import { UsageError } from "../../text/usage_error.ts";
import { anyOf } from "../../text/word_list.ts";
import { KEY_FILES } from "./key_files.ts";

/** Name → flag, in the order of the help. */
export const COMMAND_FLAGS = {
  "config": {
    ...FILE,
    group: "Configuration",
    short: "c",
    synonyms: ["conf", "config-file", "f"],
    help: 'Options in a file, TOML or JSON. Flags and variables go before it. See "sluice help config"',
    unset: "none",
    commands: KNOWS_RULES,
    reload: true,
  },
  "remote": {
    ...TEXT,
    group: "Pair",
    value: "HOST:PORT",
    help: "Where the remote half listens",
    unset: "none",
    commands: ["local"],
    reload: false,
    read: readAuthority,
  },
  "pin": {
    ...TEXT,
    group: "Pair",
    value: "PIN",
    help: 'The remote half\'s key, as "sluice keygen" has printed it: nobody else is trusted',
    unset: "none",
    commands: ["local"],
    reload: false,
    read: readPin,
  },
  "token-file": {
    ...FILE,
    group: "Pair",
    help: "The token that both halves know; the remote half takes several, one a line",
    default: KEY_FILES.token,
    commands: ["remote", "local"],
    reload: true,
  },
  "cert": {
    ...FILE,
    group: "Pair",
    help: "The certificate, in PEM; of the local half where the remote one asks for it",
    unset: "none",
    commands: ["remote", "local"],
    reload: true,
  },
  "key": {
    ...FILE,
    group: "Pair",
    help: "Its private key, in PEM",
    unset: "none",
    commands: ["remote", "local"],
    reload: true,
  },
  "client-ca": {
    ...FILE,
    group: "Pair",
    help: "Local halves must have a certificate that was signed by one of these",
    unset: "no certificate is asked for",
    commands: ["remote"],
    reload: true,
  },
  "out": {
    ...FILE,
    group: "Pair",
    value: "FOLDER",
    help: "Where the files are made",
    default: ".",
    commands: ["keygen"],
    environment: false,
  },
  "method": {
    ...TEXT,
    group: "Request",
    value: "METHOD",
    help: "What to ask with, such as HEAD; there is never a body",
    default: "GET",
    commands: ["check"],
    environment: false,
    read: readMethod,
  },
  "header": {
    ...TEXT,
    group: "Request",
    value: "NAME:VALUE",
    help: "A header field, in place of one of our own. May be repeated",
    unset: "none",
    repeatable: true,
    commands: ["check"],
    environment: false,
    read: readField,
  },
  "output": {
    ...FILE,
    group: "Request",
    short: "o",
    help: 'Where the body goes; "-" is standard output, and the steps go to standard error then',
    unset: "nowhere",
    commands: ["check"],
    environment: false,
  },
  "ca": {
    ...FILE,
    group: "Request",
    help: "The authorities in PEM that the target's certificate is judged by, in place of the usual ones",
    unset: "none",
    commands: ["check"],
    environment: false,
  },
  "timeout": {
    ...TIME,
    group: "Request",
    help: "Without anything happening, in each step",
    default: DEFAULT_TIMEOUTS.connect,
    commands: ["check"],
    environment: false,
  },
  "as": {
    ...TEXT,
    group: "Question",
    value: "USER",
    help: "The user who asks",
    unset: "nobody",
    commands: ["explain"],
    environment: false,
  },
  "from": {
    ...TEXT,
    group: "Question",
    value: "ADDRESS",
    help: "The client's IP address",
    default: "127.0.0.1",
    commands: ["explain"],
    environment: false,
    read: readAddress,
  },
  "protocol": {
    ...oneOf(RULE_PROTOCOLS),
    group: "Question",
    value: "PROTOCOL",
    help: `What the client speaks: ${anyOf(RULE_PROTOCOLS)}`,
    unset: "http for a URL, connect otherwise",
    commands: ["explain"],
    environment: false,
  },
  "help": {
    ...SWITCH,
    group: "About",
    short: "h",
    help: "Show this help",
    default: false,
    environment: false,
  },
  "version": {
    ...SWITCH,
    group: "About",
    short: "V",
    help: "Show the version",
    default: false,
    environment: false,
  },
} as const satisfies Record<string, Option>;

/** An IP address. */
function readAddress(text: string): string {
  if (parseIp(text)) return text;
  throw new UsageError(`Invalid address "${text}": give an IP address such as "192.0.2.1"`);
}

/** A host and a port. */
function readAuthority(text: string): string {
  try {
    if (parseAuthority(text).port !== undefined) return text;
  } catch {
    // The error below says it in words for the command line.
  }
  throw new UsageError(`Invalid address "${text}": give a host and a port, such as "proxy.example.com:8443"`);
}

/** A pinned key (RFC 7469 section 2.4). */
function readPin(text: string): string {
  if (/^sha256\/[A-Za-z0-9+/]{43}=$/.test(text)) return text;
  throw new UsageError(`Invalid pin "${text}": give the one that "sluice keygen" has printed, "sha256/..."`);
}

/** A request method. Not CONNECT, which is for proxies and not for targets. */
function readMethod(text: string): string {
  if (isToken(text) && text !== "CONNECT") return text;
  throw new UsageError(`Invalid method "${text}": give one such as "GET" or "HEAD"`);
}

/** Fields that the program writes itself: the framing of the message, and the credentials for a proxy. */
const FIXED_FIELDS = ["content-length", "transfer-encoding", "proxy-authorization"];

/** A header field. Messages do not quote its value, which may be a secret. */
function readField(text: string): FieldLine {
  const [, name = "", value] = /^([^:]*):[ \t]*([\t\x20-\x7E]*)$/.exec(text) ?? [];
  if (!isToken(name)) {
    throw new UsageError('Invalid header field: give NAME:VALUE, such as "Accept: text/html"');
  }
  if (!FIXED_FIELDS.includes(name.toLowerCase())) return { name, value: value.trimEnd() };
  throw new UsageError(`The field "${name}" is written by the program: a user for a proxy goes into -x`);
}
