/**
 * Request targets and authorities (RFC 9112 section 3.2, RFC 3986 section 3).
 *
 * @module
 */

import { malformed } from "../../faults.ts";
import type { TcpAddress } from "../../runtime/contract.ts";
import { parseHost } from "../../addresses/host.ts";
import { splitHostPort } from "../../addresses/host_port.ts";

/** The default port of `http` (RFC 9110 section 4.2.1). */
const HTTP_PORT = 80;

/** Advice for programs that send `GET https://…`. The proxy would see what TLS is to hide from it. */
const HTTPS_ADVICE =
  "It asks for an https page as if for an http one. Set the program to open a tunnel for https: it sends " +
  "CONNECT with the host and port, such as CONNECT example.com:443, and speaks TLS inside.";

/** A request target, in one of its four forms. */
export type RequestTarget =
  | {
    readonly form: "absolute";
    readonly address: TcpAddress;
    readonly authority: string;
    readonly path: string;
  }
  | { readonly form: "authority"; readonly address: TcpAddress }
  | { readonly form: "asterisk" }
  | { readonly form: "origin"; readonly path: string };

/** Reads a target. The method decides which forms it may have (sections 3.2.3 and 3.2.4). */
export function parseTarget(target: string, method: string): RequestTarget {
  if (method === "CONNECT") {
    const address = parseAuthority(target);
    if (address.port === undefined) {
      throw malformed("CONNECT needs a host and a port, such as example.com:443");
    }
    return { form: "authority", address: { host: address.host, port: address.port } };
  }
  if (target === "*") {
    if (method !== "OPTIONS") throw malformed('The target "*" is for OPTIONS alone');
    return { form: "asterisk" };
  }
  if (target.startsWith("/")) return { form: "origin", path: target };
  return absoluteForm(target, method);
}

function absoluteForm(target: string, method: string): RequestTarget {
  // The last part takes all that is left: if the expression could fail behind it, it would take n² steps.
  const [, scheme, authority, rest] = /^([A-Za-z][A-Za-z0-9+.-]*):\/\/([^/?#]*)(.*)$/.exec(target) ?? [];
  if (scheme === undefined || rest.includes("#")) {
    throw malformed("The request target is no URI that a proxy can use");
  }
  if (scheme.toLowerCase() !== "http") {
    const advice = scheme.toLowerCase() === "https" ? HTTPS_ADVICE : undefined;
    throw malformed(`The scheme is not spoken here: "${scheme.slice(0, 20)}"; https goes through CONNECT`, {
      advice,
    });
  }
  const { host, port = HTTP_PORT } = parseAuthority(authority);
  return { form: "absolute", address: { host, port }, authority, path: originForm(rest, method) };
}

/**
 * RFC 9112 sections 3.2.1 and 3.2.4: keeps path and query octet for octet. An empty path becomes `/`, or `*` for
 * OPTIONS.
 */
function originForm(rest: string, method: string): string {
  if (rest.startsWith("/")) return rest;
  return rest === "" && method === "OPTIONS" ? "*" : `/${rest}`;
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
