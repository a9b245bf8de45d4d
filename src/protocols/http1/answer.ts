/**
 * The proxy's own answers, as HTTP/1.1 writes them.
 *
 * @module
 */

import { type OwnAnswer, REASONS, type WholeAnswer } from "../http/own_answer.ts";
import { toOctets } from "../http/syntax.ts";

/** The answer to CONNECT. A 2xx to it has no body, so it has no length (RFC 9110 section 9.3.6). */
export const CONNECTION_ESTABLISHED: Uint8Array = toOctets("HTTP/1.1 200 Connection established\r\n\r\n");

/** How to write an answer. */
export interface AnswerOptions {
  readonly date: Date;
  /** Whether the client may send another request on the connection. */
  readonly persistent: boolean;
  /** HEAD gets only the head. */
  readonly bodyless: boolean;
}

/** A whole answer in octets. */
export function encodeAnswer(answer: WholeAnswer, options: AnswerOptions): Uint8Array {
  const head = encodeHead(answer, options);
  return options.bodyless ? head : concat(head, answer.body);
}

/** The head of an answer in octets. `framing` are the fields that tell where a body ends that has no length. */
export function encodeHead(
  { status, fields }: OwnAnswer,
  { date, persistent }: Pick<AnswerOptions, "date" | "persistent">,
  framing: OwnAnswer["fields"] = [],
): Uint8Array {
  const lines = [
    `HTTP/1.1 ${status} ${REASONS[status] ?? "Error"}`,
    `Date: ${date.toUTCString()}`,
    ...[...fields, ...framing].map(([name, value]) => `${name}: ${value}`),
  ];
  if (!persistent) lines.push("Connection: close");
  return toOctets(`${lines.join("\r\n")}\r\n\r\n`);
}

function concat(a: Uint8Array, b: Uint8Array): Uint8Array {
  const all = new Uint8Array(a.length + b.length);
  all.set(a);
  all.set(b, a.length);
  return all;
}
