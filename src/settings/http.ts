/**
 * What the proxy says of itself and of its clients in HTTP: what the core reads, and the rows of the options that say so.
 *
 * @module
 */

import { UsageError } from "../text/usage_error.ts";
import { oneOf, SWITCH, TEXT } from "./kinds.ts";
import { defaultsOf, LIBRARY_ONLY, type OptionsOf } from "./option.ts";

/** What becomes of Forwarded and X-Forwarded-For. */
export type ForwardedMode =
  /** They pass as the client sent them, and nothing is added. */
  | "keep"
  /** The client's address is added behind those that are there: for proxies whose clients are trusted proxies. */
  | "append"
  /** The client's address stands alone: whatever an untrusted client wrote is dropped. */
  | "replace"
  /** They are dropped, and nothing is added. */
  | "delete";

/** The modes, for people to choose from. */
export const FORWARDED_MODES: readonly ForwardedMode[] = ["keep", "append", "replace", "delete"];

/** What the proxy says of itself and of its clients. */
export interface HttpSettings {
  /** The token that names this deployment in Via and Proxy-Status; a random one by default, so that loops are found. */
  readonly name?: string | undefined;
  /** Whom a client may ask that was refused: an address or a sentence for the error pages. Nobody by default. */
  readonly contact?: string | undefined;
  /** What origins are told of clients, in Forwarded and X-Forwarded-For; `keep` by default: nothing by us. */
  readonly forwarded: ForwardedMode;
  /** Answers strangers like a web server that has nothing for them, so that nobody finds a proxy by probing. Off by default. */
  readonly disguised: boolean;
}

/** The rows, in the order of the help. */
export const HTTP_OPTIONS = {
  "name": {
    ...TEXT,
    group: "Listening",
    value: "NAME",
    help: "What the proxy calls itself in Via and Proxy-Status",
    unset: "a random name",
    setting: "name",
    reload: false,
    read: readName,
    takes: 'letters, digits, "-", "." and "_" that begin with a letter',
    accepts: isName,
  },
  "contact": {
    ...TEXT,
    group: "Access",
    help: "Whom those may ask who were refused: an address or a sentence for the error pages",
    unset: "none",
    setting: "contact",
    reload: true,
    read: readContact,
    takes: "one line of up to 200 characters",
    accepts: isLine,
  },
  "forwarded": {
    ...oneOf(FORWARDED_MODES),
    group: "Destinations",
    value: "MODE",
    help: "What becomes of Forwarded and X-Forwarded-For: keep what the client sent, append its address, " +
      "replace them by it, or delete them",
    default: "keep",
    setting: "forwarded",
    reload: true,
  },
  "disguised": {
    ...SWITCH,
    group: "Access",
    help: "Answer strangers like a web server that has nothing for them",
    default: false,
    commands: LIBRARY_ONLY,
    setting: "disguised",
    reload: false,
  },
} as const satisfies OptionsOf<keyof HttpSettings>;

/** What holds where nothing is given. */
export const DEFAULT_HTTP: HttpSettings = defaultsOf(HTTP_OPTIONS);

/** A pseudonym: what is a token (RFC 9110 section 5.6.2) in Via and in Proxy-Status (RFC 8941 section 3.3.4) alike. */
function isName(value: unknown): boolean {
  return typeof value === "string" && /^[A-Za-z][\w!#$%&'*+.^`|~-]*$/.test(value);
}

function readName(text: string): string {
  if (isName(text)) return text;
  throw new UsageError(
    `Invalid name "${text}": use letters, digits, "-", "." and "_", and begin with a letter`,
  );
}

/** Whom to ask: one line for error pages. */
function isLine(value: unknown): boolean {
  return typeof value === "string" && value.length <= 200 && !/\p{Cc}/u.test(value);
}

function readContact(text: string): string {
  if (isLine(text)) return text;
  throw new UsageError("Invalid contact: give one line of up to 200 characters");
}
