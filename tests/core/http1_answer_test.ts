import { assert, assertEquals } from "@std/assert";
import { HTTP_OPTIONS } from "../../src/settings/http.ts";
import { Fault, type FaultCode } from "../../src/faults.ts";
import { escapeHtml } from "../../src/text/html.ts";
import { FAULTS } from "../../src/fault_table.ts";
import { faultAnswer, type FaultAnswerOptions, OPTIONS_ANSWER } from "../../src/protocols/http/own_answer.ts";
import {
  type AnswerOptions,
  CONNECTION_ESTABLISHED,
  encodeAnswer,
} from "../../src/protocols/http1/answer.ts";
import { responseFraming } from "../../src/protocols/http1/framing.ts";
import { fromLatin1, latin1, response } from "../support/http1.ts";
import { readResponses } from "../support/llhttp.ts";

const DATE = new Date(Date.UTC(1994, 10, 6, 8, 49, 37));
type Options = AnswerOptions & FaultAnswerOptions;

const PLAIN: Options = {
  name: "proxy",
  date: DATE,
  bodyless: false,
  persistent: false,
  html: false,
  contact: undefined,
  reference: "7-1",
};

/** An answer as a client reads it. */
interface Answer {
  readonly status: number;
  readonly reason: string;
  /** The values by lower-case name; each name stands once. */
  readonly fields: ReadonlyMap<string, string>;
  readonly body: string;
}

function parse(bytes: Uint8Array, { bodyless }: Pick<AnswerOptions, "bodyless">): Answer {
  const { messages, refused } = readResponses(bytes, { bodyless });
  assertEquals([refused, messages.length], [undefined, 1]);
  const [{ status, reason, fields, body, version, complete }] = messages;
  assertEquals([version, complete], ["1.1", true]);
  const named = new Map(fields.map(([name, value]) => [name.toLowerCase(), value]));
  assertEquals(named.size, fields.length);
  // Our own reader agrees, and nothing stands behind the message.
  const text = fromLatin1(bytes);
  const end = text.indexOf("\r\n\r\n") + 4;
  const head = response(text.slice(0, end));
  assertEquals(head.status, status);
  assertEquals(responseFraming(head, "GET"), { kind: "length", length: Number(named.get("content-length")) });
  assertEquals(text.length - end, bodyless ? 0 : Number(named.get("content-length")));
  return { status, reason, fields: named, body };
}

function encode(fault: Fault, options: Options): Uint8Array {
  return encodeAnswer(faultAnswer(fault, options), options);
}

function answer(fault: Fault, options: Partial<Options> = {}): Answer {
  const all = { ...PLAIN, ...options };
  return parse(encode(fault, all), all);
}

/** One member of a Proxy-Status field. */
interface ProxyStatus {
  readonly name: string;
  readonly parameters: ReadonlyMap<string, string>;
}

/**
 * RFC 8941 section 4.2, as far as RFC 9209 section 2 uses it: a list of tokens or strings with parameters. Strict:
 * what has to be discarded as a whole throws.
 */
