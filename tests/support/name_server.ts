/**
 * A name server with answers from a test (RFC 1035 section 4), over UDP and, for answers that UDP cannot carry, TCP.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { createSocket, type Socket as UdpSocket } from "node:dgram";
import { once } from "node:events";
import { createServer, type Server, type Socket as TcpSocket } from "node:net";
import { parseIp } from "../../src/addresses/host.ts";
import { Arrivals } from "./condition.ts";

/** The record types that it knows. */
const TYPES = { A: 1, CNAME: 5, AAAA: 28 } as const;

/** The response codes of RFC 1035 section 4.1.1 that tests ask for. */
const RCODES = { NOERROR: 0, SERVFAIL: 2, NXDOMAIN: 3, REFUSED: 5 } as const;

/** A question of a client. */
export interface Question {
  readonly name: string;
  readonly type: "A" | "AAAA" | "other";
}

/** A resource record: an address, or another name for `CNAME`. */
export interface NameRecord {
  /** By default, the name in question. */
  readonly name?: string;
  readonly type: keyof typeof TYPES;
  readonly data: string;
  /** In seconds; by default 60. */
  readonly ttl?: number;
}

/** An answer of the server. */
export interface NameAnswer {
  readonly rcode?: keyof typeof RCODES;
  readonly records?: readonly NameRecord[];
  /** Holds the answer back until this settles. */
  readonly after?: Promise<unknown>;
  /** Replaces the answer by these messages, over both UDP and TCP. */
  readonly forge?: (answer: Buffer) => Buffer[];
  /** An earlier answer, over UDP only, from somebody else who has seen the question and sends from another port. */
  readonly stranger?: NameAnswer;
}

/** The answer to a question that is asked for the `nth` time, from 1. Undefined: no answer. */
export type NameScript = (question: Question, nth: number) => NameAnswer | undefined;

/** The most bytes of a UDP answer. Servers have agreed on it to avoid fragments (DNS flag day 2020). */
const MAX_UDP = 1232;

/** A running name server on loopback. */
export class NameServer implements AsyncDisposable {
  /** The questions in the order in which they came, as `NAME TYPE`. */
  readonly questions = new Arrivals<string>("a question to the name server");
  readonly #script: NameScript;
  readonly #counts = new Map<string, number>();
  readonly #udp: UdpSocket;
  readonly #stranger: UdpSocket;
  readonly #tcp: Server;
  readonly #clients = new Set<TcpSocket>();
  #port = 0;
  #closed = false;

