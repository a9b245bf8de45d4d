/**
 * What changes in a head on its way through a proxy (RFC 9110 section 7.6, RFC 9112 section 9.6).
 *
 * A head is written anew from its parsed form. Nothing is copied that was not understood.
 *
 * @module
 */

import { Fault } from "../../faults.ts";
import { BlockWriter } from "../../streams/byte_block.ts";
import { httpDate } from "../http/date.ts";
import type { Fields } from "../http/fields.ts";
import { FORWARDED_FIELDS, forwardedLines, type ForwardedOptions } from "../http/forwarded.ts";
import type { ForwardedMode } from "../../settings/http.ts";
import type { Framing, HttpRequest, ResponseHead, Version } from "../http/message.ts";
import { hasOthers, type Names, namesOf } from "../http/names.ts";
import { listElements } from "../http/syntax.ts";

/** Writes all heads: one is written at once. */
const OUT = new BlockWriter();

/**
 * Fields for this hop only, whether Connection names them or not. The fields that frame or route a message (Host,
 * Content-Length, Transfer-Encoding) are written anew from their parsed form. So a client cannot remove them by naming
 * them in Connection (CVE-2022-31813 of another proxy).
 */
const HOP_BY_HOP = namesOf(
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
);

const CONNECTION = namesOf("connection");
const DATE = namesOf("date");
const EXPECT = namesOf("expect");
const HOST = namesOf("host");
const MAX_FORWARDS = namesOf("max-forwards");
const VIA = namesOf("via");

/** The known names of fields that end here: those for one hop only, and those that Connection names. */
function endsHere(fields: Fields): Names {
  return fields.hasAny(CONNECTION) ? HOP_BY_HOP | fields.listed("connection") : HOP_BY_HOP;
}

/** The other names in Connection, if there are any. */
function othersIn(fields: Fields, names: Names): ReadonlySet<string> | undefined {
  return hasOthers(names) ? new Set(fields.tokens("connection")) : undefined;
}

/** Rules for the trailers of a message. */
export interface TrailerRules {
  /** The header section of the same message. Fields that its Connection names are not sent on as trailers either. */
  readonly head: Fields;
  /** What to do with Forwarded and X-Forwarded-For. Trailers keep them only if the mode keeps them as they are. */
  readonly forwarded: ForwardedMode;
}

/** Fields that must not be sent on as trailers: they frame, route, authenticate or control (RFC 9110 section 6.5.1). */
const NOT_IN_TRAILERS = namesOf(
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
);

/**
 * The last chunk with the trailers for the next hop. Fields for one hop only end here, as in heads (RFC 9110 section
 * 7.6.1).
 */
export function lastChunk(trailers: Fields, { head, forwarded }: TrailerRules): Uint8Array {
  const ended = endsHere(head);
  const others = othersIn(head, ended);
  OUT.begin();
  OUT.text("0\r\n");
  trailers.write(OUT, ended | NOT_IN_TRAILERS | (forwarded === "keep" ? 0 : FORWARDED_FIELDS), others);
  OUT.text("\r\n");
  return OUT.take();
}

/** RFC 9110 section 7.6.3: the received version and our pseudonym, behind those of the proxies before us. */
function via(fields: Fields, version: Version, name: string): string {
  return fields.listWith("via", `${version} ${name}`);
}

/** The value of Via for the next proxy. */
export function viaOf({ head: { fields, version } }: HttpRequest, name: string): string {
  return via(fields, version, name);
}

function writeVia(fields: Fields, version: Version, name: string): void {
  OUT.text("Via: ");
  if (fields.hasAny(VIA)) OUT.text(via(fields, version, name));
  else {
    OUT.text(version);
    OUT.text(" ");
    OUT.text(name);
  }
  OUT.text("\r\n");
}

function writeFraming(framing: Framing): void {
  if (framing.kind === "length") writeLength(`${framing.length}`);
  else if (framing.kind === "chunked") OUT.text("Transfer-Encoding: chunked\r\n");
}

function writeLength(length: string): void {
  OUT.text("Content-Length: ");
  OUT.text(length);
  OUT.text("\r\n");
}

/** Throws `proxy_loop_detected` if Via contains our own pseudonym. */
export function checkLoop(fields: Fields, name: string): void {
  if (!fields.hasAny(VIA)) return;
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
  const { head: { method, version, fields }, target, framing, upgrade, maxForwards } = request;
  if (target.form !== "absolute") throw new TypeError(`Cannot forward a request in ${target.form}-form`);
  let dropped = endsHere(fields) | HOST;
  const others = othersIn(fields, dropped);
  if (maxForwards !== undefined) dropped |= MAX_FORWARDS;
  // HTTP/1.0 has no expectations (RFC 9110 section 10.1.1). Sent on in our HTTP/1.1, the field would take effect.
  if (version === "1.0") dropped |= EXPECT;
  OUT.begin();
  OUT.text(method);
  OUT.text(" ");
  if (proxy) {
    OUT.text("http://");
    OUT.text(target.authority);
  }
  target.writePath(OUT, { absolute: proxy !== undefined });
  OUT.text(" HTTP/1.1\r\nHost: ");
  OUT.text(target.authority);
  OUT.text("\r\n");
  if (forwarded === undefined || forwarded.mode === "keep") fields.write(OUT, dropped, others);
  else {
    fields.write(OUT, dropped | FORWARDED_FIELDS, others);
    OUT.text(forwardedLines(fields, forwarded, dropped));
  }
  if (proxy?.authorization !== undefined) OUT.text(`Proxy-Authorization: ${proxy.authorization}\r\n`);
  writeVia(fields, version, name);
  if (maxForwards !== undefined) OUT.text(`Max-Forwards: ${maxForwards - 1}\r\n`);
  writeFraming(framing);
  if (upgrade !== undefined) OUT.text(`Connection: upgrade\r\nUpgrade: ${upgrade}\r\n`);
  else if (!persistent) OUT.text("Connection: close\r\n");
  OUT.text("\r\n");
  return OUT.take();
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
  const ended = endsHere(fields);
  OUT.begin();
  OUT.text("HTTP/1.1 ");
  OUT.text(`${status}`);
  OUT.text(" ");
  OUT.text(reason);
  OUT.text("\r\n");
  fields.write(OUT, ended, othersIn(fields, ended));
  if (status >= 200 && !fields.hasAny(DATE & ~ended)) {
    OUT.text("Date: ");
    OUT.text(httpDate(options.date()));
    OUT.text("\r\n");
  }
  writeVia(fields, version, options.name);
  // A response to HEAD, or a 304, tells the length that its body would have (RFC 9110 section 8.6), unless
  // Transfer-Encoding overrides it (RFC 9112 section 6.3).
  const tells = options.framing.kind === "none" && status >= 200 && status !== 204;
  const told = tells && !fields.has("transfer-encoding") ? fields.tokens("content-length")[0] : undefined;
  if (told === undefined) writeFraming(options.framing);
  else writeLength(told);
  if (options.sessionBased) {
    OUT.text("Proxy-Support: Session-Based-Authentication\r\nConnection: Proxy-Support\r\n");
  }
  if (status === 101) {
    OUT.text(`Connection: upgrade\r\nUpgrade: ${fields.all("upgrade").join(", ")}\r\n`);
  } else if (status >= 200 && !options.persistent) OUT.text("Connection: close\r\n");
  OUT.text("\r\n");
  return OUT.take();
}
