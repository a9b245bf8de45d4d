/**
 * The flags that single commands take, and those that all of them take.
 *
 * @module
 */

import { formatDuration } from "../../text/duration.ts";
import { DEFAULT_TIMEOUTS } from "../../settings.ts";
import type { Flag } from "./flag.ts";
import { KEY_FILES } from "./key_files.ts";
import {
  readAddress,
  readAuthority,
  readField,
  readFile,
  readMethod,
  readPin,
  readRuleProtocol,
  readSwitch,
  readTimeout,
} from "./values.ts";

/** Name → flag, in the order of the help. */
export const COMMAND_FLAGS = {
  "remote": {
    group: "Pair",
    value: "HOST:PORT",
    help: "Where the remote half listens",
    commands: ["local"],
    read: readAuthority,
  },
  "pin": {
    group: "Pair",
    value: "PIN",
    help: 'The remote half\'s key, as "sluice keygen" has printed it: nobody else is trusted',
    commands: ["local"],
    read: readPin,
  },
  "token-file": {
    group: "Pair",
    value: "FILE",
    help: "The token that both halves know; the remote half takes several, one a line",
    fallback: KEY_FILES.token,
    commands: ["remote", "local"],
    read: readFile,
  },
  "cert": {
    group: "Pair",
    value: "FILE",
    help: "The certificate, in PEM; of the local half where the remote one asks for it",
    commands: ["remote", "local"],
    read: readFile,
  },
  "key": {
    group: "Pair",
    value: "FILE",
    help: "Its private key, in PEM",
    commands: ["remote", "local"],
    read: readFile,
  },
  "client-ca": {
    group: "Pair",
    value: "FILE",
    help:
      "Local halves must have a certificate that was signed by one of these (no certificate is asked for)",
    commands: ["remote"],
    read: readFile,
  },
  "out": {
    group: "Pair",
    value: "FOLDER",
    help: "Where the files are made",
    fallback: ".",
    commands: ["keygen"],
    environment: false,
    read: readFile,
  },
  "method": {
    group: "Request",
    value: "METHOD",
    help: "What to ask with, such as HEAD; there is never a body",
    fallback: "GET",
    commands: ["check"],
    environment: false,
    read: readMethod,
  },
  "header": {
    group: "Request",
    value: "NAME:VALUE",
    help: "A header field, in place of one of our own. May be repeated",
    repeatable: true,
    commands: ["check"],
    environment: false,
    read: readField,
  },
  "output": {
    group: "Request",
    short: "o",
    value: "FILE",
    help: 'Where the body goes; "-" is standard output, and the steps go to standard error then (nowhere)',
    commands: ["check"],
    environment: false,
    read: readFile,
  },
  "ca": {
    group: "Request",
    value: "FILE",
    help: "The authorities in PEM that the target's certificate is judged by, in place of the usual ones",
    commands: ["check"],
    environment: false,
    read: readFile,
  },
  "timeout": {
    group: "Request",
    value: "TIME",
    help: "Without anything happening, in each step",
    fallback: formatDuration(DEFAULT_TIMEOUTS.connect),
    commands: ["check"],
    environment: false,
    read: readTimeout,
  },
  "as": {
    group: "Question",
    value: "USER",
    help: "The user who asks (nobody)",
    commands: ["explain"],
    environment: false,
    read: (text) => text,
  },
  "from": {
    group: "Question",
    value: "ADDRESS",
    help: "The client's IP address",
    fallback: "127.0.0.1",
    commands: ["explain"],
    environment: false,
    read: readAddress,
  },
  "protocol": {
    group: "Question",
    value: "PROTOCOL",
    help: "What the client speaks: http, connect, socks4, socks5 or udp (http for a URL, connect otherwise)",
    commands: ["explain"],
    environment: false,
    read: readRuleProtocol,
  },
  "help": {
    group: "About",
    short: "h",
    help: "Show this help",
    fallback: "false",
    environment: false,
    read: readSwitch,
  },
  "version": {
    group: "About",
    short: "V",
    help: "Show the version",
    fallback: "false",
    environment: false,
    read: readSwitch,
  },
} as const satisfies Record<string, Flag>;
