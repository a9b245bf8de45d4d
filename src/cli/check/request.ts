/**
 * A request as a client makes it: from a URL to the bytes of a head.
 *
 * @module
 */

import { Fault } from "../../faults.ts";
import { formatAuthority } from "../../addresses/host.ts";
import { Fields } from "../../protocols/http/fields.ts";
import { toOctets } from "../../protocols/http/syntax.ts";
import { parseAuthority } from "../../protocols/http/target.ts";
import type { TcpAddress } from "../../runtime/contract.ts";
import { UsageError } from "../../text/usage_error.ts";
import { VERSION } from "../../version.ts";

/** What a URL says. */
export interface HttpUrl {
  /** Whether it is one of https. */
  readonly secure: boolean;
  /** What is to be reached. */
  readonly address: TcpAddress;
  /** The value of Host: without the port where that is the scheme's own (RFC 9110 section 4.2.3). */
  readonly authority: string;
  /** Path and query, octet for octet. */
  readonly path: string;
}

/** What is asked for. */
export interface ClientRequest {
  readonly url: HttpUrl;
  readonly method: string;
  /** The fields of the caller; they take the place of our own of the same name. */
  readonly fields: Fields;
}

const PORTS: Readonly<Record<string, number>> = { http: 80, https: 443 };

/**
 * Reads a URL of http or https; a fragment is dropped.
 *
 * @throws {UsageError} If it is none, or if it names a user: that belongs into a header.
 */
export function parseHttpUrl(text: string): HttpUrl {
  const [, scheme = "", authority, rest] = /^([a-z]+):\/\/([^/?#]*)([^#]*)/i.exec(text) ?? [];
  const usual = PORTS[scheme.toLowerCase()];
  if (usual === undefined) {
    throw new UsageError(`Invalid URL "${redact(text)}": give one such as "https://example.com/"`);
  }
  if (authority.includes("@")) {
    throw new UsageError(`Invalid URL "${redact(text)}": give a user by --header "Authorization: ..."`);
  }
  // RFC 3986 section 2: a URI is of printable US-ASCII.
  if (/[^\x21-\x7E]/.test(rest)) {
    throw new UsageError(`Invalid URL "${text}": percent-encode what is no printable ASCII`);
  }
  try {
    const { host, port = usual } = parseAuthority(authority);
    return {
      secure: usual === PORTS.https,
      address: { host, port },
      authority: port === usual
        ? formatAuthority({ host, port }).replace(/:\d+$/, "")
        : formatAuthority({ host, port }),
      path: rest.startsWith("/") ? rest : `/${rest}`,
    };
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    throw new UsageError(`Invalid URL "${text}": ${error.message}`, { cause: error });
  }
}

/** A URL without what may be a password in it. */
function redact(text: string): string {
  return text.replace(/[^/]*@/, "...@");
}

/** What the request line names: for a proxy the whole URL (RFC 9112 section 3.2.2), otherwise path and query. */
export function requestTarget({ authority, path }: HttpUrl, forProxy: boolean): string {
  return forProxy ? `http://${authority}${path}` : path;
}

/** The head. `proxy` is given where an HTTP proxy gets it, with its credentials. There is no body. */
export function requestHead(
  { url, method, fields }: ClientRequest,
  proxy?: { readonly authorization: string | undefined },
): Uint8Array {
  const own = new Fields([
    { name: "Host", value: url.authority },
    { name: "User-Agent", value: `sluice/${VERSION}` },
    { name: "Accept", value: "*/*" },
    // RFC 9110 section 8.6: where the method means there to be content, its lack is said.
    ...["POST", "PUT", "PATCH"].includes(method) ? [{ name: "Content-Length", value: "0" }] : [],
    { name: "Connection", value: "close" },
  ]).filter((key) => !fields.has(key));
  if (proxy?.authorization !== undefined) own.append("Proxy-Authorization", proxy.authorization);
  return toOctets(`${method} ${requestTarget(url, proxy !== undefined)} HTTP/1.1\r\n${own}${fields}\r\n`);
}
