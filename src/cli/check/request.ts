/**
 * Makes the bytes of a request's head from a URL, as a client does.
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

/** The parts of a URL of http or https. */
export interface HttpUrl {
  /** Whether the scheme is https. */
  readonly secure: boolean;
  /** The target. */
  readonly address: TcpAddress;
  /** The value of Host, without a port that is the scheme's default (RFC 9110 section 4.2.3). */
  readonly authority: string;
  /** Path and query, octet for octet. */
  readonly path: string;
}

/** A request without a body. */
export interface ClientRequest {
  readonly url: HttpUrl;
  readonly method: string;
  /** The user's fields. They replace the program's own fields of the same name. */
  readonly fields: Fields;
}

const PORTS: Readonly<Record<string, number>> = { http: 80, https: 443 };

/**
 * Reads a URL of http or https, and drops its fragment.
 *
 * @throws {UsageError} If the URL is invalid, or has a user name: credentials belong into a header field.
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
  // RFC 3986 section 2: a URI consists of printable US-ASCII.
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

/** The URL without its user name and password. */
function redact(text: string): string {
  return text.replace(/[^/]*@/, "...@");
}

/** The request target: for a proxy the whole URL (RFC 9112 section 3.2.2), otherwise path and query. */
export function requestTarget({ authority, path }: HttpUrl, forProxy: boolean): string {
  return forProxy ? `http://${authority}${path}` : path;
}

/** The bytes of the head. Give `proxy`, with its credentials, if the request goes to an HTTP proxy. */
export function requestHead(
  { url, method, fields }: ClientRequest,
  proxy?: { readonly authorization: string | undefined },
): Uint8Array {
  const own = new Fields([
    { name: "Host", value: url.authority },
    { name: "User-Agent", value: `sluice/${VERSION}` },
    { name: "Accept", value: "*/*" },
    // RFC 9110 section 8.6: if the method usually has content, a request without content says so.
    ...["POST", "PUT", "PATCH"].includes(method) ? [{ name: "Content-Length", value: "0" }] : [],
    { name: "Connection", value: "close" },
  ]).filter((key) => !fields.has(key));
  if (proxy?.authorization !== undefined) own.append("Proxy-Authorization", proxy.authorization);
  return toOctets(`${method} ${requestTarget(url, proxy !== undefined)} HTTP/1.1\r\n${own}${fields}\r\n`);
}
