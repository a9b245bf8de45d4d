import { assertEquals, assertMatch, assertStringIncludes, assertThrows } from "@std/assert";
import { probe, type ProbeOptions, type ProbeRequest, type ProbeResult } from "../../src/cli/check/probe.ts";
import { parseHttpUrl, requestHead } from "../../src/cli/check/request.ts";
import type { Channel } from "../../src/streams/channel.ts";
import { Fault, type FaultCode } from "../../src/faults.ts";
import { Fields } from "../../src/protocols/http/fields.ts";
import { fromOctets } from "../../src/protocols/http/syntax.ts";
import { parseChain } from "../../src/dialing/upstream.ts";
import { UsageError } from "../../src/text/usage_error.ts";
import { MemoryNetwork } from "../support/memory_network.ts";
import { VirtualClock } from "../support/virtual_clock.ts";
import { hear, say, until } from "../support/virtual_network.ts";

const ORIGIN = "203.0.113.9:80";
const HTTP = "198.51.100.1:3128";
const SOCKS = "198.51.100.3:1080";

interface Run {
  readonly result: Promise<ProbeResult>;
  /** Steps that are over, as `NAME WHAT`, and what came of them behind a colon. */
  readonly steps: string[];
  readonly body: number[];
}

function start(
  network: MemoryNetwork,
  { url = `http://${ORIGIN}/`, via = [], method = "GET", ...more }:
    & { url?: string; via?: readonly string[] }
    & Partial<Omit<ProbeRequest, "url">>
    & Partial<ProbeOptions> = {},
): Run {
  const steps: string[] = [];
  const body: number[] = [];
  const { clock, signal, resolver, readFile, settings } = network.options();
  const result = probe({
    url: parseHttpUrl(url),
    method,
    fields: new Fields(),
    alternatives: via.map(parseChain),
    ...more,
  }, {
    runtime: network.runtime,
    clock,
    signal,
    resolver,
    readFile,
    settings,
    timeout: 10_000,
    onStep({ name, what, outcome, fault }) {
      const came = fault?.code ?? outcome;
      steps.push(`${name} ${what}${came === undefined ? "" : `: ${came}`}`);
    },
    onData(bytes) {
      body.push(...bytes);
      return undefined;
    },
    ...more,
  });
  return { result, steps, body };
}

/** A server for one request. */
async function serve(
  network: MemoryNetwork,
  answer: string,
  { at = ORIGIN, end = true } = {},
): Promise<string> {
  const channel: Channel = await network.server(at).next();
  const heard = await hear(channel, "\r\n\r\n");
  await say(channel, answer);
  if (end) await channel.writer.close();
  return heard;
}

const OK = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";

for (
  const [name, answer, body] of [
    ["with a length", OK, "5 bytes: Content-Length"],
    [
      "in chunks",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n",
      "5 bytes: chunked",
    ],
    ["that ends at the close", "HTTP/1.1 200 OK\r\n\r\nhello", "5 bytes: until the close"],
    [
      "behind 1xx",
      `HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\n${OK}`,
      "5 bytes: Content-Length",
    ],
  ]
) {
  Deno.test(`probe: a body ${name} is read to its end`, async () => {
    await using network = new MemoryNetwork();
    const server = serve(network, answer);
    const run = start(network, { url: `http://${ORIGIN}/a?b=c#d` });
    const { fault, size, missed, head } = await run.result;
    assertEquals([fault, size, missed, head?.status], [undefined, 5, [], 200]);
    assertEquals(String.fromCharCode(...run.body), "hello");
    assertEquals(run.steps, [
      `connect ${ORIGIN}`,
      "request GET /a?b=c",
      "response HTTP/1.1 200 OK",
      `body ${body}`,
    ]);
    assertStringIncludes(await server, "GET /a?b=c HTTP/1.1\r\nHost: 203.0.113.9\r\n");
    assertEquals(network.clock.pending, 0);
  });
}

