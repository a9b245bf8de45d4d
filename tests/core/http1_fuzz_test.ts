import { assert, assertEquals } from "@std/assert";
import { Fault } from "../../src/faults.ts";
import { ByteBuffer } from "../../src/streams/byte_buffer.ts";
import { type BodyReader, bodyReader, bodyWriter } from "../../src/protocols/http1/body.ts";
import { Fields } from "../../src/protocols/http/fields.ts";
import { forwardedRequest, forwardedResponse } from "../../src/protocols/http1/forwarding.ts";
import { requestFraming, responseFraming } from "../../src/protocols/http1/framing.ts";
import type { Framing, HttpRequest, ResponseHead } from "../../src/protocols/http/message.ts";
import { RequestHeadReader, ResponseHeadReader } from "../../src/protocols/http1/head.ts";
import { understand } from "../../src/protocols/http1/request.ts";
import { CORPUS_EXISTS, corpusBytes } from "../support/corpus.ts";
import { bodies, fromLatin1, handshakes, latin1, linesOf, visible } from "../support/http1.ts";
import {
  assertEnds,
  fuzzMessages,
  type FuzzOptions,
  type Outcome,
  parse,
  type Parser,
  ROUNDS,
} from "../support/http1_fuzz.ts";
import { METHODS, readRequests, readResponses } from "../support/llhttp.ts";
import { SEED } from "../support/random.ts";
import { settingsWith } from "../support/settings.ts";

if (!CORPUS_EXISTS) {
  console.log("http1_fuzz_test: there is no corpus beside the checkout; only the built-in samples are used");
}

const LIMITS = { maxTrailerSize: 4096, mend: false };
const MAX_HEAD = 32768;

/** A message with its content put together. */
class Content {
  readonly #reader: BodyReader;
  #content = "";

  constructor(framing: Framing) {
    this.#reader = bodyReader(framing, LIMITS);
  }

  /** What is there so far; its end where that has come. */
  read(buffer: ByteBuffer): Fields | undefined {
    for (let event = this.#reader.read(buffer); event; event = this.#reader.read(buffer)) {
      if (event.type === "end") return event.trailers;
      assert(event.bytes.length > 0, "There is data without a byte");
      this.#content += fromLatin1(event.bytes);
    }
    return undefined;
  }

  get endsAtClose(): boolean {
    return this.#reader.endsAtClose;
  }

  /** The content in another framing. */
  written(framing: Framing, trailers: Fields): string {
    const writer = bodyWriter(framing, { head: new Fields(), forwarded: "keep" });
    const data = this.#content === "" ? [] : writer.data(latin1(this.#content));
    return [...data, writer.end(trailers)].map(fromLatin1).join("");
  }

  get text(): string {
    return this.#content;
  }
}

/** A request, and what its origin would get. */
interface Forwarded {
  readonly method: string;
  readonly target: string;
  readonly authority: string;
  readonly framing: Framing;
  readonly upgrade: boolean;
  readonly content: string;
  readonly bytes: string;
}

const NAME = "fuzzed-proxy";

/** A client's side of a connection: requests one after the other, up to one behind which there can be no other. */
class Requests implements Parser {
  readonly #maxHead: number;
  #head: RequestHeadReader;
  #request: HttpRequest | undefined;
  #content: Content | undefined;
  #done = false;

  constructor(maxHead = MAX_HEAD) {
    this.#maxHead = maxHead;
    this.#head = new RequestHeadReader(maxHead);
  }

