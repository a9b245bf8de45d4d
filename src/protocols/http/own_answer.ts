/**
 * The proxy's own HTTP answers, the same for every version of HTTP. They repeat nothing of the request (CVE-2025-62168 of
 * another proxy) but, on pages for people, the host that was asked for.
 *
 * @module
 */

import type { Fault } from "../../faults.ts";
import { FAULTS } from "../../fault_table.ts";
import { escapeHtml } from "../../text/html.ts";
import { PAGE_STYLE } from "../../text/page_style.ts";
import type { ResponseHead } from "./message.ts";

/** An answer that the proxy makes itself. Each version of HTTP writes it in its own way, with a Date. */
export interface OwnAnswer {
  readonly status: number;
  /** Name and value of each field. A body that is whole brings its Content-Length. */
  readonly fields: readonly (readonly [name: string, value: string])[];
  readonly body: Uint8Array | Making<Uint8Array>;
}

/** Makes a body piece by piece, until the signal says that the client is gone. */
export type Making<Piece> = (gone: AbortSignal) => AsyncIterable<Piece>;

/** An answer whose body is whole. */
export type WholeAnswer = OwnAnswer & { readonly body: Uint8Array };

/** Status code → reason phrase (RFC 9110 section 15, RFC 6585). */
export const REASONS: Readonly<Record<number, string>> = {
  200: "OK",
  400: "Bad Request",
  401: "Unauthorized",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  407: "Proxy Authentication Required",
  408: "Request Timeout",
  413: "Content Too Large",
  414: "URI Too Long",
  417: "Expectation Failed",
  422: "Unprocessable Content",
  429: "Too Many Requests",
  431: "Request Header Fields Too Large",
  500: "Internal Server Error",
  501: "Not Implemented",
  502: "Bad Gateway",
  503: "Service Unavailable",
  504: "Gateway Timeout",
  505: "HTTP Version Not Supported",
};

/** How to tell a client of a fault. */
export interface FaultAnswerOptions {
  /** The token that names this deployment. */
  readonly name: string;
  /** Whether the client prefers HTML, as browsers do. */
  readonly html: boolean;
  /** The operator's text that tells a refused client whom to ask. */
  readonly contact: string | undefined;
  /** A reference that the operator finds in the log: the connection's id. */
  readonly reference: string;
  /** The host that was asked for, once the request was understood. Only pages for people name it. */
  readonly host?: string;
}

const METHODS = "CONNECT, DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT";

/** The proxy's own answer to an OPTIONS that has reached its last hop. */
export const OPTIONS_ANSWER: WholeAnswer = {
  status: 200,
  fields: [["Allow", METHODS], ["Content-Length", "0"]],
  body: new Uint8Array(0),
};

/**
 * The answer of a disguised proxy to a stranger. Web servers send 404 if they have no such page, and 400 if they cannot
 * read the request. Nothing in the answer shows that it is a proxy's.
 */
export function strangerAnswer(status: 400 | 404): WholeAnswer {
  return whole(status, { type: "text/html", body: strangerPage(status) });
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
  /** The text. */
  readonly body: string | Making<string>;
  /** The source of its script in its Content-Security-Policy. Undefined: it runs none, and asks for nothing. */
  readonly scriptSource?: string;
  /** More fields, such as Allow. */
  readonly fields?: OwnAnswer["fields"];
}

/**
 * Fields that protect the proxy's own pages in browsers. A page runs no scripts but its own, which may ask this proxy
 * alone. It loads nothing, submits nothing and cannot be framed. Other sites' pages can neither embed it (Fetch,
 * Cross-Origin-Resource-Policy) nor control its window.
 */
