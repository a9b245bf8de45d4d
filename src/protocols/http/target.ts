/**
 * Request targets and authorities (RFC 9112 section 3.2, RFC 3986 section 3).
 *
 * @module
 */

import { malformed } from "../../faults.ts";
import type { TcpAddress } from "../../runtime/contract.ts";
import type { BlockWriter } from "../../streams/byte_block.ts";
import { parseHost } from "../../addresses/host.ts";
import { splitHostPort } from "../../addresses/host_port.ts";
import { fromOctets, spells } from "./syntax.ts";

const [HASH, SLASH, QUESTION_MARK] = [0x23, 0x2F, 0x3F];

/** The default port of `http` (RFC 9110 section 4.2.1). */
const HTTP_PORT = 80;

/** Advice for programs that send `GET https://…`. The proxy would see what TLS is to hide from it. */
const HTTPS_ADVICE =
  "It asks for an https page as if for an http one. Set the program to open a tunnel for https: it sends " +
  "CONNECT with the host and port, such as CONNECT example.com:443, and speaks TLS inside.";

/** A request target, in one of its four forms. */
export type RequestTarget =
  | AbsoluteTarget
  | { readonly form: "authority"; readonly address: TcpAddress }
  | { readonly form: "asterisk" }
  | { readonly form: "origin"; readonly path: string };

/** A target with its authority. */
export class AbsoluteTarget {
  readonly form = "absolute";
  readonly #authority: Authority;
  readonly #octets: Uint8Array;
  readonly #start: number;
  readonly #end: number;
  /** What our path begins with, in front of what is in the octets. */
  readonly #prefix: "" | "/" | "*";

  /**
   * RFC 9112 sections 3.2.1 and 3.2.4: keeps path and query octet for octet. An empty path becomes `/`, or `*` for
   * OPTIONS.
   */
  constructor(authority: Authority, octets: Uint8Array, start: number, end: number, method: string) {
    this.#authority = authority;
    this.#octets = octets;
    this.#start = start;
    this.#end = end;
    if (start < end && octets[start] === SLASH) this.#prefix = "";
    else this.#prefix = start === end && method === "OPTIONS" ? "*" : "/";
  }

  get address(): TcpAddress {
    return this.#authority.address;
  }

  get authority(): string {
    return this.#authority.text;
  }

  get path(): string {
    return this.#prefix + fromOctets(this.#octets.subarray(this.#start, this.#end));
  }

  /** Writes the path: for an origin, or behind the authority for a proxy. `*` is not a path, and not part of a URI. */
  writePath(out: BlockWriter, { absolute }: { readonly absolute: boolean }): void {
    if (!absolute || this.#prefix !== "*") out.text(this.#prefix);
    out.copy(this.#octets, this.#start, this.#end);
  }
}

/**
 * Reads the target in these octets. The method decides which forms it may have (RFC 9112 sections 3.2.3 and 3.2.4). The
 * octets must not change.
 */
export function parseTarget(octets: Uint8Array, start: number, end: number, method: string): RequestTarget {
  if (method === "CONNECT") {
    const { address, hasPort } = authorityIn(octets, start, end);
    if (!hasPort) throw malformed("CONNECT needs a host and a port, such as example.com:443");
    return { form: "authority", address };
  }
  if (spells(octets, start, end, "*")) {
    if (method !== "OPTIONS") throw malformed('The target "*" is for OPTIONS alone');
    return { form: "asterisk" };
  }
  if (start < end && octets[start] === SLASH) {
    return { form: "origin", path: fromOctets(octets.subarray(start, end)) };
  }
  return absoluteForm(octets, start, end, method);
}

/** RFC 3986 section 3: `scheme://authority`, then a path and a query, and no fragment. */
function absoluteForm(octets: Uint8Array, start: number, end: number, method: string): AbsoluteTarget {
  let colon = start;
  while (colon < end && isSchemeByte(octets[colon], colon === start)) colon++;
  const begin = colon + "://".length;
  let isUri = colon > start && begin <= end && spells(octets, colon, begin, "://");
  let path = begin;
  while (path < end && octets[path] !== SLASH && octets[path] !== QUESTION_MARK && octets[path] !== HASH) {
    path++;
  }
  for (let i = path; i < end; i++) if (octets[i] === HASH) isUri = false;
  if (!isUri) throw malformed("The request target is no URI that a proxy can use");
  if (!spells(octets, start, colon, "http")) checkScheme(fromOctets(octets.subarray(start, colon)));
  return new AbsoluteTarget(authorityIn(octets, begin, path), octets, path, end, method);
}

/** RFC 3986 section 3.1: a letter, and then letters, digits, `+`, `-` and `.`. */
function isSchemeByte(octet: number, isFirst: boolean): boolean {
  const lower = octet | 0x20;
  if (lower >= 0x61 && lower <= 0x7A) return true;
  return !isFirst && (octet >= 0x30 && octet <= 0x39 || octet === 0x2B || octet === 0x2D || octet === 0x2E);
}

function checkScheme(given: string): void {
  const scheme = given.toLowerCase();
  if (scheme === "http") return;
  const advice = scheme === "https" ? HTTPS_ADVICE : undefined;
  throw malformed(`The scheme is not spoken here: "${given.slice(0, 20)}"; https goes through CONNECT`, {
    advice,
  });
}

/** An authority that has been understood. */
interface Authority {
  readonly text: string;
  readonly address: TcpAddress;
  /** Whether it names a port, and not only a host. */
  readonly hasPort: boolean;
}

/** What most clients ask for again and again is understood once. Each authority has one place among these. */
const AUTHORITIES: Authority[] = Array.from(
  { length: 256 },
  () => ({ text: "", address: { host: "", port: HTTP_PORT }, hasPort: false }),
);
const MAX_KEPT_AUTHORITY = 64;

/** The authority in these octets; see {@linkcode parseAuthority}. */
export function authorityIn(octets: Uint8Array, start: number, end: number): Authority {
  let hash = 0;
  for (let i = start; i < end; i++) hash = hash * 31 + octets[i] | 0;
  const place = hash & AUTHORITIES.length - 1;
  const kept = AUTHORITIES[place];
  if (start < end && spells(octets, start, end, kept.text)) return kept;
  const text = fromOctets(octets.subarray(start, end));
  const { host, port } = parseAuthority(text);
  const authority = { text, address: { host, port: port ?? HTTP_PORT }, hasPort: port !== undefined };
  if (text.length <= MAX_KEPT_AUTHORITY) AUTHORITIES[place] = authority;
  return authority;
}

/**
 * Reads `host [ ":" port ]`. User information is an error (RFC 9110 section 4.2.4), because it hides where a request
 * goes. The port is undefined if there is none, or an empty one.
 */
export function parseAuthority(authority: string): { host: string; port: number | undefined } {
  const { host: given = "", bracketed, port } = splitHostPort(authority) ?? {};
  const isPort = port === undefined || /^[0-9]*$/.test(port);
  if (isPort && bracketed && !given.includes(":")) throw malformed("The address in brackets is not IPv6");
  // Without brackets, the colons of an IPv6 address look like the one before the port.
  const host = isPort && (bracketed || !given.includes(":")) ? parseHost(given) : undefined;
  if (host === undefined) throw malformed("The target's host is not valid");
  if (port === undefined || port === "") return { host, port: undefined };
  const number = Number(port);
  if (number < 1 || number > 65535) throw malformed("The target's port is not between 1 and 65535");
  return { host, port: number };
}