  read(buffer: ByteBuffer): Forwarded | { form: string } | undefined {
    if (this.#done) return undefined;
    if (!this.#request || !this.#content) {
      const head = this.#head.read(buffer);
      if (!head) return undefined;
      this.#request = understand(head);
      this.#content = new Content(this.#request.framing);
    }
    const request = this.#request;
    const content = this.#content;
    const trailers = content.read(buffer);
    if (!trailers) return undefined;
    const { target, framing, head: { method }, upgrade } = request;
    this.#done = !request.persistent || upgrade !== undefined || target.form === "authority";
    this.#head = new RequestHeadReader(this.#maxHead);
    this.#request = undefined;
    if (target.form !== "absolute" || request.maxForwards === 0) return { form: target.form };
    const head = fromLatin1(forwardedRequest(request, { name: NAME, persistent: true }));
    return {
      method,
      target: target.path,
      authority: target.authority,
      framing,
      upgrade: upgrade !== undefined,
      content: content.text,
      bytes: head + content.written(framing, trailers),
    };
  }
}

/** The head of a message that was written by us has nothing in it that could be read in two ways. */
function assertClean(bytes: string): void {
  const lines = bytes.slice(0, bytes.indexOf("\r\n\r\n")).split("\r\n");
  for (const line of lines.slice(1)) {
    for (const char of line) {
      assert(char >= " " && char !== "\x7F" || char === "\t", "There is a control character");
    }
    assert(/^[!#$%&'*+\-.^_`|~0-9A-Za-z]+: (?:[^ \t]|[^ \t].*[^ \t])?$/.test(line), `No field line: ${line}`);
  }
  assert(/^[^\t]*$/.test(lines[0]) || lines[0].startsWith("HTTP/"), "There is a tab in the request line");
}

function checkForwarded(forwarded: Forwarded): void {
  const { bytes, method, target, authority, framing, content } = forwarded;
  assertClean(bytes);
  // Our own reader understands the same.
  const buffer = ByteBuffer.of(latin1(bytes));
  const head = new RequestHeadReader(2 * MAX_HEAD).read(buffer);
  assert(head, "Our own reader takes the head for incomplete");
  assertEquals([head.method, head.target, head.version], [method, target, "1.1"]);
  assertEquals(requestFraming(head), framing);
  assertEquals(head.fields.all("host"), [authority]);
  assertEquals(head.fields.get("via")?.endsWith(` ${NAME}`), true);
  assert(head.fields.all("via").length === 1 && head.fields.all("connection").length <= 1);
  for (const key of ["proxy-authorization", "proxy-connection", "keep-alive", "te", "http2-settings"]) {
    if (key !== "http2-settings" || forwarded.upgrade) assertEquals(head.fields.has(key), false, key);
  }
  const again = new Content(framing);
  assert(again.read(buffer), "Our own reader takes the body for incomplete");
  assertEquals([again.text, buffer.length], [content, 0]);
  // So does llhttp, where it knows the method.
  if (!METHODS.includes(method)) return;
  const { messages, refused } = readRequests(latin1(bytes));
  if (forwarded.upgrade) assertEquals(messages.length, 1);
  else assertEquals([refused, messages.length], [undefined, 1]);
  const [message] = messages;
  assertEquals(
    [message.method, message.target, message.version, message.fields, message.body, message.complete],
    [method, target, "1.1", linesOf(head.fields), content, true],
  );
}

function isForwarded(event: unknown): event is Forwarded {
  return (event as Forwarded).bytes !== undefined;
}

function checkRequests({ events }: Outcome): void {
  const all = events.filter(isForwarded);
  for (const forwarded of all) checkForwarded(forwarded);
  // One behind the other on one connection they are as many messages.
  if (all.some(({ method, upgrade }) => upgrade || !METHODS.includes(method))) return;
  const { messages, refused } = readRequests(latin1(all.map(({ bytes }) => bytes).join("")));
  assertEquals([refused, messages.map(({ target }) => target)], [undefined, all.map(({ target }) => target)]);
}

const BUILT_IN_REQUESTS = [
  "GET http://example.com/ HTTP/1.1\r\nHost: example.com\r\n\r\n",
  "\r\nPOST http://example.com:81/a?b HTTP/1.1\r\nHost: example.com:81\r\nContent-Length: 5\r\n\r\nhelloGET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n",
  'PUT http://a/ HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTrailer: X\r\n\r\n5;a="b"\r\nhello\r\n0\r\nX: y\r\n\r\n',
  "GET http://[::1]:81/ HTTP/1.0\r\nAccept: text/html\r\nVia: 1.0 fred, 1.1 b (c)\r\n\r\n",
  "GET http://a/ HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, x\r\nUpgrade: h2c, websocket\r\nX: \xE4\r\n\r\nabc",
  "OPTIONS http://a HTTP/1.1\r\nHost: a\r\nMax-Forwards: 2\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n",
  "CONNECT a:443 HTTP/1.1\r\nHost: a\r\nProxy-Authorization: Basic YTpi\r\n\r\n\x16\x03\x01",
].map(latin1);

const REQUESTS = [...BUILT_IN_REQUESTS, ...corpusBytes("http1-requests.jsonl", "request")];

const INPUTS = `${ROUNDS} random and ${ROUNDS} spoiled inputs (seed ${SEED})`;

function fuzz(name: string, make: () => Parser, options: FuzzOptions): void {
  Deno.test(`${name}: ${INPUTS}`, () => fuzzMessages(make, options));
}

fuzz("requests on a connection", () => new Requests(), { samples: REQUESTS, check: checkRequests });

fuzz("requests that are sent on mean the same to llhttp", () => new Requests(), {
  samples: REQUESTS.filter((bytes) => parse(() => new Requests(), [bytes]).events.some(isForwarded)),
  check: checkRequests,
});

fuzz("HTTP handshakes", () => handshakes({ credentialsRequired: true }).make(), {
  samples: REQUESTS,
  check({ fault }, input) {
    const { handshake } = handshakes().make();
    let seen: unknown;
    try {
      handshake.read(ByteBuffer.of(input));
    } catch (error) {
      seen = error;
    }
    const { bytes, retryable } = handshake.refused(fault ?? new Fault("dns_error"));
    const bodyless = fromLatin1(bytes).endsWith("\r\n\r\n");
    const { messages: [message], refused } = readResponses(bytes, { bodyless });
    assertEquals([refused, message.complete, message.persistent], [undefined, true, retryable]);
    assert(
      !seen || !retryable,
      "A request that was not understood may be tried again on the same connection",
    );
  },
});

/** A response, and what its client would get. */
interface Answered {
  readonly status: number;
  readonly framing: Framing;
  readonly bodyless: boolean;
  readonly content: string;
  readonly bytes: string;
}

/** An origin's side of a connection: interim responses and a final one. */
class Responses implements Parser {
  readonly #method: string;
  readonly #chunks: boolean;
  readonly #maxHead: number;
  #reader: ResponseHeadReader;
  #head: ResponseHead | undefined;
  #framing: Framing = { kind: "none" };
  #content: Content | undefined;
  #done = false;

  /** `chunks` tells whether the client knows of them. */
  constructor({ method, chunks, maxHead = MAX_HEAD }: { method: string; chunks: boolean; maxHead?: number }) {
    this.#method = method;
    this.#chunks = chunks;
    this.#maxHead = maxHead;
    this.#reader = new ResponseHeadReader(maxHead);
  }

  read(buffer: ByteBuffer): Answered | undefined {
    if (this.#done) return undefined;
    if (!this.#head || !this.#content) {
      const head = this.#reader.read(buffer);
      if (!head) return undefined;
      this.#head = head;
      this.#framing = responseFraming(head, this.#method);
      this.#content = new Content(this.#framing);
    }
    const trailers = this.#content.read(buffer);
    return trailers && this.#answered(this.#head, trailers);
  }

  end(): Answered | undefined {
    if (this.#done || !this.#head || !this.#content?.endsAtClose) return undefined;
    return this.#answered(this.#head, new Fields());
  }

  #answered(head: ResponseHead, trailers: Fields): Answered {
    const { status } = head;
    const kind = this.#framing.kind;
    const framing: Framing = kind === "chunked" || kind === "close"
      ? { kind: this.#chunks ? "chunked" : "close" }
      : this.#framing;
    const content = this.#content!;
    const options = { framing, persistent: framing.kind !== "close", name: NAME, date: () => new Date(0) };
    const bytes = fromLatin1(forwardedResponse(head, options)) + content.written(framing, trailers);
    this.#done = status >= 200 || status === 101;
    this.#reader = new ResponseHeadReader(this.#maxHead);
    this.#head = undefined;
    return {
      status,
      framing,
      bodyless: this.#method === "HEAD" || status === 304,
      content: content.text,
      bytes,
    };
  }
}

function checkAnswered({ bytes, status, framing, bodyless, content }: Answered): void {
  assertClean(bytes);
  const buffer = ByteBuffer.of(latin1(bytes));
  const head = new ResponseHeadReader(2 * MAX_HEAD).read(buffer);
  assert(head, "Our own reader takes the head for incomplete");
  assertEquals([head.status, responseFraming(head, bodyless ? "HEAD" : "GET")], [status, framing]);
  assertEquals(head.fields.get("via")?.endsWith(` ${NAME}`), true);
  assertEquals(head.fields.has("date") || status < 200, true);
  assert(head.fields.all("content-length").length + head.fields.all("transfer-encoding").length <= 1);
  const again = new Content(framing);
  assertEquals([again.read(buffer) !== undefined, again.text], [framing.kind !== "close", content]);
  assertEquals(buffer.length, 0);
  const { messages, refused } = readResponses(latin1(bytes), { bodyless });
  if (status !== 101) assertEquals(refused, undefined);
  const [message, ...more] = messages;
  assertEquals(
    [message.status, message.version, message.fields, message.body, message.complete, more.length],
    [status, "1.1", linesOf(head.fields), content, true, 0],
  );
}

const BUILT_IN_RESPONSES = [
  "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nSet-Cookie: a=b\r\nSet-Cookie: c=d\r\n\r\nhello",
  "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\nX: y\r\n\r\n",
  "HTTP/1.0 404 Not Found\r\nX : a\r\n b\r\nConnection: x, close\r\n\r\nto the end",
  "HTTP/1.1 304 \r\nContent-Length: 5, 5\r\nDate: x\r\nVia: 1.0 a\r\n\r\n",
  "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\nabc",
  "HTTP/1.1 204\nX: \xE4\n\n",
].map(latin1);

const RESPONSES = [...BUILT_IN_RESPONSES, ...corpusBytes("origin-responses.jsonl", "response")];

for (const [method, chunks] of [["GET", true], ["GET", false], ["HEAD", true]] as const) {
  const version = chunks ? "HTTP/1.1" : "HTTP/1.0";
  fuzz(`responses to ${method} of ${version}`, () => new Responses({ method, chunks }), {
    samples: RESPONSES,
    check: ({ events }) => events.forEach((event) => checkAnswered(event as Answered)),
  });
}

const CHUNKED = [
  "5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n",
  'a;b=c ; d="e\\"f"\r\n0123456789\r\n000\r\nX: a\r\nY: b\r\n\r\n',
  "1fffffffffffff\r\nabc",
  "0\r\nContent-Length: 5\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\n\r\n",
].map(latin1);

fuzz("chunked bodies", bodies({ kind: "chunked" }, LIMITS).make, { samples: CHUNKED });

/** What a search that starts over and over would stumble upon. */
const UNITS = [
  " ",
  "\t",
  ",",
  " ,",
  ";",
  "a",
  "a,",
  "a ",
  "=",
  '"',
  "\\",
  "\xA0",
  "0",
  "9",
  ":",
  "[",
  "/",
  "a;",
  "a=b;",
  "YTpi",
];

/** Lines of requests with a place for something long. */
const LONG_REQUESTS = [
  ...[
    "GET http://a/% HTTP/1.1",
    "GET http://% HTTP/1.1",
    "GET % HTTP/1.1",
    "CONNECT % HTTP/1.1",
    "OPTIONS http://% HTTP/1.1",
  ],
  ...[
    "Connection",
    "Via",
    "Upgrade",
    "Transfer-Encoding",
    "Content-Length",
    "Expect",
    "Accept",
    "Host",
    "Max-Forwards",
    "X",
  ]
    .map((name) => `GET http://a/ HTTP/1.1\r\nConnection: upgrade\r\n${name}: a%b`),
  "GET http://a/ HTTP/1.1\r\nProxy-Authorization: Basic %",
];

/** The same of responses. */
const LONG_RESPONSES = [
  "HTTP/1.1 200 %",
  ...["Connection", "Via", "Transfer-Encoding", "Content-Length", "Date", "X", "X: a\r\n "].map((name) =>
    `HTTP/1.1 200 OK\r\n${name}: a%b`
  ),
];

/** Bytes of the long part: twice what a head may have by default. */
const LENGTH = 2 ** 17;

for (const [kind, heads] of [["request", LONG_REQUESTS], ["response", LONG_RESPONSES]] as const) {
  Deno.test(`no ${kind} takes longer than its length explains`, () => {
    // A search that starts over at each place takes 2^33 steps here, and many seconds.
    for (const head of heads) {
      for (const unit of UNITS) {
        const long = unit.repeat(LENGTH / unit.length);
        const host = kind === "request" && !head.includes("Host") ? "Host: a\r\n" : "";
        const input = latin1(`${head.replace("%", () => long)}\r\n${host}\r\n`);
        const act = () => kind === "request" ? readLongRequest(input) : readLongResponse(input);
        assertEnds(act, `${visible(head)} with ${visible(unit)}`);
      }
    }
  });
}

function readLongRequest(input: Uint8Array): void {
  parse(() => new Requests(2 * LENGTH), [input]);
  const { handshake } = handshakes({
    credentialsRequired: true,
    settings: settingsWith({ limits: { headerSize: 2 * LENGTH } }),
  }).make();
  try {
    handshake.read(ByteBuffer.of(input));
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
  }
  handshake.refused(new Fault("dns_error"));
}

function readLongResponse(input: Uint8Array): void {
  parse(() => new Responses({ method: "HEAD", chunks: true, maxHead: 2 * LENGTH }), [input]);
}
