/**
 * Queries to a name server that the operator has named, over UDP or, if UDP cannot carry the answer, TCP. They work the
 * same on every runtime, whose own resolvers differ in the names that they ask for and the errors that they report.
 *
 * @module
 */

import { createSocket, type RemoteInfo, type Socket as UdpSocket } from "node:dgram";
import { connect, type Socket as TcpSocket } from "node:net";
import { formatAuthority, parseNameServer } from "../src/addresses/host.ts";
import type { TcpAddress } from "../src/runtime/contract.ts";
import { type FoundAddress, nameError, readAnswer, writeQuery } from "./dns_message.ts";

/** Milliseconds until a server is asked again, or the next one. Each further wait is twice as long, as in c-ares. */
const PATIENCE = 2000;

/** The most octets of an answer over TCP, with its length in two octets (RFC 1035 section 4.2.2). */
const MAX_TCP = 2 + 65_535;

/** The response codes, with their names in RFC 1035 section 4.1.1 and in c-ares. */
const RCODES: Readonly<Record<number, readonly [name: string, code: string]>> = {
  1: ["FORMERR", "EFORMERR"],
  2: ["SERVFAIL", "ESERVFAIL"],
  3: ["NXDOMAIN", "ENOTFOUND"],
  4: ["NOTIMP", "ENOTIMP"],
  5: ["REFUSED", "EREFUSED"],
};

/** A question that is not answered yet. */
interface Pending {
  readonly query: Uint8Array;
  readonly resolve: (found: readonly FoundAddress[]) => void;
  readonly reject: (error: unknown) => void;
  /** The socket, if it is asked over TCP. */
  stream?: TcpSocket;
}

/** How to ask a server. */
export interface NameServerOptions {
  /** How often to ask before silence becomes `ETIMEOUT`. */
  readonly tries: number;
  /** Ends all questions, and closes the sockets. */
  readonly over: AbortSignal;
}

/**
 * The questions of one lookup to one server. They share a socket, whose port the system draws at random, and each has a
 * random id. Somebody who does not see them would have to guess both.
 */
export class NameServerQueries {
  readonly #server: TcpAddress;
  readonly #pending = new Map<number, Pending>();
  readonly #socket: UdpSocket;
  #timer: ReturnType<typeof setTimeout>;
  #wait = PATIENCE;
  #tries: number;
  #connected = false;

  /** `server` is `IP`, `IP:PORT` or `[IPV6]:PORT`. */
  constructor(server: string, { tries, over }: NameServerOptions) {
    const address = parseNameServer(server);
    if (!address) throw nameError("EBADSTR", `This is no name server: ${server}`);
    this.#server = address;
    this.#tries = tries;
    const { host, port } = address;
    const family = host.includes(":") ? 6 : 4;
    // Skips the lookup, for which Deno would ask a permission.
    const lookup = (
      name: string,
      _options: unknown,
      found: (error: null, ip: string, family: number) => void,
    ) => found(null, name, family);
    this.#socket = createSocket({ type: family === 6 ? "udp6" : "udp4", lookup });
    this.#timer = setTimeout(() => this.#askAgain(), this.#wait);
    this.#socket.on("error", (error) => this.#fail(this.#unreachable(error)));
    this.#socket.on("message", (message, from) => this.#receive(message, from));
    this.#socket.on("connect", () => {
      this.#connected = true;
      for (const { query } of this.#pending.values()) this.#send(query);
    });
    over.addEventListener("abort", () => this.#close());
    // On a connected socket a refusal is known at once. Deno does not report it, so there it is silence.
    this.#socket.connect(port, host);
  }

  /** Asks for the addresses of one family. Rejects with an error that has a code of c-ares. */
  ask(host: string, family: 4 | 6): Promise<readonly FoundAddress[]> {
    return new Promise((resolve, reject) => {
      const id = this.#drawId();
      const query = writeQuery(host, { id, family });
      this.#pending.set(id, { query, resolve, reject });
      if (this.#connected) this.#send(query);
    });
  }

  #drawId(): number {
    const [id] = crypto.getRandomValues(new Uint16Array(1));
    return this.#pending.has(id) ? this.#drawId() : id;
  }

  #send(query: Uint8Array): void {
    // The same error also comes as an event.
    this.#socket.send(query, (error) => error && this.#fail(this.#unreachable(error)));
  }

  #askAgain(): void {
    if (--this.#tries <= 0) return this.#fail(nameError("ETIMEOUT", `${this.#name} did not answer in time`));
    this.#timer = setTimeout(() => this.#askAgain(), this.#wait *= 2);
    for (const { query, stream } of this.#pending.values()) {
      if (!stream && this.#connected) this.#send(query);
    }
  }

  #receive(message: Uint8Array, { address, port }: Pick<RemoteInfo, "address" | "port">): void {
    if (address !== this.#server.host || port !== this.#server.port || message.length < 2) return;
    const pending = this.#pending.get(message[0] << 8 | message[1]);
    if (pending && !pending.stream) this.#read(message, pending);
  }

  /** Settles a question with its answer. A message that does not answer it is ignored. */
  #read(message: Uint8Array, pending: Pending): void {
    try {
      const answer = readAnswer(message, pending.query);
      if (!answer) return;
      const { rcode, truncated, addresses } = answer;
      if (truncated && !pending.stream) return this.#askOverTcp(pending);
      if (truncated) throw nameError("EBADRESP", "The answer is malformed: it is truncated over TCP");
      if (rcode !== 0) {
        const [name, code] = RCODES[rcode] ?? [`code ${rcode}`, "EBADRESP"];
        throw nameError(code, `${this.#name} answered ${name}`);
      }
      this.#forget(pending);
      pending.resolve(addresses);
    } catch (error) {
      this.#forget(pending);
      pending.reject(error);
    }
  }

  #askOverTcp(pending: Pending): void {
    const { query } = pending;
    const stream = pending.stream = connect({ host: this.#server.host, port: this.#server.port });
    const buffer = new Uint8Array(MAX_TCP);
    let used = 0;
    const fail = (error: unknown) => {
      this.#forget(pending);
      pending.reject(error);
    };
    stream.on("error", (error) => fail(this.#unreachable(error)));
    stream.on("close", () => fail(nameError("EBADRESP", `${this.#name} closed the connection too early`)));
    stream.on("data", (chunk: Uint8Array) => {
      const taken = chunk.subarray(0, MAX_TCP - used);
      buffer.set(taken, used);
      used += taken.length;
      const end = 2 + (buffer[0] << 8 | buffer[1]);
      if (used < 2 || used < end) return;
      this.#read(buffer.subarray(2, end), pending);
      // The only message on this connection was not an answer.
      stream.destroy();
    });
    stream.write(Uint8Array.from([query.length >> 8, query.length & 0xFF, ...query]));
  }

  #forget({ query, stream }: Pending): void {
    this.#pending.delete(query[0] << 8 | query[1]);
    stream?.destroy();
  }

  /** Rejects every question that is not answered yet. */
  #fail(error: unknown): void {
    for (const pending of this.#pending.values()) {
      this.#forget(pending);
      pending.reject(error);
    }
  }

  #close(): void {
    clearTimeout(this.#timer);
    this.#fail(nameError("ECANCELLED", "The question was called off"));
    this.#socket.close();
  }

  #unreachable({ code = "EHOSTUNREACH", message }: Error & { code?: string }): Error {
    return nameError(code, `${this.#name} cannot be reached: ${message}`);
  }

  get #name(): string {
    return `The name server ${formatAuthority(this.#server)}`;
  }
}
