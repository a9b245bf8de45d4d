/**
 * Byte sequences and verdicts from other projects' test suites, and how a proxy is graded by them.
 *
 * The files lie beside the checkout where there are any; their README explains every key.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { type HttpMessage, parseMessage } from "../support/http_message.ts";

/** What the cases name as their origin. Whatever stands in for it has 16 bytes too, so that lengths stay right. */
const PLACEHOLDER = "origin.test:8080";

/** The one case that names an address instead, and has no length to spoil. */
const LITERAL = "[::1]:8080";

/** The host that an origin for a case has to listen on. */
export function originHost(request: string): string {
  return Buffer.from(request, "base64").includes(LITERAL) ? "::1" : "127.0.0.11";
}

/** The bytes of a request, for an origin. */
export function requestBytes(request: string, authority: string): Buffer {
  const text = Buffer.from(request, "base64").toString("latin1");
  if (text.includes(LITERAL)) return Buffer.from(text.replaceAll(LITERAL, authority), "latin1");
  if (authority.length !== PLACEHOLDER.length) {
    throw new RangeError(`"${authority}" cannot stand for "${PLACEHOLDER}": it is of another length`);
  }
  return Buffer.from(text.replaceAll(PLACEHOLDER, authority), "latin1");
}

/** A body that the origin got, as the case has it. */
export function caseBody(body: Buffer, authority: string): Buffer {
  return Buffer.from(body.toString("latin1").replaceAll(authority, PLACEHOLDER), "latin1");
}

// --- requests ---

/** What to do with a request: forward it, refuse it, or close after what was forwarded. */
export type RequestVerdict = "accept" | "reject" | "close";

/** A request, or several in a row. */
export interface RequestCase {
  readonly id: string;
  readonly kind: string;
  readonly request: string;
  readonly expect: RequestVerdict;
  /** Verdicts that are right as well. */
  readonly also_ok: readonly RequestVerdict[];
  /** What the origin has to see, in absolute-form. */
  readonly forwarded: readonly { method: string; target: string; body_sha256: string; body_len: number }[];
  readonly forwarded_max: number;
  /** Parts of targets that must never reach the origin. */
  readonly never_forward: readonly string[];
  readonly state: "clean" | "closed" | "error" | "incomplete" | "tunnel";
  readonly note: string;
}

/** A request as the origin saw it. */
export interface SeenRequest {
  readonly method: string;
  readonly target: string;
  readonly body: Buffer;
  /** Whether it was none, which is never to be forwarded. */
  readonly malformed?: boolean;
}

/** What became of a case. */
export interface RequestOutcome {
  /** The statuses of all final responses that the client got. */
  readonly statuses: readonly number[];
  readonly seen: readonly SeenRequest[];
  /** Whether the proxy closed the connection by itself. */
  readonly closed: boolean;
}

/** The verdict that an outcome amounts to, of those that are right; `leak` or `wrong` where there is none. */
export function gradeRequest(
  { expect, also_ok, forwarded, forwarded_max, never_forward, state }: RequestCase,
  { statuses, seen, closed }: RequestOutcome,
): RequestVerdict | "leak" | "wrong" {
  if (seen.some(({ malformed }) => malformed)) return "leak";
  if (seen.some(({ target }) => never_forward.some((part) => target.includes(part)))) return "leak";
  const right: Record<RequestVerdict, () => boolean> = {
    accept() {
      if (expect !== "accept") return seen.length >= 1 && seen.length <= Math.max(1, forwarded_max);
      const [first] = forwarded;
      if (first?.target === "*") return seen.length <= 1 && statuses[0] < 400;
      if (forwarded.at(-1)?.method === "CONNECT") return Math.floor((statuses.at(-1) ?? 0) / 100) === 2;
      return seen.length === forwarded.length &&
        forwarded.every((wanted, index) => isAsWanted(seen[index], wanted)) &&
        statuses.filter((status) => status < 400).length >= forwarded.length;
    },
    reject: () => seen.length === 0 && statuses.every((status) => status >= 400),
    close: () =>
      state === "incomplete" ? seen.length <= forwarded.length : seen.length === forwarded.length && closed,
  };
  return [expect, ...also_ok].find((verdict) => right[verdict]()) ?? "wrong";
}

function isAsWanted(seen: SeenRequest, wanted: RequestCase["forwarded"][number]): boolean {
  const hash = createHash("sha256").update(seen.body).digest("hex");
  return seen.method === wanted.method && seen.body.length === wanted.body_len && hash === wanted.body_sha256;
}

// --- responses ---

/**
 * What to do with a response: forward it, answer 502 instead, forward what is left when the faults are gone,
 * or let the client see that the body is cut.
 */
export type ResponseVerdict = "forward" | "502" | "sanitise" | "truncate";

/** A response of an origin that then closes. */
export interface ResponseCase {
  readonly id: string;
  readonly response: string;
  readonly expect: ResponseVerdict;
  readonly also_ok: readonly ResponseVerdict[];
  readonly note: string;
}

/** The verdict that an answer amounts to, of those that are right; undefined where there is none. */
export function gradeResponse(
  { response, expect, also_ok }: ResponseCase,
  received: Buffer,
): ResponseVerdict | undefined {
  const text = Buffer.from(response, "base64").toString("latin1");
  const sent = readSent(text);
  const got = finalMessage(received);
  const right: Record<ResponseVerdict, () => boolean> = {
    "502": () => got?.status === 502,
    "truncate": () => got === undefined,
    "forward": () =>
      // What the origin has cut off itself is forwarded as it is, cut off.
      got?.text === sent?.text && finalStatus(received.toString("latin1")) === finalStatus(text),
    "sanitise": () => sent !== undefined && got?.status === sent.status,
  };
  return [expect, ...also_ok].find((verdict) => right[verdict]());
}

function finalStatus(text: string): string | undefined {
  return [...text.matchAll(/^HTTP\/1\.[01] ([2-9]\d\d)/gm)].at(0)?.[1];
}

/** The response behind informational ones; undefined where it is not whole. */
function finalMessage(bytes: Buffer): HttpMessage | undefined {
  for (let rest = bytes;;) {
    const parsed = parseMessage(rest, { ended: true });
    if (!parsed || parsed.message.status >= 200) return parsed?.message;
    rest = rest.subarray(parsed.length);
  }
}

/** What a lenient reader makes of a response that may be forwarded; undefined where there is nothing to be made of it. */
function readSent(text: string): HttpMessage | undefined {
  const final = text.replace(/^[\r\n]+/, "").replace(/^HTTP\/1\.1 10[03](?:.+\r\n)+[\r\n]+/, "");
  const [, head, body] = /^(.+?)\r?\n\r?\n(.*)$/s.exec(final) ?? [];
  if (head === undefined) return undefined;
  // A status line may lack its last space, and a line its CR.
  const mended = head.replace(/^(HTTP\/1\.[01] \d{3})$/m, "$1 ").replace(/\r?\n/g, "\r\n");
  try {
    return finalMessage(Buffer.from(`${mended}\r\n\r\n${body}`, "latin1"));
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
