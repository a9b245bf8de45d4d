/**
 * The proxy's own HTTP answers. They repeat nothing of the request (CVE-2025-62168 of another proxy).
 *
 * @module
 */

import type { Fault } from "../../faults.ts";
import { FAULTS } from "../../fault_table.ts";
import type { ResponseHead } from "../http/message.ts";
import { toOctets } from "../http/syntax.ts";

/** Status code → reason phrase (RFC 9110 section 15, RFC 6585). */
const REASONS: Readonly<Record<number, string>> = {
  200: "OK",
  400: "Bad Request",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  407: "Proxy Authentication Required",
  408: "Request Timeout",
  413: "Content Too Large",
  414: "URI Too Long",
  417: "Expectation Failed",
  431: "Request Header Fields Too Large",
  500: "Internal Server Error",
  501: "Not Implemented",
  502: "Bad Gateway",
  503: "Service Unavailable",
  504: "Gateway Timeout",
  505: "HTTP Version Not Supported",
};

/** The answer to CONNECT. A 2xx to it has no body, so it has no length (RFC 9110 section 9.3.6). */
export const CONNECTION_ESTABLISHED: Uint8Array = toOctets("HTTP/1.1 200 Connection established\r\n\r\n");

/** How to write an answer. */
export interface AnswerOptions {
  /** The token that names this deployment. */
  readonly name: string;
  readonly date: Date;
  /** HEAD gets only the head. */
  readonly bodyless: boolean;
  readonly persistent: boolean;
  /** Whether the client prefers HTML, as browsers do. */
  readonly html: boolean;
  /** The operator's text that tells a refused client whom to ask. */
  readonly contact: string | undefined;
  /** A reference that the operator finds in the log: the connection's id. */
  readonly reference: string;
}

/** The proxy's own answer to an OPTIONS that has reached its last hop. */
export function ownAnswer(options: Pick<AnswerOptions, "date" | "persistent">): Uint8Array {
  const fields = ["Allow: CONNECT, DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT", "Content-Length: 0"];
  return head(200, fields, options);
}

/**
 * The answer of a disguised proxy to a stranger. Web servers send 404 if they have no such page, and 400 if they cannot
 * read the request. Nothing in the answer shows that it is a proxy's.
 */
export function strangerAnswer(
  status: 400 | 404,
  options: Pick<AnswerOptions, "date" | "persistent" | "bodyless">,
): Uint8Array {
  const body = strangerPage(status);
  const bytes = head(status, ["Content-Type: text/html", `Content-Length: ${body.length}`], options);
  return options.bodyless ? bytes : concat(bytes, toOctets(body));
}

function strangerPage(status: 400 | 404): string {
  const title = `${status} ${REASONS[status]}`;
  return `<html>\r\n<head><title>${title}</title></head>\r\n<body>\r\n<h1>${title}</h1>\r\n</body>\r\n</html>\r\n`;
}

/**
 * Whether a disguised proxy has taken us for a stranger. The answer of a target comes with the proxy's Via, and this
 * one comes without.
 */
export function isStrangerAnswer({ status, fields }: Pick<ResponseHead, "status" | "fields">): boolean {
  return (status === 404 || status === 400) && !fields.has("via") && !fields.has("proxy-status") &&
    fields.get("content-type") === "text/html" &&
    fields.get("content-length") === String(strangerPage(status).length);
}

/** A page of the proxy itself. */
export interface Page {
  readonly status: number;
  /** Its media type; the character set is UTF-8. */
  readonly type: string;
  readonly body: string;
}

/**
 * Fields that protect the proxy's own pages in browsers. A page runs no scripts, loads nothing, submits nothing and
 * cannot be framed. Other sites' pages can neither embed it (Fetch, Cross-Origin-Resource-Policy) nor control its
 * window.
 */
const ISOLATION = [
  "Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; " +
  "frame-ancestors 'none'",
  "Cross-Origin-Opener-Policy: same-origin",
  "Cross-Origin-Resource-Policy: same-origin",
  "Referrer-Policy: no-referrer",
  "X-Content-Type-Options: nosniff",
];