Deno.test("probe: the answer to HEAD has no body, and an error of the target's own is an answer", async () => {
  await using network = new MemoryNetwork();
  serve(network, "HTTP/1.1 404 Not Found\r\nContent-Length: 99\r\n\r\n");
  const run = start(network, { method: "HEAD" });
  assertEquals((await run.result).fault, undefined);
  assertEquals(run.steps.slice(-2), ["response HTTP/1.1 404 Not Found", "body 0 bytes"]);
});

Deno.test("probe: each step has its own time, and the sum is that of all", async () => {
  await using network = new MemoryNetwork();
  const server = network.server(ORIGIN);
  const times: Record<string, number> = {};
  const run = start(network, { onStep: ({ name, time }) => times[name] = time });
  const channel = await server.next();
  await hear(channel, "\r\n\r\n");
  network.clock.advance(70);
  await say(channel, "H");
  await until(() => "request" in times);
  network.clock.advance(5);
  await say(channel, "TTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n");
  await until(() => "response" in times);
  network.clock.advance(300);
  await say(channel, "x");
  assertEquals((await run.result).time, 375);
  assertEquals(times, { connect: 0, request: 70, response: 5, body: 300 });
});

Deno.test("probe: an HTTP proxy at the end is asked in absolute-form, with credentials that no step shows", async () => {
  await using network = new MemoryNetwork();
  const server = serve(network, OK, { at: HTTP });
  const run = start(network, { url: "http://origin.test", via: [`http://ann:s3cr3t@${HTTP}`] });
  assertEquals((await run.result).fault, undefined);
  assertEquals(run.steps.slice(0, 2), [`connect ${HTTP}`, "request GET http://origin.test/"]);
  assertStringIncludes(await server, "GET http://origin.test/ HTTP/1.1\r\nHost: origin.test\r\n");
  assertStringIncludes(await server, "Proxy-Authorization: Basic ");
  assertEquals(run.steps.join().includes("s3cr3t"), false);
});

Deno.test("probe: through two proxies each handshake is a step", async () => {
  await using network = new MemoryNetwork();
  await network.proxy(`http://${HTTP}`);
  await network.proxy(`socks5://${SOCKS}`);
  serve(network, OK);
  const run = start(network, { via: [`http://${HTTP},socks5h://${SOCKS}`] });
  assertEquals((await run.result).fault, undefined);
  assertEquals(run.steps, [
    `connect ${HTTP}`,
    `http CONNECT ${SOCKS}: by http://${HTTP}`,
    `socks5h ${ORIGIN}: by socks5h://${SOCKS}`,
    "request GET /",
    "response HTTP/1.1 200 OK",
    "body 5 bytes: Content-Length",
  ]);
});

Deno.test("probe: https is a tunnel with TLS inside", async () => {
  await using network = new MemoryNetwork();
  await network.proxy(`http://${HTTP}`);
  const server = network.server("203.0.113.9:443");
  const run = start(network, { url: "https://203.0.113.9/", via: [`http://${HTTP}`], ca: "CA" });
  const channel = await server.next();
  assertStringIncludes(await hear(channel, "\r\n\r\n"), "TLS 203.0.113.9\nGET / HTTP/1.1\r\n");
  await say(channel, OK);
  assertEquals((await run.result).fault, undefined);
  assertEquals(run.steps.slice(0, 3), [
    `connect ${HTTP}`,
    `http CONNECT 203.0.113.9:443: by http://${HTTP}`,
    "tls 203.0.113.9",
  ]);
  assertEquals(network.secured.map(({ ca, serverName }) => [ca, serverName]), [["CA", "203.0.113.9"]]);
});

