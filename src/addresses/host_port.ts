/**
 * `HOST:PORT` as people and programs write it.
 *
 * @module
 */

/** A host and a port as they were written; neither is judged. */
export interface HostPort {
  /** Without its brackets. It has colons where it is an IPv6 address, or nothing that could be a host. */
  readonly host: string;
  /** Whether brackets were around it. */
  readonly bracketed: boolean;
  /** What stands behind the colon; undefined where there is none. */
  readonly port: string | undefined;
}

/**
 * Takes `HOST`, `HOST:PORT`, `[IPV6]` or `[IPV6]:PORT` apart. Without brackets the last colon is the one before the port.
 * Undefined where something else than a port is behind brackets.
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
