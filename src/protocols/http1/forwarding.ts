/**
 * What changes in a head on its way through a proxy (RFC 9110 section 7.6, RFC 9112 section 9.6).
 *
 * A head is written anew from its parsed form. Nothing is copied that was not understood.
 *
 * @module
 */

import { Fault } from "../../faults.ts";
import { httpDate } from "../http/date.ts";
import type { Fields } from "../http/fields.ts";
import { forwardedFor, type ForwardedOptions, isForwardedField } from "../http/forwarded.ts";
import type { ForwardedMode } from "../../settings/http.ts";
import type { Framing, HttpRequest, ResponseHead, Version } from "../http/message.ts";
import { listElements, toOctets } from "../http/syntax.ts";

/**
 * Fields for this hop only, whether Connection names them or not. The fields that frame or route a message (Host,
 * Content-Length, Transfer-Encoding) are written anew from their parsed form. So a client cannot remove them by naming
 * them in Connection (CVE-2022-31813 of another proxy).
 */
const HOP_BY_HOP = new Set([
  "connection",
  "content-length",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authentication-info",
  "proxy-authorization",
  "proxy-connection",
  "proxy-support",
  "te",
  "transfer-encoding",
  "upgrade",
  "via",
]);

/**
 * Tells which fields go on to the next hop. Not those for one hop only, those that Connection names, and the `others`.
 */
function endToEnd(fields: Fields, others: readonly string[] = []): (key: string) => boolean {
  const dropped = fields.has("connection") ? new Set([...others, ...fields.tokens("connection")]) : others;
  if (dropped instanceof Set) return (key) => !HOP_BY_HOP.has(key) && !dropped.has(key);
  return (key) => !HOP_BY_HOP.has(key) && !dropped.includes(key);
}

/** Rules for the trailers of a message. */
export interface TrailerRules {
  /** The header section of the same message. Fields that its Connection names are not sent on as trailers either. */
  readonly head: Fields;
  /** What to do with Forwarded and X-Forwarded-For. Trailers keep them only if the mode keeps them as they are. */
  readonly forwarded: ForwardedMode;
}

/** Fields that must not be sent on as trailers: they frame, route, authenticate or control (RFC 9110 section 6.5.1). */
const NOT_IN_TRAILERS = new Set([
  "authorization",
  "cache-control",
  "content-encoding",
  "content-range",
  "content-type",
  "cookie",
  "expect",
  "host",
  "max-forwards",
  "range",
  "set-cookie",
  "trailer",
  "www-authenticate",
]);

/** The trailers for the next hop. Fields for one hop only end here, as in heads (RFC 9110 section 7.6.1). */
export function forwardedTrailers(trailers: Fields, { head, forwarded }: TrailerRules): Fields {
  const passes = endToEnd(head);
  const kept = trailers.filter((key) => passes(key) && !NOT_IN_TRAILERS.has(key));
  return forwarded === "keep" ? kept : kept.filter((key) => !isForwardedField(key));
}

/** RFC 9110 section 7.6.3: the received version and our pseudonym, behind those of the proxies before us. */
function via(fields: Fields, version: Version, name: string): string {
  return fields.listWith("via", `${version} ${name}`);
}

/** The value of Via for the next proxy. */
export function viaOf({ head: { fields, version } }: HttpRequest, name: string): string {
  return via(fields, version, name);
}

function framingFields(framing: Framing): string {
  if (framing.kind === "length") return `Content-Length: ${framing.length}\r\n`;
  return framing.kind === "chunked" ? "Transfer-Encoding: chunked\r\n" : "";
}

/** Throws `proxy_loop_detected` if Via contains our own pseudonym. */
export function checkLoop(fields: Fields, name: string): void {
  if (!fields.has("via")) return;
  const hops = fields.all("via").flatMap(listElements);
  if (hops.some((hop) => hop.split(/[ \t]+/)[1] === name)) {
    throw new Fault("proxy_loop_detected", "The request has been through this proxy before");
  }
}