Deno.test("probe: an address that refuses is told, and one that was merely slower is not", async () => {
  await using network = new MemoryNetwork();
  serve(network, OK);
  const addresses = ["203.0.113.1", "203.0.113.2", "203.0.113.9"];
  const run = start(network, {
    url: "http://origin.test/",
    resolver: { resolve: () => Promise.resolve(addresses) },
    runtime: {
      ...network.runtime,
      dial(to, options) {
        const slow = "host" in to && to.host === addresses[1];
        return slow ? aborted(options?.signal) : network.runtime.dial(to, options);
      },
    },
  });
  await until(() => run.steps.length === 2);
  network.clock.advance(250);
  assertEquals((await run.result).fault, undefined);
  assertEquals(run.steps.slice(0, 4), [
    "resolve origin.test: 203.0.113.1, 203.0.113.2, 203.0.113.9",
    "connect 203.0.113.1:80: connection_refused",
    "connect 203.0.113.9:80",
    "request GET /",
  ]);
});

Deno.test("probe: the first alternative that works is taken", async () => {
  await using network = new MemoryNetwork();
  await network.proxy(`socks5://${SOCKS}`);
  serve(network, OK);
  const run = start(network, { via: [`http://${HTTP}`, `socks5://${SOCKS}`] });
  assertEquals((await run.result).fault, undefined);
  assertEquals(run.steps.slice(0, 3), [
    `connect ${HTTP}: connection_refused`,
    `connect ${SOCKS}`,
    `socks5 ${ORIGIN}: by socks5://${SOCKS}`,
  ]);
});

interface Failure {
  readonly via?: readonly string[];
  readonly url?: string;
  /** What the origin says before it closes; it does not listen without. */
  readonly answer?: string;
  readonly code: FaultCode;
  readonly last: string;
  readonly missed: readonly string[];
  readonly message: string;
}

const FAILURES: Readonly<Record<string, Failure>> = {
  "a target that refuses": {
    code: "connection_refused",
    last: `connect ${ORIGIN}`,
    missed: ["request", "response", "body"],
    message: `Cannot reach ${ORIGIN}`,
  },
  "a name that does not exist": {
    url: "http://nowhere.test/",
    code: "dns_error",
    last: "resolve nowhere.test",
    missed: ["connect", "request", "response", "body"],
    message: "nowhere.test",
  },
  "a proxy that refuses": {
    via: ["http://198.51.100.77:1"],
    url: "https://203.0.113.9/",
    code: "connection_refused",
    last: "connect 198.51.100.77:1",
    missed: ["http", "tls", "request", "response", "body"],
    message: "http://198.51.100.77:1: Cannot reach",
  },
  "a target that refuses behind two proxies": {
    via: [`http://${HTTP},socks5://${SOCKS}`],
    code: "connection_refused",
    last: `socks5 ${ORIGIN}`,
    missed: ["request", "response", "body"],
    message: `socks5://${SOCKS}: It re`,
  },
  "a file of a token that cannot be read": {
    via: ["http://127.0.0.9:1?token=none"],
    code: "proxy_configuration_error",
    last: "connect 127.0.0.9:1",
    missed: ["request", "response", "body"],
    message: 'The file cannot be read: "none"',
  },
  "a target that closes": {
    answer: "",
    code: "connection_terminated",
    last: "request GET /",
    missed: ["response", "body"],
    message: "without a response",
  },
  "a head that is cut": {
    answer: "HTTP/1.1 200 OK\r\nConte",
    code: "http_response_incomplete",
    last: "response ",
    missed: ["body"],
    message: "within the response's head",
  },
  "a head that is none": {
    answer: "SSH-2.0-x\r\n",
    code: "http_protocol_error",
    last: "response ",
    missed: ["body"],
    message: "status line",
  },
  "a body that is cut": {
    answer: "HTTP/1.1 200 OK\r\nContent-Length: 2000\r\n\r\nhello",
    code: "http_response_incomplete",
    last: "body 5 of 2,000 bytes",
    missed: [],
    message: "before the body's end",
  },
  "chunks that are none": {
    answer: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
    code: "http_protocol_error",
    last: "body 0 bytes",
    missed: [],
    message: "hexadecimal",
  },
};

