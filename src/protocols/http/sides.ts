/**
 * The two sides of an exchange, as every version of HTTP gives them: a head, a body in, a body out, trailers, and an end.
 *
 * The exchange knows these and no version. `http1/sides.ts` is the one of HTTP/1.1.
 *
 * @module
 */

import type { Fault } from "../../faults.ts";
import type { Address } from "../../runtime/contract.ts";
import type { Watcher } from "../../streams/byte_reader.ts";
import type { Fields } from "./fields.ts";
import type { Framing, HttpRequest, ResponseHead } from "./message.ts";

/** What has come of a body. Data is a view, valid until more is waited for. */
export type BodyEvent =
  | { readonly type: "data"; readonly bytes: Uint8Array }
  | { readonly type: "end"; readonly trailers: Fields };

/** A body on its way in. */
export interface BodySource {
  /** What has come; undefined: wait for more. Throws a `Fault` for what the version does not allow. */
  read(): BodyEvent | undefined;
  /** Waits for more. False: the sender has ended. */
  fill(): Promise<boolean>;
  /** Whether that ends this body properly; otherwise the body is cut short. */
  readonly endsAtClose: boolean;
}

/** A body on its way out. What is put leaves with the next flush, a head and the first bytes together. */
export interface BodySink {
  /** Puts some content. The bytes must not change until they have left. */
  data(bytes: Uint8Array): void;
  /** Puts the end. */
  end(trailers: Fields): void;
  /** Sends what was put. Undefined where the kernel has taken it at once. */
  flush(): Promise<void> | undefined;
}

/** How an answer is to leave. */
export interface AnswerOptions {
  /** How long its body is, as the origin has told it. */
  readonly framing: Framing;
  /** Whether the client may send another request on the connection. */
  readonly persistent: boolean;
  /** Whether the client is told that connections are not shared (RFC 4559 section 6). */
  readonly sessionBased?: boolean;
}

/** The client's side: its request comes in, and the answer goes out. */
export interface ClientSide extends BodySource, BodySink {
  readonly request: HttpRequest;
  /** The client's end of the connection. */
  readonly address: Address;
  /** Whether the client can tell the end of such a body while its connection stays open. */
  delimits(framing: Framing): boolean;
  /** Whether the client has sent something behind its request. */
  readonly hasMore: boolean;
  /** Puts an informational answer. */
  inform(head: ResponseHead): void;
  /** Puts the head of the final answer; its body follows. */
  answer(head: ResponseHead, options: AnswerOptions): void;
  /** Forgets what was put and has not left. */
  withdraw(): void;
  /** No answer comes behind this one. The client may still send. */
  finish(): Promise<void>;
  /** Tells once of a client that leaves, or sends something, behind its request. */
  watch(watcher: Watcher): void;
  /** Gives up what is waited for from the client, and leaves it what it was sent. */
  interrupt(fault: Fault): void;
  /** Breaks the connection or stream off. */
  cut(fault: Fault): void;
}

/** The origin's side: the request goes out, and its answer comes in. */
export interface OriginSide extends BodySource, BodySink {
  /** Whether it is another proxy, which passes the request on. */
  readonly isProxy: boolean;
  /** Puts the head of a request that came from that client. */
  send(request: HttpRequest, client: Address): void;
  /** The next head that has come, informational or final; undefined: wait for more. */
  head(): ResponseHead | undefined;
  /** Whether a part of a head has come. */
  readonly hasBegun: boolean;
  /** Begins the body behind a final head, and says how long it is. */
  beginBody(head: ResponseHead): Framing;
  /** Whether the connection can take another request behind this answer. */
  isReusable(head: ResponseHead): boolean;
  /** Whether the origin ends the connection behind this answer. */
  closes(head: ResponseHead): boolean;
  /** Breaks the connection or stream off. */
  cut(fault: Fault): void;
}