/** The answer that shows a page. */
export function pageAnswer(
  { status, type, body }: Page,
  options: Pick<AnswerOptions, "date" | "persistent" | "bodyless">,
): Uint8Array {
  const octets = new TextEncoder().encode(body);
  const bytes = head(status, [
    `Content-Type: ${type}; charset=utf-8`,
    `Content-Length: ${octets.length}`,
    "Cache-Control: no-store",
    ...ISOLATION,
  ], options);
  return options.bodyless ? bytes : concat(bytes, octets);
}

/** The answer to a fault: what happened and what to do. It never tells more than the client may know. */
export function faultAnswer(fault: Fault, options: AnswerOptions): Uint8Array {
  const { registered } = FAULTS[fault.code];
  const { happened, advice, party } = fault;
  const help = helpLines(fault, options);
  const text = options.html
    ? page(fault.status, [happened, advice, ...help.map(escapeHtml)])
    : [`${happened} ${advice}`, ...help, ""].join("\n");
  const body = new TextEncoder().encode(text);
  const fields = [
    `Content-Type: text/${options.html ? "html" : "plain"}; charset=utf-8`,
    `Content-Length: ${body.length}`,
    "Cache-Control: no-store",
  ];
  // A browser shows an error page as a page of the site that was asked for.
  if (options.html) fields.push(...ISOLATION);
  if (registered) {
    // The codes of RFC 9209 are about the next hop: the target or another proxy. Which proxy it is stands in the log
    // only.
    const details = party === "next proxy" ? '; details="next proxy"' : "";
    fields.push(`Proxy-Status: ${options.name}; error=${fault.code}${details}`);
  }
  if (fault.status === 405) fields.push("Allow: CONNECT, DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT");
  if (fault.status === 407) fields.push(`Proxy-Authenticate: Basic realm="proxy", charset="UTF-8"`);
  if (fault.status === 503) fields.push("Retry-After: 10");
  const bytes = head(fault.status, fields, options);
  return options.bodyless ? bytes : concat(bytes, body);
}

function head(
  status: number,
  fields: string[],
  { date, persistent }: Pick<AnswerOptions, "date" | "persistent">,
): Uint8Array {
  const lines = [
    `HTTP/1.1 ${status} ${REASONS[status] ?? "Error"}`,
    `Date: ${date.toUTCString()}`,
    ...fields,
  ];
  if (!persistent) lines.push("Connection: close");
  return toOctets(`${lines.join("\r\n")}\r\n\r\n`);
}

/** Whom to ask, and what to tell them, if neither the client nor the target can mend the fault. */
function helpLines({ blame, code, party }: Fault, { contact, reference }: AnswerOptions): string[] {
  const lines = contact === undefined ? [] : [`Contact: ${contact}`];
  // All refusals of credentials look the same.
  if (code === "proxy_authentication_required") return lines;
  return blame === "policy" || blame === "proxy" || party === "next proxy"
    ? [...lines, `Reference: ${reference}`]
    : [];
}

/** Text with its special characters escaped for HTML, also within quotes. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`);
}

function page(status: number, paragraphs: readonly string[]): string {
  const title = `${status} ${REASONS[status] ?? "Error"}`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${title}</title>
<style>body { font: 1.1rem/1.5 system-ui, sans-serif; max-width: 34rem; margin: 12vh auto; padding: 0 1rem }</style>
</head>
<body>
<h1>${title}</h1>
${paragraphs.map((paragraph) => `<p>${paragraph}</p>`).join("\n")}
<p><small>This page comes from the proxy, not from the site.</small></p>
</body>
</html>
`;
}

function concat(a: Uint8Array, b: Uint8Array): Uint8Array {
  const all = new Uint8Array(a.length + b.length);
  all.set(a);
  all.set(b, a.length);
  return all;
}
