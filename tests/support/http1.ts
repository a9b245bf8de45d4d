/**
 * HTTP/1.1 codecs in the form that `codec.ts` takes: each reads one message and returns plain data, which can be
 * compared.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { Buffer } from "node:buffer";
import { Fault } from "../../src/faults.ts";
import { ByteBuffer } from "../../src/streams/byte_buffer.ts";
import type { Credentials, HandshakeOptions, ProxyRequest } from "../../src/protocols/common/handshake.ts";
import { bodyReader } from "../../src/protocols/http1/body.ts";
import type { Fields } from "../../src/protocols/http/fields.ts";
import type { Framing, HttpRequest, RequestHead, ResponseHead } from "../../src/protocols/http/message.ts";
import { parseTarget, type RequestTarget } from "../../src/protocols/http/target.ts";
import { HttpHandshake } from "../../src/protocols/http1/handshake.ts";
import { RequestHeadReader, ResponseHeadReader } from "../../src/protocols/http1/head.ts";
import { understand } from "../../src/protocols/http1/request.ts";
import type { Subject } from "./codec.ts";
import { settingsWith } from "./settings.ts";

/** Characters as octets, one each. */
export function latin1(text: string): Uint8Array {
  const bytes = Buffer.from(text, "latin1");
  assert(bytes.toString("latin1") === text, `Not of octets: ${text}`);
  return Uint8Array.from(bytes);
}

/** Octets as characters, one each. */
export function fromLatin1(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("latin1");
}

/**
 * A header or trailer section as data. `Fields` keeps its lines private, so a comparison would take any two for equal.
 */
export type Lines = [name: string, value: string][];

/** The lines of a section. */
export function linesOf(fields: Fields): Lines {
  return Array.from(fields, ({ name, value }) => [name, value]);
}

/** A message's head as data. */
export type Plain<T extends { fields: Fields }> = Omit<T, "fields"> & { fields: Lines };

/** A head as data. */
export type PlainHead = Plain<RequestHead>;

function plain({ method, target, version, fields }: RequestHead): PlainHead {
  return { method, target, version, fields: linesOf(fields) };
}

/** A head as data. */
export type PlainResponseHead = Plain<ResponseHead>;

function plainResponse({ version, status, reason, fields }: ResponseHead): PlainResponseHead {
  return { version, status, reason, fields: linesOf(fields) };
}

/** A codec that is not read again after its one event or fault, as on a connection. */
export class Once<E> {
  readonly #next: (buffer: ByteBuffer) => E | undefined;
  #done = false;

  /** `next` reads the event. */
  constructor(next: (buffer: ByteBuffer) => E | undefined) {
    this.#next = next;
  }

  /** The event. Undefined from the second call on. */
  read(buffer: ByteBuffer): E | undefined {
    if (this.#done) return undefined;
    this.#done = true;
    const event = this.#next(buffer);
    this.#done = event !== undefined;
    return event;
  }
}

/** Request heads. */
export function requestHeads(limit = 65536): Subject<Once<PlainHead>> {
  return {
    make() {
      const reader = new RequestHeadReader(limit);
      return new Once((buffer) => {
        const head = reader.read(buffer);
        return head && plain(head);
      });
    },
  };
}

/** Response heads. */
export function responseHeads(limit = 65536): Subject<Once<PlainResponseHead>> {
  return {
    make() {
      const reader = new ResponseHeadReader(limit);
      return new Once((buffer) => {
        const head = reader.read(buffer);
        return head && plainResponse(head);
      });
    },
  };
}

/** A body as data. */
export interface PlainBody {
  readonly content: string;
  readonly trailers: Lines;
}

/** Whole bodies. The network alone decides how much content comes in one event, so it is joined. */
export function bodies(
  framing: Framing,
  { maxTrailerSize = 65536, mend = false } = {},
): Subject<Once<PlainBody>> {
  return {
    make() {
      const reader = bodyReader(framing, { maxTrailerSize, mend });
      let content = "";
      return new Once((buffer) => {
        while (true) {
          const event = reader.read(buffer);
          if (event?.type === "data") content += fromLatin1(event.bytes);
          else return event && { content, trailers: linesOf(event.trailers) };
        }
      });
    },
  };
}

/** The events of a handshake, as data. */
export type PlainEvent =
  | { readonly credentials: Credentials | undefined }
  | { readonly kind: ProxyRequest["kind"]; readonly target: unknown; readonly head?: PlainHead };

/** An HTTP handshake whose credentials are accepted, and which is not read again after its request or fault. */
export class HandshakeCodec {
  readonly handshake: HttpHandshake;
  #done = false;

  /** Makes the handshake. */
  constructor(options: HandshakeOptions) {
    this.handshake = new HttpHandshake(options);
  }

  /** The next event. */
  read(buffer: ByteBuffer): PlainEvent | undefined {
    if (this.#done) return undefined;
    this.#done = true;
    const event = this.handshake.read(buffer);
    this.#done = event?.type === "request";
    if (event === undefined) return undefined;
    assert(event.type !== "reply", "HTTP says nothing before its request was read");
    if (event.type === "credentials") {
      assertEquals(this.handshake.accepted(), new Uint8Array(0));
      return { credentials: event.credentials };
    }
    const { request } = event;
    if (request.kind === "tunnel" || request.kind === "association") {
      return { kind: request.kind, target: request.target };
    }
    const target = request.kind === "exchange" ? request.target : undefined;
    return { kind: request.kind, target, head: plain(request.http.head) };
  }
}

/** The options of a handshake by default in the tests. */
export const HANDSHAKE_OPTIONS: HandshakeOptions = {
  credentialsRequired: false,
  settings: settingsWith(),
  reference: "7-1",
  date: () => new Date(0),
};

/** HTTP handshakes. */
export function handshakes(options: Partial<HandshakeOptions> = {}): Subject<HandshakeCodec> {
  return { make: () => new HandshakeCodec({ ...HANDSHAKE_OPTIONS, ...options }) };
}

/** Parses a request head, which must be complete. */
export function request(head: string): HttpRequest {
  const read = new RequestHeadReader(65536).read(ByteBuffer.of(latin1(head)));
  assert(read, "The head is not complete");
  return understand(read);
}

/** Parses a response head, which must be complete. */
export function response(head: string): NonNullable<ReturnType<ResponseHeadReader["read"]>> {
  const read = new ResponseHeadReader(65536).read(ByteBuffer.of(latin1(head)));
  assert(read, "The head is not complete");
  return read;
}

/** A target as data. */
export type PlainTarget =
  | Exclude<RequestTarget, { form: "absolute" }>
  | Pick<Extract<RequestTarget, { form: "absolute" }>, "form" | "address" | "authority" | "path">;

/** Reads a target from text. */
export function targetOf(text: string, method: string): PlainTarget {
  const octets = latin1(text);
  const target = parseTarget(octets, 0, octets.length, method);
  if (target.form !== "absolute") return target;
  const { form, address, authority, path } = target;
  return { form, address, authority, path };
}

/** The fault that a function throws. */
export function faultOf(act: () => unknown): Fault {
  let result: unknown;
  try {
    result = act();
  } catch (error) {
    if (error instanceof Fault) return error;
    throw error;
  }
  throw new Error(`There was no fault but ${JSON.stringify(result)}`);
}

/** A character in the form that a test's name shows. */
export function visible(text: string): string {
  return JSON.stringify(text).replace(
    /[\x7F-\xFF]/g,
    (char) => `\\x${char.charCodeAt(0).toString(16)}`,
  );
}
