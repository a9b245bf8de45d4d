/**
 * Micro benches: codecs, policy, and whole conversations over streams in memory.
 *
 * `deno task bench` installs what this needs and runs it; after that `bun bench/micro_cases.ts` and
 * (from Node 22.18) `node bench/micro_cases.ts` run the same file. With words it runs only the cases whose names have
 * one of them.
 *
 * @module
 */

import process from "node:process";
import { setImmediate } from "node:timers";
import { Channel } from "../src/streams/channel.ts";
import { specialPurpose } from "../src/policy/destination_guard.ts";
import { parseRule } from "../src/policy/rule.ts";
import { Rules } from "../src/policy/rules.ts";
import { ByteBuffer } from "../src/streams/byte_buffer.ts";
import { detect } from "../src/protocols/detection.ts";
import { bodyReader } from "../src/protocols/http1/body.ts";
import { forwardedRequest, forwardedResponse } from "../src/protocols/http1/forwarding.ts";
import { responseFraming } from "../src/protocols/http1/framing.ts";
import { RequestHeadReader, ResponseHeadReader } from "../src/protocols/http1/head.ts";
import { understand } from "../src/protocols/http1/request.ts";
import { Socks5Handshake } from "../src/protocols/socks/socks5.ts";
import { relay } from "../src/traffic/relay.ts";
import type { Runtime } from "../src/runtime/contract.ts";
import { createProxy } from "../src/proxy/server.ts";
import { MemoryEnd } from "./memory_end.ts";
import { completeSettings } from "../src/settings/settings.ts";

/** The part of mitata that is used here. */
interface Mitata {
  measure(body: unknown): Promise<{ readonly p50: number; readonly p99: number }>;
  do_not_optimize(value: unknown): void;
}

// By its path, since each runtime looks for packages in other places when they are imported by name.
const MITATA = new URL("../.toolchain/mitata/node_modules/mitata/src/main.mjs", import.meta.url).href;
const { measure, do_not_optimize } = await import(MITATA) as Mitata;

const LIMIT = 16 * 1024;
const KIB = 1024;
const MIB = 1024 * KIB;

const REQUEST = bytes(
  "GET http://www.example.com/articles/2026/streams?page=2 HTTP/1.1\r\nHost: www.example.com\r\n" +
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\r\n" +
    "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\nAccept-Language: en,de;q=0.5\r\n" +
    "Accept-Encoding: gzip, deflate, br\r\nReferer: http://www.example.com/\r\nCookie: session=8f14e45fceea167a\r\n" +
    "Proxy-Connection: keep-alive\r\nCache-Control: max-age=0\r\n\r\n",
);
const SMALL_REQUEST = bytes(
  "GET http://www.example.com/ HTTP/1.1\r\nHost: www.example.com\r\nUser-Agent: curl/8.14.1\r\nAccept: */*\r\n" +
    "Proxy-Connection: Keep-Alive\r\n\r\n",
);
const RESPONSE = bytes(
  "HTTP/1.1 200 OK\r\nServer: origin\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\nContent-Type: text/plain\r\n" +
    'ETag: "5d8c72a5edda8"\r\nCache-Control: max-age=60\r\nVary: Accept-Encoding\r\nContent-Length: 100\r\n\r\n',
);
const ANSWER = bytes(String.fromCharCode(...RESPONSE) + "x".repeat(99) + "\0");
const CHUNKED = bytes(("400\r\n" + "x".repeat(KIB) + "\r\n").repeat(16) + "0\r\n\r\n");
const BLOCK = new Uint8Array(64 * KIB);
const TO_CLIENT = {
  framing: { kind: "length", length: 100 },
  persistent: true,
  name: "proxy",
  date: () => new Date(),
} as const;