function isolation(scriptSource?: string): [name: string, value: string][] {
  const script = scriptSource === undefined ? "" : ` script-src ${scriptSource}; connect-src 'self';`;
  return [
    [
      "Content-Security-Policy",
      `default-src 'none';${script} style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
    ],
    ["Cross-Origin-Opener-Policy", "same-origin"],
    ["Cross-Origin-Resource-Policy", "same-origin"],
    ["Referrer-Policy", "no-referrer"],
    ["X-Content-Type-Options", "nosniff"],
  ];
}

/** The answer that shows a page. */
export function pageAnswer({ status, type, body, scriptSource, fields = [] }: Page): OwnAnswer {
  const more = [["Cache-Control", "no-store"], ...isolation(scriptSource), ...fields] as const;
  const mime = `${type}; charset=utf-8`;
  if (typeof body === "string") return whole(status, { type: mime, body, more });
  return { status, fields: [["Content-Type", mime], ...more], body: encoded(body) };
}

function encoded(making: Making<string>): Making<Uint8Array> {
  return async function* (gone) {
    const encoder = new TextEncoder();
    for await (const piece of making(gone)) yield encoder.encode(piece);
  };
}

/** The answer to a fault: what happened and what to do. It never tells more than the client may know. */
export function faultAnswer(fault: Fault, options: FaultAnswerOptions): WholeAnswer {
  const { registered, reportedAs = registered && fault.code } = FAULTS[fault.code];
  const { happened, advice, party } = fault;
  const help = helpLines(fault, options);
  const body = options.html
    ? page(fault, help, options.host)
    : [`${happened} ${advice}`, ...help, ""].join("\n");
  const more: [string, string][] = [["Cache-Control", "no-store"]];
  // A browser shows an error page as a page of the site that was asked for.
  if (options.html) more.push(...isolation());
  if (reportedAs) {
    // The codes of RFC 9209 are about the next hop: the target or another proxy. Which proxy it is stands in the log
    // only.
    const details = party === "next proxy" ? '; details="next proxy"' : "";
    more.push(["Proxy-Status", `${options.name}; error=${reportedAs}${details}`]);
  }
  if (fault.status === 405) more.push(["Allow", METHODS]);
  if (fault.status === 407) more.push(["Proxy-Authenticate", `Basic realm="proxy", charset="UTF-8"`]);
  const retryAfter = fault.retryAfter ?? (fault.status === 503 ? 10 : undefined);
  if (retryAfter !== undefined) more.push(["Retry-After", String(retryAfter)]);
  return whole(fault.status, { type: `text/${options.html ? "html" : "plain"}; charset=utf-8`, body, more });
}

function whole(
  status: number,
  { type, body, more = [] }: {
    readonly type: string;
    readonly body: string;
    readonly more?: OwnAnswer["fields"];
  },
): WholeAnswer {
  const octets = new TextEncoder().encode(body);
  return {
    status,
    fields: [["Content-Type", type], ["Content-Length", String(octets.length)], ...more],
    body: octets,
  };
}

/**
 * Whom to ask; and what to tell them, if neither the client nor the target can mend the fault. A page has it always: a
 * person may ask about anything.
 */
function helpLines(
  { blame, code, party }: Fault,
  { contact, reference, html }: FaultAnswerOptions,
): string[] {
  const lines = contact === undefined ? [] : [`Contact: ${contact}`];
  // All refusals of credentials look the same.
  if (code === "proxy_authentication_required") return lines;
  return html || blame === "policy" || blame === "proxy" || party === "next proxy"
    ? [...lines, `Reference: ${reference}`]
    : [];
}

const FAULT_STYLE = `${PAGE_STYLE}
body { display: grid; min-height: 100vh; place-items: center; padding: 1.25rem }
main { width: min(34rem, 100%); padding: 2rem 2.25rem 1.6rem; background: var(--card); border: 1px solid var(--line);
  border-radius: 12px; overflow-wrap: anywhere }
h1 { font-size: 1.3rem; line-height: 1.35; font-weight: 650; margin: .4rem 0 1rem }
p { margin: .5rem 0 }
.status, .from { color: var(--dim); font-size: .8125rem }
.host { padding: .5rem .8rem; margin: 0 0 1rem; background: var(--soft); border-radius: 7px;
  font-family: ui-monospace, monospace; font-size: .875rem }
.from { margin-top: 1.5rem; padding-top: .9rem; border-top: 1px solid var(--line) }
`;

function page(
  { status, happened, advice }: Fault,
  help: readonly string[],
  host: string | undefined,
): string {
  const title = `${status} ${REASONS[status] ?? "Error"}`;
  const asked = host === undefined ? "" : `<p class="host">${escapeHtml(host)}</p>\n`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${title}</title>
<style>
${FAULT_STYLE}</style>
</head>
<body>
<main>
<p class="status">${title}</p>
<h1>${escapeHtml(happened)}</h1>
${asked}${[advice, ...help].map((text) => `<p>${escapeHtml(text)}</p>`).join("\n")}
<p class="from">This page comes from the proxy, not from the site.</p>
</main>
</body>
</html>
`;
}