function parseProxyStatus(value: string): ProxyStatus[] {
  let rest = value.replace(/^ +| +$/g, "");
  const take = (pattern: RegExp): string | undefined => {
    const match = pattern.exec(rest)?.[0];
    if (match !== undefined) rest = rest.slice(match.length);
    return match;
  };
  const need = (pattern: RegExp): string => {
    const match = take(pattern);
    if (match === undefined) throw new SyntaxError(`Expected ${pattern} at "${rest}" in "${value}"`);
    return match;
  };
  const item = () =>
    need(/^(?:[A-Za-z*][!#$%&'*+\-.^_`|~0-9A-Za-z:/]*|"(?:[\x20-\x21\x23-\x5B\x5D-\x7E]|\\["\\])*")/);
  const members: ProxyStatus[] = [];
  while (true) {
    const name = item();
    const parameters = new Map<string, string>();
    while (take(/^; */) !== undefined) {
      const key = need(/^[a-z*][a-z0-9_\-.*]*/);
      parameters.set(key, take(/^=/) === undefined ? "?1" : item());
    }
    members.push({ name, parameters });
    if (rest === "") return members;
    need(/^[ \t]*,[ \t]*(?=.)/);
  }
}

Deno.test("the checker of Proxy-Status takes what RFC 8941 does, and nothing else", () => {
  const good = ["a", "*a", '"a b"; error=dns_error', "a;b=c; d, e", 'a; details="\\"x\\""', "a.b:c/d"];
  for (const value of good) assert(parseProxyStatus(value).length > 0, value);
  const bad = [
    "",
    "1a",
    "-a",
    "a b",
    "a;B=c",
    "a; b=",
    "a; b=1x(",
    "a,",
    ",a",
    '"a',
    '"\x80"',
    "a ;b",
    "a=b",
    'a; b="\n"',
  ];
  for (const value of bad) {
    let members: unknown;
    try {
      members = parseProxyStatus(value);
    } catch {
      continue;
    }
    throw new Error(`Taken for Proxy-Status: ${JSON.stringify(value)}: ${JSON.stringify(members)}`);
  }
});

const NAMES = ["a", "Proxy", "proxy-1a2b3c4d", "proxy.example.com", "A!#$%&'*+-.^_`|~0", "z_9"];

for (const name of NAMES) {
  Deno.test(`Proxy-Status of a proxy called ${name} is valid`, () => {
    assertEquals(HTTP_OPTIONS.name.read(name), name);
    const { fields } = answer(new Fault("dns_error"), { name });
    assertEquals(parseProxyStatus(fields.get("proxy-status")!), [{
      name,
      parameters: new Map([["error", "dns_error"]]),
    }]);
  });
}

/** RFC 9209 section 2.3, and what is registered beside it in the same section's registry. */
const REGISTERED = new Set([
  ...[
    "dns_timeout",
    "dns_error",
    "destination_not_found",
    "destination_unavailable",
    "destination_ip_prohibited",
  ],
  ...["destination_ip_unroutable", "connection_refused", "connection_terminated", "connection_timeout"],
  ...[
    "connection_read_timeout",
    "connection_write_timeout",
    "connection_limit_reached",
    "tls_protocol_error",
  ],
  ...["tls_certificate_error", "tls_alert_received", "http_request_error", "http_request_denied"],
  ...["http_response_incomplete", "http_response_header_section_size", "http_response_header_size"],
  ...["http_response_body_size", "http_response_trailer_section_size", "http_response_trailer_size"],
  ...[
    "http_response_transfer_coding",
    "http_response_content_coding",
    "http_response_timeout",
    "http_upgrade_failed",
  ],
  ...["http_protocol_error", "proxy_internal_response", "proxy_internal_error", "proxy_configuration_error"],
  "proxy_loop_detected",
]);

/** What stands between tags, checked for what HTML would take for markup. */
function assertText(text: string): void {
  assert(!/[<>&\0]/.test(text.replaceAll(/&#\d+;/g, "")), `Not escaped: ${text}`);
}

/** Every element is closed in its order; those of HTML that have no end tag aside. */
function assertWellFormed(html: string): void {
  const open: string[] = [];
  const pattern = /<!doctype html>|<(\/?)([a-z][a-z0-9]*)((?: [a-z-]+="[^"<>&]*")*)>/gy;
  let at = html.indexOf("<");
  assertEquals(at, 0);
  while (at >= 0) {
    pattern.lastIndex = at;
    const match = pattern.exec(html);
    assert(match, `No tag: ${html.slice(at, at + 40)}`);
    const [tag, slash, name] = match;
    if (slash) assertEquals(open.pop(), name);
    else if (name && name !== "meta") open.push(name);
    assertEquals(tag.startsWith("<!"), at === 0);
    const next = html.indexOf("<", pattern.lastIndex);
    assertText(html.slice(pattern.lastIndex, next < 0 ? undefined : next));
    at = next;
  }
  assertEquals(open, []);
  for (const name of ["html", "head", "title", "body", "h1"]) {
    assertEquals(html.split(`<${name}`).length, 2, `There is one ${name}`);
  }
}

for (const code of Object.keys(FAULTS) as FaultCode[]) {
  Deno.test(`the answer to ${code} is whole, alike in its forms, and says what happened and what to do`, () => {
    const { status, happened, advice, registered, reportedAs = registered && code } = FAULTS[code];
    const fault = new Fault(code, "SECRET 192.0.2.1 <b>\r\nX: y");
    const plain = answer(fault);
    assertEquals([plain.status, plain.fields.get("date")], [status, "Sun, 06 Nov 1994 08:49:37 GMT"]);
    assertEquals(plain.body.split("\n")[0], `${happened} ${advice}`);
    assertEquals(plain.fields.get("content-type"), "text/plain; charset=utf-8");
    assertEquals(plain.fields.get("connection"), "close");
    assertEquals(answer(fault, { persistent: true }).fields.has("connection"), false);
    const page = answer(fault, { html: true });
    assertEquals(page.fields.get("content-type"), "text/html; charset=utf-8");
    assertWellFormed(page.body);
    for (const sentence of [happened, advice, `${status} ${plain.reason}`]) {
      assert(page.body.includes(escapeHtml(sentence)), sentence);
    }
    for (const bytes of [encode(fault, PLAIN), encode(fault, { ...PLAIN, html: true })]) {
      assert(!fromLatin1(bytes).includes("SECRET"), "What is for the log is told to the client");
    }
    assert(
      !/[^\x20-\x7E]/.test(happened + advice),
      "A sentence is not of ASCII, and its length would be wrong",
    );
    const proxyStatus = plain.fields.get("proxy-status");
    if (reportedAs) {
      assert(REGISTERED.has(reportedAs), "The code is not of RFC 9209");
      assertEquals(parseProxyStatus(proxyStatus!), [{
        name: "proxy",
        parameters: new Map([["error", reportedAs]]),
      }]);
    } else assertEquals([proxyStatus, REGISTERED.has(code)], [undefined, false]);
  });
}

Deno.test("who was refused learns whom to ask, and by what to be found in the log", () => {
  const contact = 'Zoë <it@example.com> & "co"';
  const refused = new Fault("http_request_denied");
  const sentences = "The proxy's rules do not allow this request. Ask whoever runs the proxy.";
  const utf8 = (text: string) => String.fromCharCode(...new TextEncoder().encode(text));
  assertEquals(answer(refused).body, `${sentences}\nReference: 7-1\n`);
  assertEquals(
    answer(refused, { contact }).body,
    utf8(`${sentences}\nContact: ${contact}\nReference: 7-1\n`),
  );
  const page = answer(refused, { contact, html: true }).body;
  assert(
    page.includes(
      utf8("<p>Contact: Zoë &#60;it@example.com&#62; &#38; &#34;co&#34;</p>\n<p>Reference: 7-1</p>"),
    ),
  );
});

Deno.test("what is wrong with credentials looks the same each time; whom to ask is said, and no reference", () => {
  const { body } = answer(new Fault("proxy_authentication_required"), { contact: "Ann" });
  assertEquals(body.split("\n").slice(1), ["Contact: Ann", ""]);
});

Deno.test("a page for people names the host that was asked for, and what to be found by in the log", () => {
  const { body } = answer(new Fault("dns_error"), { html: true, host: "a<b>.test" });
  assert(body.includes('<p class="host">a&#60;b&#62;.test</p>') && body.includes("<p>Reference: 7-1</p>"));
  assert(!answer(new Fault("dns_error"), { host: "a.test" }).body.includes("a.test"));
  assert(!answer(new Fault("proxy_authentication_required"), { html: true }).body.includes("Reference"));
});

Deno.test("an answer to HEAD is the head of the answer to GET", () => {
  for (const code of Object.keys(FAULTS) as FaultCode[]) {
    for (const html of [false, true]) {
      const whole = fromLatin1(encode(new Fault(code), { ...PLAIN, html }));
      const bytes = encode(new Fault(code), { ...PLAIN, html, bodyless: true });
      assertEquals(fromLatin1(bytes), whole.slice(0, whole.indexOf("\r\n\r\n") + 4));
      assertEquals(answer(new Fault(code), { html, bodyless: true }).body, "");
    }
  }
});

Deno.test("every status that a fault may have has its reason", () => {
  const narrowed = [405, 413, 414, 417, 431, 501, 505];
  const statuses = new Set([...Object.values(FAULTS).map(({ status }): number => status), ...narrowed]);
  for (const status of statuses) {
    const { reason } = answer(new Fault("http_request_error", "", { status }));
    assert(reason !== "" && reason !== "Error", `${status} ${reason}`);
  }
});

Deno.test("405 tells the methods that are allowed, and TRACE is not one of them", () => {
  const { status, fields } = answer(new Fault("http_request_error", "", { status: 405 }));
  const methods = fields.get("allow")?.split(", ") ?? [];
  assertEquals([status, methods.includes("GET"), methods.includes("CONNECT")], [405, true, true]);
  assertEquals(methods.includes("TRACE"), false);
  assertEquals(answer(new Fault("http_request_error")).fields.has("allow"), false);
});

Deno.test("407 asks for credentials, and speaks for the proxy and not for an origin", () => {
  const { status, fields } = answer(new Fault("proxy_authentication_required"));
  assertEquals([status, fields.get("proxy-authenticate")], [407, 'Basic realm="proxy", charset="UTF-8"']);
  assertEquals(fields.has("www-authenticate"), false);
  assertEquals(answer(new Fault("http_request_denied")).fields.has("proxy-authenticate"), false);
});

Deno.test("503 tells when to try again", () => {
  for (const code of ["connection_limit_reached", "proxy_shutdown"] as const) {
    const { status, fields } = answer(new Fault(code));
    assertEquals(status, 503);
    assert(/^[1-9][0-9]*$/.test(fields.get("retry-after") ?? ""));
  }
  assertEquals(answer(new Fault("dns_timeout")).fields.has("retry-after"), false);
});

Deno.test("the answer to CONNECT is a head without a length", () => {
  assertEquals(fromLatin1(CONNECTION_ESTABLISHED), "HTTP/1.1 200 Connection established\r\n\r\n");
  assertEquals(latin1("HTTP/1.1 200 Connection established\r\n\r\n"), CONNECTION_ESTABLISHED);
});

Deno.test("the proxy's own answer to OPTIONS tells what it does, and has no body", () => {
  for (const persistent of [true, false]) {
    const { status, reason, fields, body } = parse(
      encodeAnswer(OPTIONS_ANSWER, { ...PLAIN, persistent }),
      PLAIN,
    );
    assertEquals([status, reason, body, fields.get("content-length")], [200, "OK", "", "0"]);
    assertEquals(fields.get("date"), "Sun, 06 Nov 1994 08:49:37 GMT");
    assertEquals(fields.get("connection"), persistent ? undefined : "close");
    assertEquals(fields.get("allow")?.includes("OPTIONS"), true);
  }
});
