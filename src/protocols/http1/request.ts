/**
 * What a request head asks of a proxy, after its syntax was checked (RFC 9112 section 3, RFC 9110 section 7).
 *
 * @module
 */

import type { HttpRequest, RequestHead } from "../http/message.ts";
import { type Fault, malformed } from "../../faults.ts";
import { requestFraming } from "./framing.ts";
import { SEVERAL } from "../http/fields.ts";
import { type Names, namesOf } from "../http/names.ts";
import { isToken, listElements } from "../http/syntax.ts";
import { authorityIn, parseTarget } from "../http/target.ts";
import type { ReceivedRequest } from "./head.ts";

/** The option of Connection that ends a connection behind a message. */
export const CLOSE: Names = namesOf("close");
const EXPECT = namesOf("expect");
const UPGRADE = namesOf("upgrade");

/**
 * Judges a head. Throws a `Fault` with the status that RFC 9110 gives to the error. `acts`: requests to the proxy itself
 * may have any method, and a body.
 */
export function understand(head: ReceivedRequest, { acts = false }: { acts?: boolean } = {}): HttpRequest {
  const { method, version, fields } = head;
  const target = parseTarget(fields.octets, head.targetStart, head.targetEnd, method);
  checkHost(head);
  // RFC 9110 section 9.3.8: TRACE could read a victim's credentials back. Squid and others refuse it, too.
  if (method === "TRACE") throw malformed("TRACE is not served", { status: 405 });
  const framing = requestFraming(head);
  const reads = method === "GET" || method === "HEAD";
  if (target.form === "origin" && !(reads ? framing.kind === "none" : acts)) throw noProxyRequest();
  if (
    method === "CONNECT" && framing.kind !== "none" && !(framing.kind === "length" && framing.length === 0)
  ) {
    throw malformed("CONNECT has no body");
  }
  // RFC 9110 section 10.1.1: the value is a list, which may be empty or repeat an element.
  if (
    version === "1.1" && fields.hasAny(EXPECT) &&
    fields.tokens("expect").some((expectation) => expectation !== "100-continue")
  ) {
    throw malformed("The expectation is not known", { status: 417 });
  }
  const options = fields.listed("connection");
  return {
    head,
    target,
    framing,
    // RFC 9112 section 9.3: no persistent connection through a proxy with an HTTP/1.0 client.
    persistent: version === "1.1" && (options & CLOSE) === 0,
    upgrade: version === "1.1" && (options & UPGRADE) !== 0 ? upgradeField(head) : undefined,
    maxForwards: method === "OPTIONS" ? maxForwardsField(head) : undefined,
  };
}

/** The fault of a client that takes the proxy for a server (RFC 9112 section 3.2.1). */
export function noProxyRequest(): Fault {
  return malformed("This is a proxy, and the request names no host: set it as a proxy, not as a server");
}

/** RFC 9112 section 3.2: exactly one valid Host in HTTP/1.1, at most one in HTTP/1.0. */
function checkHost({ version, fields }: RequestHead): void {
  const host = fields.findOnly("host");
  if (host === SEVERAL) throw malformed("Host is given more than once");
  if (host < 0) {
    if (version === "1.1") throw malformed("Host is missing");
    return;
  }
  const [start, end] = [fields.valueStart(host), fields.valueEnd(host)];
  if (start < end) authorityIn(fields.octets, start, end);
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