  private constructor(script: NameScript) {
    this.#script = script;
    this.#udp = createSocket("udp4", (query, { address, port }) => {
      this.#answer(query, (answer, from = this.#udp) => {
        const message = answer.length > MAX_UDP ? truncated(answer) : answer;
        return new Promise<void>((resolve) => from.send(message, port, address, () => resolve()));
      });
    });
    this.#stranger = createSocket("udp4");
    this.#tcp = createServer((socket) => this.#serve(socket));
  }

  /** Starts one on the given port, by default on a free one. */
  static async start(script: NameScript, { host = "127.0.0.1", port = 0 } = {}): Promise<NameServer> {
    while (true) {
      const server = new NameServer(script);
      try {
        await server.#listen(host, port);
        return server;
      } catch (error) {
        await server[Symbol.asyncDispose]();
        // The system has chosen a port that is free for TCP. Somebody else may have it for UDP.
        if (port !== 0 || (error as NodeJS.ErrnoException).code !== "EADDRINUSE") throw error;
      }
    }
  }

  async #listen(host: string, port: number): Promise<void> {
    this.#tcp.listen(port, host);
    await once(this.#tcp, "listening");
    this.#port = (this.#tcp.address() as { port: number }).port;
    this.#udp.bind(this.#port, host);
    await once(this.#udp, "listening");
    this.#stranger.bind(0, host);
    await once(this.#stranger, "listening");
  }

  /** Its port on 127.0.0.1. */
  get port(): number {
    return this.#port;
  }

  /** Its address, in the form that the proxy takes. */
  get authority(): string {
    return `127.0.0.1:${this.#port}`;
  }

  async #answer(query: Buffer, send: (answer: Buffer, from?: UdpSocket) => unknown): Promise<void> {
    const { name, type, end } = readQuestion(query);
    const key = `${name} ${type}`;
    const nth = (this.#counts.get(key) ?? 0) + 1;
    this.#counts.set(key, nth);
    this.questions.push(key);
    const answer = this.#script({ name, type }, nth);
    if (!answer) return;
    await answer.after;
    if (this.#closed) return;
    if (answer.stranger) await send(writeAnswer(query.subarray(0, end), answer.stranger), this.#stranger);
    const whole = writeAnswer(query.subarray(0, end), answer);
    for (const message of answer.forge?.(whole) ?? [whole]) send(message);
  }

  /** Messages behind their length in two octets (RFC 1035 section 4.2.2). */
  #serve(socket: TcpSocket): void {
    this.#clients.add(socket);
    let rest: Buffer = Buffer.alloc(0);
    socket.on("error", () => {}).on("close", () => this.#clients.delete(socket));
    socket.on("data", (chunk: Buffer) => {
      rest = Buffer.concat([rest, chunk]);
      while (rest.length >= 2 && rest.length >= 2 + rest.readUInt16BE()) {
        const query = rest.subarray(2, 2 + rest.readUInt16BE());
        rest = rest.subarray(2 + query.length);
        this.#answer(query, (answer) => socket.write(Buffer.concat([uint16(answer.length), answer])));
      }
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    for (const client of this.#clients) client.destroy();
    await Promise.all([
      new Promise<void>((resolve) => this.#tcp.close(() => resolve())),
      new Promise<void>((resolve) => this.#udp.close(() => resolve())),
      new Promise<void>((resolve) => this.#stranger.close(() => resolve())),
    ]);
  }
}

function readQuestion(query: Buffer): Question & { end: number } {
  const labels: string[] = [];
  let at = 12;
  while (query[at] !== 0) {
    labels.push(query.toString("latin1", at + 1, at + 1 + query[at]).toLowerCase());
    at += 1 + query[at];
  }
  const code = query.readUInt16BE(at + 1);
  const type = code === TYPES.A ? "A" : code === TYPES.AAAA ? "AAAA" : "other";
  return { name: labels.join("."), type, end: at + 5 };
}

/** The header and question are the query's. QR and RA are set, RD is copied. */
function writeAnswer(question: Buffer, { rcode = "NOERROR", records = [] }: NameAnswer): Buffer {
  const head = Buffer.from(question);
  head.writeUInt16BE(0x8080 | head.readUInt16BE(2) & 0x0100 | RCODES[rcode], 2);
  head.writeUInt16BE(1, 4);
  head.writeUInt16BE(records.length, 6);
  head.writeUInt32BE(0, 8);
  return Buffer.concat([
    head,
    ...records.flatMap((record) => {
      const data = record.type === "CNAME" ? writeName(record.data) : Buffer.from(parseIp(record.data)!);
      const fixed = Buffer.alloc(10);
      fixed.writeUInt16BE(TYPES[record.type], 0);
      fixed.writeUInt16BE(1, 2);
      fixed.writeUInt32BE(record.ttl ?? 60, 4);
      fixed.writeUInt16BE(data.length, 8);
      // A pointer to the question's name (section 4.1.4).
      return [record.name ? writeName(record.name) : uint16(0xC00C), fixed, data];
    }),
  ]);
}

function writeName(name: string): Buffer {
  const labels = name.split(".").map((label) => Buffer.from(`${String.fromCharCode(label.length)}${label}`));
  return Buffer.concat([...labels, Buffer.alloc(1)]);
}

/** Sets TC and has no records, so that the client asks again over TCP. */
function truncated(answer: Buffer): Buffer {
  const end = readQuestion(answer).end;
  const head = Buffer.from(answer.subarray(0, end));
  head[2] |= 0x02;
  head.writeUInt16BE(0, 6);
  return head;
}

function uint16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16BE(value);
  return bytes;
}

/** The addresses of a name as records of the right type. */
export function addressRecords(addresses: readonly string[], ttl?: number): NameRecord[] {
  return addresses.map((data) => ({ type: data.includes(":") ? "AAAA" : "A", data, ttl }));
}

/** A script of names and their addresses; every other name does not exist. */
export function zone(names: Readonly<Record<string, readonly string[]>>, ttl?: number): NameScript {
  return ({ name, type }) => {
    const addresses = names[name];
    if (!addresses) return { rcode: "NXDOMAIN" };
    return { records: addressRecords(addresses, ttl).filter((record) => record.type === type) };
  };
}
