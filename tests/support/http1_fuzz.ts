/**
 * Fuzzes parsers of HTTP/1.1: the inputs, and what must hold for each.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import process from "node:process";
import { Fault } from "../../src/faults.ts";
import { ByteBuffer } from "../../src/streams/byte_buffer.ts";
import { fromLatin1, latin1 } from "./http1.ts";
import { Random, SEED, singly } from "./random.ts";

/** How many random inputs each parser gets, and how many changed samples; `FUZZ=1000000` is the long form. */
export const ROUNDS = Number(process.env.FUZZ ?? 5000);
const LONG = process.env.FUZZ !== undefined;

/** An input that takes this long is slow, in milliseconds. */
const SLOW = 50;
/** An input that takes this long hangs, in milliseconds: no load on the machine explains it. */
const HANG = 1000;

/** Something that reads messages. */
export interface Parser {
  /** Takes one message off the buffer. Undefined if it needs more bytes. */
  read(buffer: ByteBuffer): unknown;
  /** The message that ends with the close of the sender, if there is one. */
  end?(): unknown;
}

/** The result of a parser for an input. */
export interface Outcome {
  readonly events: readonly unknown[];
  readonly fault: Fault | undefined;
  /** For comparison: the part that must not depend on the cuts. */
  readonly summary: string;
}

/** Runs a new parser over bytes that arrive in pieces, after which the sender closes. */
export function parse(make: () => Parser, pieces: Iterable<Uint8Array>): Outcome {
  const parser = make();
  const buffer = new ByteBuffer(64);
  const events: unknown[] = [];
  let fault: Fault | undefined;
  try {
    for (const piece of pieces) {
      buffer.append(piece);
      for (let event = parser.read(buffer); event !== undefined; event = parser.read(buffer)) {
        events.push(event);
      }
    }
    const last = parser.end?.();
    if (last !== undefined) events.push(last);
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    fault = error;
  }
  const { code, status, message } = fault ?? {};
  const rest = fault ? undefined : buffer.length;
  return { events, fault, summary: JSON.stringify([events, code, status, message, rest]) };
}

/** How many milliseconds a function takes. A slow run is repeated, because the machine may have paused. */
function measure(act: () => unknown, tries = 3): number {
  const start = performance.now();
  act();
  const time = performance.now() - start;
  return time < SLOW || tries === 1 ? time : measure(act, tries - 1);
}

/** Asserts that a function does not hang, and returns how many milliseconds it takes. */
export function assertEnds(act: () => unknown, what: string): number {
  const time = measure(act);
  assert(time < HANG, `${what} took ${time} ms`);
  return time;
}

/** Lines that may stand in a message. Which of them are valid depends on the rest of the message. */
const LINES = `GET http://a/ HTTP/1.1
OPTIONS http://a HTTP/1.1
CONNECT a:443 HTTP/1.1
HTTP/1.1 200 OK
HTTP/1.1 101 Switching Protocols
HTTP/1.0 304 Not Modified
Host: a
Content-Length: 5
Content-Length: 0
Content-Length:
Content-Length: 5, 5
Transfer-Encoding: chunked
Transfer-Encoding: ,
Transfer-Encoding:
Connection: close
Connection: upgrade
Connection: Host, Content-Length, Date, X, Transfer-Encoding
Upgrade: h2c, websocket
Via: 1.0 a
Expect: 100-continue
Max-Forwards: 1
Max-Forwards: 0
Proxy-Authorization: Basic YTpi
Date: x
Set-Cookie: a=b
TE: trailers
X:
X: \xE4\xA0
X : a
 folded

0
5
1fffffffffffff
0;a="b"`.split("\n").map((line) => latin1(`${line}\r\n`));