function bytes(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

interface Case {
  readonly name: string;
  /** Sets up, and returns the function that is measured. */
  readonly prepare: () => (() => unknown) | Promise<() => unknown>;
}

const CASES: readonly Case[] = [
  { name: "detection", prepare: detection },
  { name: "request head, parse", prepare: requestHead },
  { name: "request head, understand", prepare: requestMeaning },
  { name: "request head, serialize", prepare: requestSerializing },
  { name: "response head, parse", prepare: responseHead },
  { name: "response head, serialize", prepare: responseSerializing },
  { name: "heads, a small request", prepare: () => wholeRequest(SMALL_REQUEST) },
  { name: "heads, a browser's request", prepare: () => wholeRequest(REQUEST) },
  { name: "heads, a response", prepare: wholeResponse },
  { name: "chunked body, 16 of 1 KiB", prepare: chunkedBody },
  { name: "SOCKS5 handshake", prepare: socks5 },
  { name: "guard, 6 addresses", prepare: guard },
  { name: "rules, the last of 100", prepare: rules },
  { name: "relay in memory, 4 MiB", prepare: relaying },
  { name: "exchange in memory", prepare: exchange },
  { name: "tunnel in memory", prepare: tunnel },
];

function detection(): () => unknown {
  const buffer = ByteBuffer.of(REQUEST);
  return () => detect(buffer);
}

function requestHead(): () => unknown {
  const buffer = new ByteBuffer(2 * KIB);
  return () => {
    buffer.append(REQUEST);
    return new RequestHeadReader(LIMIT).read(buffer);
  };
}

function requestMeaning(): () => unknown {
  const head = new RequestHeadReader(LIMIT).read(ByteBuffer.of(REQUEST))!;
  return () => understand(head);
}

function requestSerializing(): () => unknown {
  const request = understand(new RequestHeadReader(LIMIT).read(ByteBuffer.of(REQUEST))!);
  return () => forwardedRequest(request, { name: "proxy", persistent: true });
}

function responseHead(): () => unknown {
  const buffer = new ByteBuffer(2 * KIB);
  return () => {
    buffer.append(RESPONSE);
    return new ResponseHeadReader(LIMIT).read(buffer);
  };
}

function responseSerializing(): () => unknown {
  const head = new ResponseHeadReader(LIMIT).read(ByteBuffer.of(RESPONSE))!;
  return () => forwardedResponse(head, TO_CLIENT);
}

/** What a head costs in all: it is read, understood and written. */
function wholeRequest(bytes: Uint8Array): () => unknown {
  const buffer = new ByteBuffer(2 * KIB);
  return () => {
    buffer.append(bytes);
    const request = understand(new RequestHeadReader(LIMIT).read(buffer)!);
    return forwardedRequest(request, { name: "proxy", persistent: true });
  };
}

function wholeResponse(): () => unknown {
  const buffer = new ByteBuffer(2 * KIB);
  return () => {
    buffer.append(RESPONSE);
    const head = new ResponseHeadReader(LIMIT).read(buffer)!;
    return forwardedResponse(head, { ...TO_CLIENT, framing: responseFraming(head, "GET") });
  };
}

function chunkedBody(): () => unknown {
  const buffer = new ByteBuffer(32 * KIB);
  return () => {
    buffer.append(CHUNKED);
    const reader = bodyReader({ kind: "chunked" }, { maxTrailerSize: LIMIT, mend: false });
    let length = 0;
    for (let event = reader.read(buffer); event?.type === "data"; event = reader.read(buffer)) {
      length += event.bytes.length;
    }
    return length;
  };
}

function socks5(): () => unknown {
  const options = {
    credentialsRequired: false,
    settings: completeSettings({ name: "proxy", privateDestinations: "allow" }),
    reference: "1",
    date: () => new Date(),
  };
  const greeting = Uint8Array.of(5, 1, 0);
  const request = Uint8Array.of(5, 1, 0, 3, 15, ...bytes("www.example.com"), 1, 187);
  const buffer = new ByteBuffer(2 * KIB);
  return () => {
    const handshake = new Socks5Handshake(options);
    buffer.append(greeting);
    do_not_optimize(handshake.read(buffer));
    buffer.append(request);
    do_not_optimize(handshake.read(buffer));
    return handshake.established({ local: { host: "192.0.2.1", port: 1080 } });
  };
}

function guard(): () => unknown {
  const hosts = [
    "127.0.0.1",
    "10.1.2.3",
    "198.51.100.7",
    "2606:4700::6810:84e5",
    "::ffff:192.168.1.1",
    "fe80::1",
  ];
  return () => hosts.map(specialPurpose);
}

function rules(): () => unknown {
  const patterns = Array.from(
    { length: 100 },
    (_, i) => i % 4 === 3 ? `10.${i}.0.0/16` : `*.${i}.example.net`,
  );
  const all = new Rules(patterns.map((pattern) => parseRule("deny", pattern, "--deny")));
  const request = {
    host: "www.example.com",
    port: 443,
    protocol: "connect",
    user: undefined,
    client: "127.0.0.1",
    address: "10.99.0.1",
  } as const;
  return () => all.decide(request);
}

function relaying(): () => unknown {
  const ignored = { sent: () => {}, received: () => {}, halfClosed: () => {} };
  return () => {
    const client = new MemoryEnd({ onWrite: () => {} });
    const target = new MemoryEnd({ onWrite: () => {}, onClose: (end) => end.end() });
    for (let sent = 0; sent < 4 * MIB; sent += BLOCK.length) client.push(BLOCK);
    client.end();
    const { promise, ...end } = Promise.withResolvers();
    relay(new Channel(client.stream, "client"), new Channel(target.stream, "target"), { ...ignored, ...end });
    return promise;
  };
}

/** A runtime that dials no network: each connection leads to an end that `dial` makes. */
function memoryRuntime(dial: () => MemoryEnd): Runtime {
  const absent = () => Promise.reject(new Error("There is no such thing in memory"));
  return {
    name: "memory",
    resolve: () => Promise.resolve({ addresses: ["192.0.2.80"] }),
    dial: () => Promise.resolve(dial().stream),
    listen: absent,
    openDatagrams: absent,
    acceptTls: absent,
    connectTls: absent,
    descriptorLimit: () => undefined,
    environment: () => undefined,
    environmentNames: () => [],
    ownAddresses: () => [],
  };
}

/** One request after the other on one connection, to an origin whose connection is kept as well. */
async function exchange(): Promise<() => unknown> {
  // The answer comes a turn of the event loop later, as from a socket; during the write it would be an early answer.
  const onWrite = (_: Uint8Array, origin: MemoryEnd) => void setImmediate(() => origin.push(ANSWER));
  const runtime = memoryRuntime(() => new MemoryEnd({ onWrite }));
  const proxy = await createProxy({ listen: [], runtime });
  let answered: () => void = () => {};
  const client = new MemoryEnd({ onWrite: (answer) => answer.at(-1) === 0 && answered() });
  proxy.handle(client.stream);
  return () =>
    new Promise<void>((resolve) => {
      answered = resolve;
      client.push(REQUEST);
    });
}

/** One tunnel: CONNECT, a message that the origin sends back, and the close. */
async function tunnel(): Promise<() => unknown> {
  const runtime = memoryRuntime(() =>
    new MemoryEnd({
      onWrite: (message, origin) => origin.push(message.slice()),
      onClose: (origin) => origin.end(),
    })
  );
  const proxy = await createProxy({ listen: [], runtime });
  const connect = bytes("CONNECT www.example.com:443 HTTP/1.1\r\nHost: www.example.com:443\r\n\r\n");
  return () => {
    let replied = false;
    const client = new MemoryEnd({
      onWrite: () => {
        if (replied) client.end();
        else client.push(ANSWER);
        replied = true;
      },
    });
    client.push(connect);
    return proxy.handle(client.stream);
  };
}

/** Writes nanoseconds in a unit that needs few digits. */
function time(nanoseconds: number): string {
  const [unit, size] = nanoseconds < 1e3 ? ["ns", 1] : nanoseconds < 1e6 ? ["µs", 1e3] : ["ms", 1e6];
  return `${(nanoseconds / Number(size)).toPrecision(3)} ${unit}`;
}

const words = process.argv.slice(2);
const wanted = CASES.filter(({ name }) => words.length === 0 || words.some((word) => name.includes(word)));
console.log(`${"".padEnd(28)}${"median".padStart(10)}${"p99".padStart(10)}`);
for (const { name, prepare } of wanted) {
  const { p50, p99 } = await measure(await prepare());
  console.log(`${name.padEnd(28)}${time(p50).padStart(10)}${time(p99).padStart(10)}`);
}
process.exit();