for (const [name, { answer, code, last, missed, message, ...how }] of Object.entries(FAILURES)) {
  Deno.test(`probe: ${name}: the step that failed, why, and what was not reached`, async () => {
    await using network = new MemoryNetwork();
    await network.proxy(`http://${HTTP}`);
    await network.proxy(`socks5://${SOCKS}`);
    network.server("127.0.0.9:1");
    if (answer !== undefined) serve(network, answer);
    const clock = new VirtualClock();
    const run = start(network, { ...how, clock, readFile: () => Promise.reject(new Error("none")) });
    const { fault, ...result } = await run.result;
    assertEquals([fault?.code, result.missed], [code, missed]);
    assertStringIncludes(fault!.message, message);
    const connected = name.includes("token");
    assertEquals(run.steps.at(-1), connected ? last : `${last}: ${code}`);
    assertEquals(clock.pending, 0);
  });
}

for (
  const [status, field, code] of [
    ["502 Bad Gateway", "Proxy-Status: p; error=dns_error", "dns_error"],
    ["407 Proxy Authentication Required", "X: y", "proxy_configuration_error"],
  ]
) {
  Deno.test(`probe: ${status} with ${field} is the proxy's own answer, and is read whole`, async () => {
    await using network = new MemoryNetwork();
    serve(network, `HTTP/1.1 ${status}\r\n${field}\r\nContent-Length: 5\r\n\r\nhello`, { at: HTTP });
    const run = start(network, { via: [`http://${HTTP}`] });
    const { fault, size } = await run.result;
    assertEquals([fault?.code, size], [code as FaultCode, 5]);
    assertStringIncludes(fault!.message, `http://${HTTP} has answered itself: ${status.slice(0, 3)}`);
  });
}

/** A SOCKS5 server's answers: no password is wanted, and the way is open. */
const OPEN = ["\x05\x00", "\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00"];

for (
  const [step, said, code] of [
    ["connect", undefined, "connection_timeout"],
    ["socks5", [], "connection_timeout"],
    ["request", OPEN, "http_response_timeout"],
    ["response", [...OPEN, "HTTP"], "http_response_timeout"],
    ["body", [...OPEN, "HTTP/1.1 200 OK\r\n\r\n"], "connection_read_timeout"],
  ] as [string, string[] | undefined, FaultCode][]
) {
  Deno.test(`probe: silence in the step "${step}" is ended after the time limit`, async () => {
    await using network = new MemoryNetwork();
    const server = network.server(SOCKS);
    const deaf: Partial<ProbeOptions> = {
      runtime: { ...network.runtime, dial: (_, options) => aborted(options?.signal) },
    };
    const run = start(network, { via: [`socks5://${SOCKS}`], ...said ? {} : deaf });
    if (said) {
      const channel = await server.next();
      for (const part of said) {
        await hear(channel, /./s);
        await say(channel, part);
      }
    }
    const over = ["connect", "socks5", "request", "response", "body"].indexOf(step);
    await until(() => run.steps.length === over);
    // The last bytes said may be on their way still; whatever they set going is over a turn later.
    await new Promise((resolve) => setTimeout(resolve, 0));
    network.clock.advance(9_900);
    assertEquals(run.steps.length, over);
    network.clock.advance(200);
    const { fault } = await run.result;
    assertEquals(fault?.code, code);
    assertMatch(run.steps[over], new RegExp(`^${step} .*: ${code}$`));
    assertStringIncludes(fault!.message, "Nothing happened for 10s");
    assertEquals(network.clock.pending, 0);
  });
}

function aborted(signal: AbortSignal | undefined): Promise<never> {
  return new Promise((_, reject) => signal?.addEventListener("abort", () => reject(signal.reason)));
}