/** Characters and words that may stand within a line, or end it. */
const WORDS = [
  ...Array.from('\r\n\t\0\x7F\x80\xA0\xFF ,;:="\\0a/?#*'),
  ...'HTTP/1.1|HTTP/1.0|HTTP/2.0|GET |HEAD |OPTIONS |POST |TRACE |http://|a:443|chunked|, chunked|gzip, | : |;a="b"'
    .split("|"),
  ...["\r\n\r\n", "\r\n ", "5\r\nhello\r\n", "0\r\n\r\n", "1;a=b\r\nx\r\n"],
].map(latin1);

function join(...parts: Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** Bytes of any value, or words and lines in any order. */
function randomInput(random: Random): Uint8Array {
  if (random.below(3) === 0) return random.bytes(random.below(200));
  return join(...Array.from({ length: random.below(20) }, () => random.pick(random.pick([WORDS, LINES]))));
}

/** Where a random line begins. */
function lineStart(random: Random, bytes: Uint8Array): number {
  return bytes.indexOf(0x0A, random.below(bytes.length + 1)) + 1;
}

/** A valid input with a few changes of bytes, words, lines and halves. */
function spoiledInput(random: Random, samples: readonly Uint8Array[]): Uint8Array {
  let bytes = random.pick(samples);
  for (let changes = 1 + random.below(3); changes > 0; changes--) {
    const [at, line, other] = [
      random.below(bytes.length + 1),
      lineStart(random, bytes),
      random.pick(samples),
    ];
    switch (random.below(8)) {
      case 0:
        bytes = random.mutate(bytes);
        break;
      case 1:
        bytes = join(bytes.subarray(0, at), random.pick(WORDS), bytes.subarray(at));
        break;
      case 2:
        bytes = join(bytes.subarray(0, line), bytes.subarray(Math.min(at, line)));
        break;
      case 3:
        bytes = join(bytes.subarray(0, line), other.subarray(lineStart(random, other)));
        break;
      default:
        bytes = join(bytes.subarray(0, line), random.pick(LINES), bytes.subarray(line));
    }
  }
  return bytes;
}

/** How to fuzz. */
export interface FuzzOptions {
  /** Valid inputs, which the fuzzer changes. */
  readonly samples: readonly Uint8Array[];
  /** What must hold for every outcome. */
  readonly check?: (outcome: Outcome, input: Uint8Array) => void;
}

/**
 * Asserts that only a fault is thrown, that no input hangs, and that an input means the same in other pieces. Every
 * kind of outcome has to be seen: that proves that the inputs are neither too valid nor too broken.
 */
export async function fuzzMessages(make: () => Parser, { samples, check }: FuzzOptions): Promise<void> {
  const random = new Random();
  const tally = { events: 0, faults: 0, waits: 0 };
  let slow = 0;
  let slowest = 0;
  for (let round = 0; round < 2 * ROUNDS; round++) {
    // llhttp's parsers free their memory only between turns.
    if (round % 1000 === 0) await new Promise((resolve) => setTimeout(resolve));
    const input = round % 2 === 0 ? randomInput(random) : spoiledInput(random, samples);
    try {
      let parsed: Outcome | undefined;
      const time = assertEnds(() => parsed = parse(make, [input]), "The input");
      const whole = parsed!;
      slowest = Math.max(slowest, time);
      if (time >= SLOW) slow++;
      check?.(whole, input);
      for (const pieces of [random.split(input), singly(input)]) {
        const { summary } = parse(make, pieces);
        if (summary !== whole.summary) assertEquals(JSON.parse(summary), JSON.parse(whole.summary));
      }
      tally.events += whole.events.length;
      if (whole.fault) tally.faults++;
      else tally.waits++;
    } catch (error) {
      const context = `Round ${round} of seed ${SEED}: ${JSON.stringify(fromLatin1(input))}`;
      throw new Error(`${context}: ${(error as Error).message}`, { cause: error });
    }
  }
  for (const [outcome, count] of Object.entries(tally)) {
    assert(count > ROUNDS / 100, `There were ${count} ${outcome}`);
  }
  const { rss } = process.memoryUsage();
  if (LONG) console.log({ ...tally, slow, slowest: Math.round(slowest), rss: Math.round(rss / 2 ** 20) });
}
