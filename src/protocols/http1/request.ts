/**
 * What a request head asks of a proxy, after its syntax was checked (RFC 9112 section 3, RFC 9110 section 7).
 *
 * @module
 */

import type { HttpRequest, RequestHead } from "../http/message.ts";
import { type Fault, malformed } from "../../faults.ts";
import { requestFraming } from "./framing.ts";
import { isToken, listElements } from "../http/syntax.ts";
import { parseAuthority, parseTarget } from "../http/target.ts";

/** Judges a head. Throws a `Fault` with the status that RFC 9110 gives to the error. */
export function understand(head: RequestHead): HttpRequest {
  const { method, version, fields } = head;
  const target = parseTarget(head.target, method);
  checkHost(head, target.form === "absolute" ? target.authority : undefined);
  // RFC 9110 section 9.3.8: TRACE could read a victim's credentials back. Squid and others refuse it, too.
  if (method === "TRACE") throw malformed("TRACE is not served", { status: 405 });
  const framing = requestFraming(head);
  if (target.form === "origin" && !(["GET", "HEAD"].includes(method) && framing.kind === "none")) {
    throw noProxyRequest();
  }
  if (
    method === "CONNECT" && framing.kind !== "none" && !(framing.kind === "length" && framing.length === 0)
  ) {
    throw malformed("CONNECT has no body");
  }
  // RFC 9110 section 10.1.1: the value is a list, which may be empty or repeat an element.
  if (version === "1.1" && fields.tokens("expect").some((expectation) => expectation !== "100-continue")) {
    throw malformed("The expectation is not known", { status: 417 });
  }
  const connection = fields.tokens("connection");
  return {
    head,
    target,
    framing,
    // RFC 9112 section 9.3: no persistent connection through a proxy with an HTTP/1.0 client.
    persistent: version === "1.1" && !connection.includes("close"),
    upgrade: version === "1.1" && connection.includes("upgrade") ? upgradeField(head) : undefined,
    maxForwards: method === "OPTIONS" ? maxForwardsField(head) : undefined,
  };
}

/** The fault of a client that takes the proxy for a server (RFC 9112 section 3.2.1). */
export function noProxyRequest(): Fault {
  return malformed("This is a proxy, and the request names no host: set it as a proxy, not as a server");
}

/**
 * RFC 9112 section 3.2: exactly one valid Host in HTTP/1.1, at most one in HTTP/1.0. `valid` is a value that was
 * already checked.
 */
function checkHost({ version, fields }: RequestHead, valid: string | undefined): void {
  const hosts = fields.all("host");
  if (hosts.length > 1) throw malformed("Host is given more than once");
  if (hosts.length === 0 && version === "1.1") throw malformed("Host is missing");
  if (hosts.length === 1 && hosts[0] !== "" && hosts[0] !== valid) parseAuthority(hosts[0]);
}

/** h2c would smuggle requests past the rules. RFC 9113 section 3.1 has withdrawn it. */
function upgradeField({ fields }: RequestHead): string | undefined {
  const wanted = fields.all("upgrade").flatMap(listElements).filter((item) => item.split("/").every(isToken));
  return wanted.filter((item) => !/^(h2c?|HTTP\/)/i.test(item)).join(", ") || undefined;
}

function maxForwardsField({ fields }: RequestHead): number | undefined {
  const value = fields.get("max-forwards");
  if (value === undefined) return undefined;
  if (!/^[0-9]{1,9}$/.test(value)) throw malformed("Max-Forwards is not a number");
  return Number(value);
}
