/**
 * `HOST:PORT` as people and programs write it.
 *
 * @module
 */

/** A host and a port as they were written, both unchecked. */
export interface HostPort {
  /** Without its brackets. A text with colons is an IPv6 address, or not a host. */
  readonly host: string;
  /** Whether brackets were around it. */
  readonly bracketed: boolean;
  /** The text after the colon; undefined if there is no colon. */
  readonly port: string | undefined;
}

/**
 * Splits `HOST`, `HOST:PORT`, `[IPV6]` or `[IPV6]:PORT`. Without brackets, the port comes after the last colon.
 * Undefined if a bracket is not closed, or if the text after it does not begin with a colon.
 */
export function splitHostPort(text: string): HostPort | undefined {
  const bracketed = text.startsWith("[");
  const end = bracketed ? text.indexOf("]") : text.lastIndexOf(":");
  if (!bracketed) {
    return end < 0
      ? { host: text, bracketed, port: undefined }
      : { host: text.slice(0, end), bracketed, port: text.slice(end + 1) };
  }
  const behind = text.slice(end + 1);
  if (end < 0 || behind !== "" && behind[0] !== ":") return undefined;
  return { host: text.slice(1, end), bracketed, port: behind === "" ? undefined : behind.slice(1) };
}

/** A port from 0 to 65535 in up to five digits; undefined for anything else. */
export function parsePort(text: string): number | undefined {
  const port = Number(text);
  return /^[0-9]{1,5}$/.test(text) && port <= 65535 ? port : undefined;
}