Deno.test("probe: a transfer that goes on is not ended, however long it takes", async () => {
  await using network = new MemoryNetwork();
  const server = network.server(ORIGIN);
  const run = start(network);
  const channel = await server.next();
  await hear(channel, "\r\n\r\n");
  await say(channel, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n");
  for (let i = 1; i <= 9; i++) {
    await say(channel, "x");
    await until(() => run.body.length === i);
    network.clock.advance(9_000);
  }
  const { fault, time } = await run.result;
  assertEquals([fault, time > 70_000], [undefined, true]);
});

Deno.test("probe: who takes the body may take their time, and can still be stopped", async () => {
  await using network = new MemoryNetwork();
  serve(network, OK);
  const controller = new AbortController();
  let given = 0;
  const { result } = start(network, {
    signal: controller.signal,
    onData() {
      given++;
      return new Promise(() => {});
    },
  });
  await until(() => given === 1);
  network.clock.advance(60_000);
  controller.abort(new Fault("client_disconnected", "Stopped"));
  assertEquals((await result).fault?.code, "client_disconnected");
  assertEquals(network.clock.pending, 0);
});

Deno.test("probe: what stops it ends the step under way, and no alternative is tried", async () => {
  await using network = new MemoryNetwork();
  network.silent.add(SOCKS);
  const controller = new AbortController();
  const via = [`socks5://${SOCKS}`, `http://${HTTP}`];
  const run = start(network, { via, signal: controller.signal });
  await until(() => run.steps.length === 1);
  controller.abort(new Fault("client_disconnected", "Stopped"));
  assertEquals((await run.result).fault?.code, "client_disconnected");
  assertEquals(run.steps.at(-1), `socks5 ${ORIGIN}: client_disconnected`);
  assertEquals(network.dialed, [SOCKS]);
});

Deno.test("probe: stopped before it begins it dials nobody", async () => {
  await using network = new MemoryNetwork();
  const signal = AbortSignal.abort(new Fault("client_disconnected", "Stopped"));
  assertEquals((await start(network, { signal }).result).fault?.code, "client_disconnected");
  assertEquals(network.dialed, []);
});

Deno.test("request: a URL keeps its octets, and what is no URL of http or https is told", () => {
  const table: Readonly<Record<string, [string, number, string, string]>> = {
    "http://a.test": ["a.test", 80, "a.test", "/"],
    "HTTP://a.test:80/x/../%7e?q#f": ["a.test", 80, "a.test", "/x/../%7e?q"],
    "https://[::1]:8443?q": ["::1", 8443, "[::1]:8443", "/?q"],
    "https://[2001:DB8::1]/": ["2001:db8::1", 443, "[2001:db8::1]", "/"],
  };
  for (const [text, [host, port, authority, path]] of Object.entries(table)) {
    const url = parseHttpUrl(text);
    assertEquals([url.address, url.authority, url.path], [{ host, port }, authority, path], text);
  }
  for (
    const text of [
      "a.test",
      "ftp://a.test/",
      "http://",
      "http://a.test:0/",
      "http://a.test/ ",
      "http://ä.test/",
    ]
  ) {
    assertThrows(() => parseHttpUrl(text), UsageError, text);
  }
  const { message } = assertThrows(() => parseHttpUrl("http://ann:s3cr3t@a.test/"), UsageError);
  assertEquals(message.includes("s3cr3t"), false);
});

Deno.test("request: the caller's fields take the place of our own", () => {
  const fields = new Fields([{ name: "host", value: "b.test" }, { name: "X-A", value: "1" }]);
  const head = fromOctets(requestHead({ url: parseHttpUrl("http://a.test/"), method: "POST", fields }));
  assertEquals(
    head.replace(/sluice\/[^\r]*/, "sluice"),
    [
      "POST / HTTP/1.1",
      "User-Agent: sluice",
      "Accept: */*",
      "Content-Length: 0",
      "Connection: close",
      "host: b.test",
      "X-A: 1",
      "",
      "",
    ].join("\r\n"),
  );
});
