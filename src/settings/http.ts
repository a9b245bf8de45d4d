/**
 * What the proxy tells others in HTTP about itself and its clients: the settings that the core reads, and their options.
 *
 * @module
 */

import { UsageError } from "../text/usage_error.ts";
import { oneOf, SWITCH, TEXT } from "./kinds.ts";
import { defaultsOf, LIBRARY_ONLY, type OptionsOf } from "./option.ts";

/** What the proxy does with the fields Forwarded and X-Forwarded-For of a request. */
export type ForwardedMode =
  /** Passes them on as the client sent them, and adds nothing. */
  | "keep"
  /** Adds the client's address at their end. For proxies whose clients are trusted proxies. */
  | "append"
  /** Puts the client's address in their place, so that an untrusted client cannot write anything there. */
  | "replace"
  /** Drops them, and adds nothing. */
  | "delete";

/** All modes, in the order in which the help names them. */
export const FORWARDED_MODES: readonly ForwardedMode[] = ["keep", "append", "replace", "delete"];

/** What the proxy tells others in HTTP about itself and its clients. */
export interface HttpSettings {
  /** The name of this deployment in Via and Proxy-Status, with which it finds loops. A random one by default. */
  readonly name?: string | undefined;
  /** Whom refused clients may ask: an address or a sentence for the error pages. Nobody by default. */
  readonly contact?: string | undefined;
  /** What the proxy does with Forwarded and X-Forwarded-For; `keep` by default. */
  readonly forwarded: ForwardedMode;
  /**
   * Reads the `traceparent` of clients (W3C Trace Context): records have it, and a CONNECT to the next proxy, too. Off by
   * default. Requests other than CONNECT carry theirs to the target in any case.
   */
  readonly traceContext: boolean;
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
  "trace-context": {
    ...SWITCH,
    group: "Logs",
    help: "Read traceparent (W3C Trace Context): the access log has it, and a CONNECT to the next proxy, too",
    default: false,
    setting: "traceContext",
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

/** The defaults. */
export const DEFAULT_HTTP: HttpSettings = defaultsOf(HTTP_OPTIONS);

/** A pseudonym must be a token both in Via (RFC 9110 section 5.6.2) and in Proxy-Status (RFC 8941 section 3.3.4). */
function isName(value: unknown): boolean {
  return typeof value === "string" && /^[A-Za-z][\w!#$%&'*+.^`|~-]*$/.test(value);
}

function readName(text: string): string {
  if (isName(text)) return text;
  throw new UsageError(
    `Invalid name "${text}": use letters, digits, "-", "." and "_", and begin with a letter`,
  );
}

/** Whether a contact fits on one line of an error page. */
function isLine(value: unknown): boolean {
  return typeof value === "string" && value.length <= 200 && !/\p{Cc}/u.test(value);
}

function readContact(text: string): string {
  if (isLine(text)) return text;
  throw new UsageError("Invalid contact: give one line of up to 200 characters");
}
