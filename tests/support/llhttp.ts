/**
 * llhttp, the parser of Node, as a second opinion on messages. It is the parser behind `node:http`, used here without a
 * socket.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import * as common from "node:_http_common";

type Callback = (...values: never[]) => unknown;

interface Parser {
  initialize(type: number, resource: object, maxHeaderSize: number): void;
  execute(bytes: Buffer): number | Error;
  close(): void;
  finish(): number | Error | undefined;
  [callback: number]: Callback;
}

interface ParserClass {
  new (): Parser;
  readonly REQUEST: number;
  readonly RESPONSE: number;
  readonly kOnMessageBegin: number;
  readonly kOnHeaders: number;
  readonly kOnHeadersComplete: number;
  readonly kOnBody: number;
  readonly kOnMessageComplete: number;
}

const { HTTPParser, methods } = common as unknown as { HTTPParser: ParserClass; methods: string[] };

/** No head in the tests is larger. */
const MAX_HEADER_SIZE = 2 ** 20;

/** llhttp's number for QUERY. It comes after the methods of RTSP, which the list of methods leaves out. */
const QUERY = 46;

/** The methods that llhttp knows; it refuses all others. */
export const METHODS: readonly string[] = methods;

/** One message as llhttp reads it. Text is one character for each octet. */
export interface Message {
  method: string;
  target: string;
  status: number;
  reason: string;
  version: string;
  fields: [name: string, value: string][];
  trailers: [name: string, value: string][];
  body: string;
  /** Whether the whole message was there. */
  complete: boolean;
  /** Whether the bytes behind it are not HTTP. */
  upgrade: boolean;
  /** Whether another message may follow. */
  persistent: boolean;
}

/** The result of llhttp for some bytes. */
export interface Reading {
  readonly messages: readonly Message[];
  /** Why llhttp gave up: its code, such as `HPE_INVALID_HEADER_TOKEN`. */
  readonly refused: string | undefined;
}

/** How to read. */
export interface ReadingOptions {
  /** Whether the responses answer HEAD. */
  readonly bodyless?: boolean;
}

/** Reads the requests in the bytes, after which the sender closes. */
export function readRequests(bytes: Uint8Array): Reading {
  return read(bytes, { type: HTTPParser.REQUEST });
}

/** Reads the responses in the bytes, after which the sender closes. */
export function readResponses(bytes: Uint8Array, options: ReadingOptions = {}): Reading {
  return read(bytes, { type: HTTPParser.RESPONSE, ...options });
}

function read(bytes: Uint8Array, { type, bodyless }: ReadingOptions & { type: number }): Reading {
  const messages: Message[] = [];
  const parser = new HTTPParser();
  parser.initialize(type, {}, MAX_HEADER_SIZE);
  let lines: string[] = [];
  let message = emptyMessage();
  let inBody = false;
  parser[HTTPParser.kOnMessageBegin] = () => {
    message = emptyMessage();
    messages.push(message);
    lines = [];
    inBody = false;
  };
  parser[HTTPParser.kOnHeaders] = (some: string[], target: string) => {
    lines.push(...some);
    message.target += target;
    if (inBody) message.trailers = pairs(lines);
  };
  parser[HTTPParser.kOnHeadersComplete] = ((
    major: number,
    minor: number,
    some: string[] | null | undefined,
    method: number,
    target: string | null | undefined,
    status: number | null | undefined,
    reason: string | null | undefined,
    upgrade: boolean,
    persistent: boolean,
  ) => {
    message.version = `${major}.${minor}`;
    message.method = (method === QUERY ? "QUERY" : methods[method]) ?? "";
    message.target += target ?? "";
    message.status = status ?? 0;
    message.reason = reason ?? "";
    message.fields = pairs([...lines, ...some ?? []]);
    message.upgrade = upgrade;
    message.persistent = persistent;
    lines = [];
    inBody = true;
    return bodyless ? 1 : 0;
  }) as Callback;
  parser[HTTPParser.kOnBody] = ((part: Uint8Array) => {
    message.body += Buffer.from(part).toString("latin1");
  }) as Callback;
  parser[HTTPParser.kOnMessageComplete] = () => {
    message.complete = true;
  };
  const executed = parser.execute(Buffer.from(bytes));
  const finished = executed instanceof Error ? executed : parser.finish();
  parser.close();
  const error = [executed, finished].find((result) => result instanceof Error) as
    | { code: string }
    | undefined;
  return { messages, refused: error?.code };
}

function emptyMessage(): Message {
  return {
    method: "",
    target: "",
    status: 0,
    reason: "",
    version: "",
    fields: [],
    trailers: [],
    body: "",
    complete: false,
    upgrade: false,
    persistent: false,
  };
}

function pairs(lines: string[]): [string, string][] {
  return Array.from({ length: lines.length / 2 }, (_, i) => [lines[2 * i], lines[2 * i + 1]]);
}