/** How to write a request for the origin. */
export interface ForwardedRequestOptions {
  /** Whether the connection to the origin may serve another request. */
  readonly persistent: boolean;
  readonly name: string;
  /** What to tell the origin of the client. Undefined: we add nothing. */
  readonly forwarded?: ForwardedOptions;
  /** Set if the head is for another proxy, with the credentials for it. */
  readonly proxy?: { readonly authorization: string | undefined };
}

/**
 * The head for the origin: origin-form (absolute-form for a proxy), Host from the target, without the fields of this
 * hop.
 */
export function forwardedRequest(
  request: HttpRequest,
  { name, persistent, forwarded, proxy }: ForwardedRequestOptions,
): Uint8Array {
  const { head, target, framing, upgrade, maxForwards } = request;
  if (target.form !== "absolute") throw new TypeError(`Cannot forward a request in ${target.form}-form`);
  const dropped = ["host"];
  if (maxForwards !== undefined) dropped.push("max-forwards");
  // HTTP/1.0 has no expectations (RFC 9110 section 10.1.1). Sent on in our HTTP/1.1, the field would take effect.
  if (head.version === "1.0") dropped.push("expect");
  const passes = endToEnd(head.fields, dropped);
  const kept = forwarded === undefined || forwarded.mode === "keep"
    ? head.fields.toString(passes)
    : forwardedFor(head.fields.filter(passes), forwarded);
  const uri = proxy ? absoluteForm(target) : target.path;
  let text = `${head.method} ${uri} HTTP/1.1\r\nHost: ${target.authority}\r\n${kept}`;
  if (proxy?.authorization !== undefined) text += `Proxy-Authorization: ${proxy.authorization}\r\n`;
  text += `Via: ${via(head.fields, head.version, name)}\r\n`;
  if (maxForwards !== undefined) text += `Max-Forwards: ${maxForwards - 1}\r\n`;
  text += framingFields(framing);
  if (upgrade !== undefined) text += `Connection: upgrade\r\nUpgrade: ${upgrade}\r\n`;
  else if (!persistent) text += "Connection: close\r\n";
  return toOctets(text + "\r\n");
}

/** RFC 9112 section 3.2.4: `*` is not a path, so the URI ends before it. */
function absoluteForm({ authority, path }: { readonly authority: string; readonly path: string }): string {
  return `http://${authority}${path === "*" ? "" : path}`;
}

/** How to write a response for the client. */
export interface ForwardedResponseOptions {
  /** The framing of the body for the client. */
  readonly framing: Framing;
  /** Whether the client may send another request after this response. */
  readonly persistent: boolean;
  readonly name: string;
  /** Whether to tell the client that connections are not shared (RFC 4559 section 6). */
  readonly sessionBased?: boolean;
  /** The date, for a response without Date (RFC 9110 section 6.6.1). */
  readonly date: () => Date;
}

/** The head for the client. */
export function forwardedResponse(head: ResponseHead, options: ForwardedResponseOptions): Uint8Array {
  const { status, reason, fields, version } = head;
  const passes = endToEnd(fields);
  let text = `HTTP/1.1 ${status} ${reason}\r\n${fields.toString(passes)}`;
  if (status >= 200 && !(fields.has("date") && passes("date"))) {
    text += `Date: ${httpDate(options.date())}\r\n`;
  }
  text += `Via: ${via(fields, version, options.name)}\r\n`;
  // A response to HEAD, or a 304, tells the length that its body would have (RFC 9110 section 8.6), unless
  // Transfer-Encoding overrides it (RFC 9112 section 6.3).
  const tells = options.framing.kind === "none" && status >= 200 && status !== 204;
  const told = tells && !fields.has("transfer-encoding") ? fields.tokens("content-length")[0] : undefined;
  text += told === undefined ? framingFields(options.framing) : `Content-Length: ${told}\r\n`;
  if (options.sessionBased) {
    text += "Proxy-Support: Session-Based-Authentication\r\nConnection: Proxy-Support\r\n";
  }
  if (status === 101) text += `Connection: upgrade\r\nUpgrade: ${fields.all("upgrade").join(", ")}\r\n`;
  else if (status >= 200 && !options.persistent) text += "Connection: close\r\n";
  return toOctets(text + "\r\n");
}
