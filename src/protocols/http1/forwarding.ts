/**
 * What changes in a head on its way through a proxy (RFC 9110 section 7.6, RFC 9112 section 9.6).
 *
 * A head is written anew from what was understood of it; nothing is copied through unread.
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
 * Fields for this hop alone, whether Connection names them or not. Those that frame or route a message (Host,
 * Content-Length, Transfer-Encoding) are written anew from what was understood, so that naming them in
 * Connection cannot strip them (CVE-2022-31813 of another proxy).
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

/** Says which fields go on to the next hop: those that are not for one hop alone, that Connection does not name, and that are not among the `others`. */
function endToEnd(fields: Fields, others: readonly string[] = []): (key: string) => boolean {
  const dropped = fields.has("connection") ? new Set([...others, ...fields.tokens("connection")]) : others;
  if (dropped instanceof Set) return (key) => !HOP_BY_HOP.has(key) && !dropped.has(key);
  return (key) => !HOP_BY_HOP.has(key) && !dropped.includes(key);
}

/** What the trailers of a message are held to. */
export interface TrailerRules {
  /** The header section that was received with them: what its Connection names stays behind. */
  readonly head: Fields;
  /** What becomes of Forwarded and X-Forwarded-For. Unless they are kept as they are, they are the head's business alone. */
  readonly forwarded: ForwardedMode;
}

/** Fields that a trailer section must not carry on: they frame, route, authenticate or control (RFC 9110 section 6.5.1). */
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

/** The trailers that the next hop gets: what is for one hop alone ends here as it does in heads (RFC 9110 section 7.6.1). */
export function forwardedTrailers(trailers: Fields, { head, forwarded }: TrailerRules): Fields {
  const passes = endToEnd(head);
  const kept = trailers.filter((key) => passes(key) && !NOT_IN_TRAILERS.has(key));
  return forwarded === "keep" ? kept : kept.filter((key) => !isForwardedField(key));
}

/** RFC 9110 section 7.6.3: the received version and our pseudonym, behind those of the proxies before us. */
function via(fields: Fields, version: Version, name: string): string {
  return fields.listWith("via", `${version} ${name}`);
}

/** The value of Via for the proxy behind us. */
export function viaOf({ head: { fields, version } }: HttpRequest, name: string): string {
  return via(fields, version, name);
}

function framingFields(framing: Framing): string {
  if (framing.kind === "length") return `Content-Length: ${framing.length}\r\n`;
  return framing.kind === "chunked" ? "Transfer-Encoding: chunked\r\n" : "";
}

/** Throws `proxy_loop_detected` when our own pseudonym is among those in Via. */
export function checkLoop(fields: Fields, name: string): void {
  if (!fields.has("via")) return;
  const hops = fields.all("via").flatMap(listElements);
  if (hops.some((hop) => hop.split(/[ \t]+/)[1] === name)) {
    throw new Fault("proxy_loop_detected", "The request has been through this proxy before");
  }
}

/** What the origin's side of a request depends on. */
export interface ForwardedRequestOptions {
  /** Whether the connection to the origin may serve another request. */
  readonly persistent: boolean;
  readonly name: string;
  /** What the origin is told of the client; nothing by us when undefined. */
  readonly forwarded?: ForwardedOptions;
  /** The head is for another proxy, with these credentials for it. */
  readonly proxy?: { readonly authorization: string | undefined };
}

/** The head that the origin gets: origin-form (absolute-form for a proxy), Host from the target, this hop's fields gone. */
export function forwardedRequest(
  request: HttpRequest,
  { name, persistent, forwarded, proxy }: ForwardedRequestOptions,
): Uint8Array {
  const { head, target, framing, upgrade, maxForwards } = request;
  if (target.form !== "absolute") throw new TypeError(`Cannot forward a request in ${target.form}-form`);
  const dropped = ["host"];
  if (maxForwards !== undefined) dropped.push("max-forwards");
  // HTTP/1.0 knows no expectations (RFC 9110 section 10.1.1); in our HTTP/1.1 this one would come to mean something.
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

/** RFC 9112 section 3.2.4: `*` is no path, and the URI ends before it. */
function absoluteForm({ authority, path }: { readonly authority: string; readonly path: string }): string {
  return `http://${authority}${path === "*" ? "" : path}`;
}

/** What the client's side of a response depends on. */
export interface ForwardedResponseOptions {
  /** How the body that the client gets is framed. */
  readonly framing: Framing;
  /** Whether the client may send another request behind this response. */
  readonly persistent: boolean;
  readonly name: string;
  /** Whether the client is told that connections are not shared (RFC 4559 section 6). */
  readonly sessionBased?: boolean;
  /** For a response that has no Date (RFC 9110 section 6.6.1). */
  readonly date: () => Date;
}

/** The head that the client gets. */
export function forwardedResponse(head: ResponseHead, options: ForwardedResponseOptions): Uint8Array {
  const { status, reason, fields, version } = head;
  const passes = endToEnd(fields);
  let text = `HTTP/1.1 ${status} ${reason}\r\n${fields.toString(passes)}`;
  if (status >= 200 && !(fields.has("date") && passes("date"))) {
    text += `Date: ${httpDate(options.date())}\r\n`;
  }
  text += `Via: ${via(fields, version, options.name)}\r\n`;
  // A response to HEAD, or a 304, tells the length of what it would have had (RFC 9110 section 8.6), unless
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
