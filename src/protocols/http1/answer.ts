/**
 * The proxy's own HTTP answers. Nothing of the request is repeated in them (CVE-2025-62168 of another proxy).
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

/** The answer to CONNECT; a 2xx has no body, so it has no length (RFC 9110 section 9.3.6). */
export const CONNECTION_ESTABLISHED: Uint8Array = toOctets("HTTP/1.1 200 Connection established\r\n\r\n");

/** How an answer is dressed. */
export interface AnswerOptions {
  /** The token that names this deployment. */
  readonly name: string;
  readonly date: Date;
  /** HEAD gets the head alone. */
  readonly bodyless: boolean;
  readonly persistent: boolean;
  /** Whether the client said that it would rather have HTML, as browsers do. */
  readonly html: boolean;
  /** Whom a client may ask that was refused: the operator's words. */
  readonly contact: string | undefined;
  /** What the operator finds in the log: the connection's id. */
  readonly reference: string;
}

/** The answer to a request that the proxy answers in its own name: OPTIONS that has reached its last hop. */
export function ownAnswer(options: Pick<AnswerOptions, "date" | "persistent">): Uint8Array {
  const fields = ["Allow: CONNECT, DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT", "Content-Length: 0"];
  return head(200, fields, options);
}

/**
 * What a stranger is told where the proxy is disguised. 404 is the answer of any web server that has no such page, 400
 * that of one that cannot read the request. Nothing in it is a proxy's.
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
 * Whether a disguised proxy has taken us for a stranger. What a target answers comes with the proxy's Via, and this
 * comes without.
 */
export function isStrangerAnswer({ status, fields }: Pick<ResponseHead, "status" | "fields">): boolean {
  return (status === 404 || status === 400) && !fields.has("via") && !fields.has("proxy-status") &&
    fields.get("content-type") === "text/html" &&
    fields.get("content-length") === String(strangerPage(status).length);
}

/** What a page of the proxy's own is made of. */
export interface Page {
  readonly status: number;
  /** Its media type; the character set is UTF-8. */
  readonly type: string;
  readonly body: string;
}

/**
 * What browsers are told of the proxy's own text. It runs no scripts, loads nothing, submits nothing and stands in no
 * frame. Pages of other sites can neither embed it (Fetch, Cross-Origin-Resource-Policy) nor keep a hold of its window.
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

/** The answer that tells a fault: what happened and what to do, and never more than the client may know. */
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
  // A browser shows an error page in the name of the site that was asked for.
  if (options.html) fields.push(...ISOLATION);
  if (registered) {
    // The codes of RFC 9209 speak of the next hop, which may be the target or another proxy; which proxy is for the log.
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

/** Whom to ask, and what to tell them; where it is not for the client or the target to mend it. */
function helpLines({ blame, code, party }: Fault, { contact, reference }: AnswerOptions): string[] {
  const lines = contact === undefined ? [] : [`Contact: ${contact}`];
  // All refusals of credentials are alike.
  if (code === "proxy_authentication_required") return lines;
  return blame === "policy" || blame === "proxy" || party === "next proxy"
    ? [...lines, `Reference: ${reference}`]
    : [];
}

/** Text as HTML shows it, also within quotes. */
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
