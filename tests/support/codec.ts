/**
 * Feeds a codec the same bytes in every way in which a network may deliver them: whole, one at a time, with more bytes
 * behind them. The result has to be the same.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { Fault } from "../../src/faults.ts";
import { ByteBuffer } from "../../src/streams/byte_buffer.ts";
import { FUZZ_ROUNDS, Random, SEED, singly } from "./random.ts";

/** Something that takes events off a buffer. Undefined: it needs more bytes. */
export interface Codec {
  read(buffer: ByteBuffer): unknown;
}

/** The events of a codec. */
export type EventOf<C extends Codec> = Exclude<ReturnType<C["read"]>, undefined>;

/** A codec to test. */
export interface Subject<C extends Codec> {
  /** Makes a new codec for each run. */
  readonly make: () => C;
  /** Called with each event before the codec is read again. */
  readonly answer?: (codec: C, event: EventOf<C>) => void;
}

/** The result of a codec for some bytes. */
export interface Transcript<C extends Codec> {
  readonly codec: C;
  readonly events: readonly EventOf<C>[];
  /** The fault that ended the run, if one did. */
  readonly fault: Fault | undefined;
  /** How many bytes the codec has taken off the buffer. */
  readonly taken: number;
  /** The bytes that stayed in the buffer. */
  readonly rest: Uint8Array;
}

/** Bytes that a client sends after its request. They contain what a careless codec would misread. */
const TRAILING = octets('05 01 00 0d 0a 00 04 01 16 ff "GET / HTTP/1.1" 0d 0a 0d 0a 00');

/** Bytes from a notation: hexadecimal digits, `"text"` in UTF-8, and spaces or slashes between them. */
export function octets(notation: string): Uint8Array {
  const bytes: number[] = [];
  for (const [, text, digits] of notation.matchAll(/"([^"]*)"|([0-9a-f]{2})|[^\s/]/gi)) {
    if (text !== undefined) bytes.push(...new TextEncoder().encode(text));
    else if (digits !== undefined) bytes.push(parseInt(digits, 16));
    else throw new SyntaxError(`Cannot read the notation: ${notation}`);
  }
  return Uint8Array.from(bytes);
}

/** Bytes one behind the other. */
export function concat(...parts: Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

/** Runs a new codec over bytes that arrive in pieces, until they are used up or a fault ends the run. */
export function transcribe<C extends Codec>(
  { make, answer }: Subject<C>,
  pieces: Iterable<Uint8Array>,
): Transcript<C> {
  const codec = make();
  const buffer = new ByteBuffer(0);
  const events: EventOf<C>[] = [];
  let fault: Fault | undefined;
  let fed = 0;
  const next = () => codec.read(buffer) as EventOf<C> | undefined;
  for (const piece of pieces) {
    buffer.append(piece);
    fed += piece.length;
    try {
      for (let event = next(); event !== undefined; event = next()) {
        events.push(event);
        answer?.(codec, event);
      }
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      fault = error;
      break;
    }
  }
  return { codec, events, fault, taken: fed - buffer.length, rest: buffer.bytes.slice() };
}

/** Asserts that the codec reads exactly these events from the bytes, and does not touch the bytes behind them. */
export function assertReads<C extends Codec>(
  subject: Subject<C>,
  bytes: Uint8Array,
  events: readonly EventOf<C>[],
): void {
  for (const trailing of [new Uint8Array(0), TRAILING]) {
    for (const pieces of deliveries(concat(bytes, trailing))) {
      const { fault, ...seen } = transcribe(subject, pieces);
      assertEquals(fault, undefined);
      assertEquals(seen.events, events);
      assertEquals(seen.rest, trailing);
    }
  }
  // The last event needs the last byte: a codec that returns it earlier has guessed.
  const early = transcribe(subject, [bytes.subarray(0, -1)]);
  assertEquals(early.fault, undefined);
  assertEquals(early.events, events.slice(0, early.events.length));
  assert(early.events.length < events.length, "The last event came before the last byte");
}

/** Asserts that the codec reads these events from the bytes and then waits for more. */
export function assertWaits<C extends Codec>(
  subject: Subject<C>,
  bytes: Uint8Array,
  events: readonly EventOf<C>[] = [],
): Transcript<C>[] {
  return [...deliveries(bytes)].map((pieces) => {
    const seen = transcribe(subject, pieces);
    assertEquals(seen.fault, undefined);
    assertEquals(seen.events, events);
    return seen;
  });
}

/** Asserts that the codec reads these events and then throws a fault, after which it reads nothing more. */
export function assertFaults<C extends Codec>(
  subject: Subject<C>,
  bytes: Uint8Array,
  events: readonly EventOf<C>[] = [],
): (Transcript<C> & { readonly fault: Fault })[] {
  const all = [...deliveries(bytes), ...deliveries(concat(bytes, TRAILING))];
  return all.map((pieces) => {
    const { fault, ...seen } = transcribe(subject, pieces);
    assert(fault, "The bytes were understood");
    assertEquals(seen.events, events);
    assertStaysSilent(seen.codec, concat(seen.rest, TRAILING));
    return { ...seen, fault };
  });
}

function assertStaysSilent(codec: Codec, bytes: Uint8Array): void {
  try {
    assertEquals(codec.read(ByteBuffer.of(bytes)), undefined);
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
  }
}

function* deliveries(bytes: Uint8Array): Generator<Iterable<Uint8Array>> {
  yield [bytes];
  yield singly(bytes);
}

/** How to fuzz. */
export interface FuzzOptions<C extends Codec> {
  /** Valid inputs, which the fuzzer changes. */
  readonly samples: readonly Uint8Array[];
  /** How many inputs to try. Half of them are random, and half are changed samples. */
  readonly rounds?: number;
  /** What must hold for every result. */
  readonly check?: (seen: Transcript<C>) => void;
}

/**
 * Feeds random inputs and changed samples. Asserts that only a `Fault` is thrown, and that an input has the same result
 * however it is cut into pieces. Returns how often each kind of result was seen, so that a test can assert that it has
 * seen them all.
 */
export function fuzz<C extends Codec>(
  subject: Subject<C>,
  { samples, rounds = 2 * FUZZ_ROUNDS, check }: FuzzOptions<C>,
): { events: number; faults: number; waits: number } {
  const random = new Random();
  const tally = { events: 0, faults: 0, waits: 0 };
  for (let round = 0; round < rounds; round++) {
    const bytes = round % 2 === 0 ? random.bytes(random.below(64)) : random.mutate(random.pick(samples));
    const context = `Round ${round} of seed ${SEED}: ${bytes.toHex()}`;
    let whole: Transcript<C>;
    try {
      whole = transcribe(subject, [bytes]);
      check?.(whole);
    } catch (error) {
      throw new Error(context, { cause: error });
    }
    for (const pieces of [random.split(bytes), singly(bytes)]) {
      assertEquals(summary(transcribe(subject, pieces)), summary(whole), context);
    }
    tally.events += whole.events.length;
    if (whole.fault) tally.faults++;
    else tally.waits++;
  }
  return tally;
}

/** The part of a result that may not depend on the cuts. How far a codec got before a fault may depend on them. */
function summary<C extends Codec>({ events, fault, taken }: Transcript<C>): unknown {
  if (!fault) return { events, taken };
  return {
    events,
    fault: { code: fault.code, status: fault.status, socks5: fault.socks5, message: fault.message },
  };
}
