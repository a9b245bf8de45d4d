/**
 * The length of a message's body (RFC 9112 section 6.3). Ambiguous messages are refused: if two parties disagree on a
 * length, requests can be smuggled.
 *
 * @module
 */

import { Fault, malformed } from "../../faults.ts";
import { asProtocolError } from "./head.ts";
import type { Fields } from "../http/fields.ts";
import type { Framing, RequestHead, ResponseHead } from "../http/message.ts";
import { namesOf } from "../http/names.ts";
import { listElements } from "../http/syntax.ts";

const FRAMING = namesOf("content-length", "transfer-encoding");

const NONE: Framing = { kind: "none" };
const CHUNKED: Framing = { kind: "chunked" };
const CLOSE: Framing = { kind: "close" };

/** The framing of a request's body. Throws a `Fault` if it is ambiguous. */
export function requestFraming({ version, fields }: RequestHead): Framing {
  if (!fields.hasAny(FRAMING)) return NONE;
  if (!fields.has("transfer-encoding")) {
    return plainLength(fields) ?? lengthFraming(fields.all("content-length")) ?? NONE;
  }
  if (fields.has("content-length")) throw malformed("Both Transfer-Encoding and Content-Length are given");
  if (version === "1.0") throw malformed("HTTP/1.0 knows no Transfer-Encoding");
  const [last, ...others] = [...fields.tokens("transfer-encoding")].reverse();
  if (last !== "chunked" || others.includes("chunked")) {
    throw malformed("Chunked is not the last transfer coding, once");
  }
  if (others.length === 0) return CHUNKED;
  throw malformed(`The transfer coding is not known: "${others[0].slice(0, 40)}"`, { status: 501 });
}

/** The framing of a response's body. Throws a `Fault` that blames the target. */
export function responseFraming({ status, fields, version }: ResponseHead, method: string): Framing {
  // RFC 9110 section 9.3.6: a 2xx to CONNECT begins the tunnel. Its fields about a body are ignored.
  if (method === "CONNECT" && status >= 200 && status < 300) return NONE;
  const codings = fields.tokens("transfer-encoding");
  try {
    const length = plainLength(fields) ?? lengthFraming(distinct(fields.all("content-length")));
    // Rules 1 and 2: these have no body, whatever their fields say.
    if (method === "HEAD" || status < 200 || status === 204 || status === 304) return NONE;
    if (!fields.has("transfer-encoding")) return length ?? emptyLength(fields.has("content-length")) ?? CLOSE;
    if (length) throw malformed("Both Transfer-Encoding and Content-Length are given");
    // `identity`, a coding of RFC 2616, changes nothing. RFC 9112 section 6.3, rule 4: without chunked, the body ends
    // at the close.
    if (codings.length === 1 && codings[0] === "identity") return CLOSE;
    if (version === "1.0") throw malformed("HTTP/1.0 knows no Transfer-Encoding");
  } catch (error) {
    throw asProtocolError(error);
  }
  if (codings.length === 1 && codings[0] === "chunked") return CHUNKED;
  throw new Fault(
    "http_response_transfer_coding",
    `The transfer coding is not known: "${codings.join(", ").slice(0, 40)}"`,
  );
}

/** The framing of a message that has one Content-Length, of at most 15 digits and nothing else. */
function plainLength(fields: Fields): Framing | undefined {
  const index = fields.findOnly("content-length");
  if (index < 0) return undefined;
  const [start, end] = [fields.valueStart(index), fields.valueEnd(index)];
  if (start === end || end - start > 15) return undefined;
  let length = 0;
  for (let i = start; i < end; i++) {
    const digit = fields.octets[i] - 0x30;
    if (digit < 0 || digit > 9) return undefined;
    length = length * 10 + digit;
  }
  return { kind: "length", length };
}

/** A response may repeat its length (RFC 9112 section 6.3). */
function distinct(values: readonly string[]): string[] {
  return [...new Set(values.flatMap(listElements))];
}

function isNumber(text: string): boolean {
  return /^[0-9]+$/.test(text);
}

function emptyLength(given: boolean): undefined {
  if (given) throw malformed("Content-Length is empty");
  return undefined;
}

/** RFC 9110 section 8.6: 1*DIGIT. Beyond 2^53 - 1 a JavaScript number would round. */
function lengthFraming(values: readonly string[]): Framing | undefined {
  if (values.length === 0) return undefined;
  if (values.length > 1) throw malformed("Content-Length is given more than once");
  if (!isNumber(values[0])) {
    throw malformed(`Content-Length is not a number: "${values[0].slice(0, 40)}"`);
  }
  const length = Number(values[0]);
  if (!Number.isSafeInteger(length)) throw malformed("Content-Length is too large", { status: 413 });
  return { kind: "length", length };
}
