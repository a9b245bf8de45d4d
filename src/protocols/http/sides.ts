/**
 * The two sides of an exchange, the same for every version of HTTP: a head, a body in, a body out, trailers, and an
 * end.
 *
 * The exchange uses these and knows no version. `http1/sides.ts` implements them for HTTP/1.1.
 *
 * @module
 */

import type { Fault } from "../../faults.ts";
import type { Address } from "../../runtime/contract.ts";
import type { Waiter, Watcher } from "../../streams/byte_reader.ts";
import type { Fields } from "./fields.ts";
import type { Framing, HttpRequest, ResponseHead } from "./message.ts";
import type { OwnAnswer } from "./own_answer.ts";

/** A part of a body. Data is a view, valid until the next wait. */
export type BodyEvent =
  | { readonly type: "data"; readonly bytes: Uint8Array }
  | { readonly type: "end"; readonly trailers: Fields };

/** A body that is read. */
export interface BodySource {
  /** The next part that has come. Undefined: wait for more. Throws a `Fault` for what the version does not allow. */
  read(): BodyEvent | undefined;
  /** Waits for more. Resolves to false if the sender has ended. */
  fill(): Promise<boolean>;
  /** As `fill()`, without a promise. */
  wait(waiter: Waiter): void;
  /** Whether that end completes this body. Otherwise the body is cut short. */
  readonly endsAtClose: boolean;
}

/** A body that is written. Everything that is put leaves with the next flush, a head together with the first bytes. */
export interface BodySink {
  /** Puts some content. The bytes must not change until they have left. */
  data(bytes: Uint8Array): void;
  /** Puts the end. */
  end(trailers: Fields): void;
  /** Sends what was put. Undefined if the kernel has taken it at once. */
  flush(): Promise<void> | undefined;
}

/** How to send an answer. */
export interface AnswerHeadOptions {
  /** The framing of its body, as the origin has told it. */
  readonly framing: Framing;
  /** Whether the client may send another request on the connection. */
  readonly persistent: boolean;
  /** Whether to tell the client that connections are not shared (RFC 4559 section 6). */
  readonly sessionBased?: boolean;
}

/** The client's side: its request comes in, and the answer goes out. */
export interface ClientSide extends BodySource, BodySink {
  readonly request: HttpRequest;
  /** The client's end of the connection. */
  readonly address: Address;
  /** Whether the client can find the end of such a body while its connection stays open. */
  delimits(framing: Framing): boolean;
  /** Whether the client has sent bytes behind its request. */
  readonly hasMore: boolean;
  /** Puts an informational answer. */
  inform(head: ResponseHead): void;
  /** Puts the head of the final answer. Its body follows. */
  answer(head: ResponseHead, options: AnswerHeadOptions): void;
  /** Puts an answer of the proxy itself. A body that is not whole follows, as that of an origin would. */
  answerOwn(answer: OwnAnswer, persistent: boolean): void;
  /** Forgets what was put and not sent. */
  withdraw(): void;
  /** Ends the answers: none follows this one. The client may still send. */
  finish(): Promise<void> | undefined;
  /** Calls the watcher once, when the client leaves or sends bytes behind its request. */
  watch(watcher: Watcher): void;
  /** Removes the watcher. */
  unwatch(): void;
  /** Ends the wait for the client's bytes. The client keeps what it was sent. */
  interrupt(fault: Fault): void;
  /** Breaks the connection or stream off. */
  cut(fault: Fault): void;
}

/** The origin's side: the request goes out, and its answer comes in. */
export interface OriginSide extends BodySource, BodySink {
  /** Whether it is another proxy, which passes the request on. */
  readonly isProxy: boolean;
  /** Puts the head of a request that came from this client. */
  send(request: HttpRequest, client: Address): void;
  /** The next head that has come, informational or final. Undefined: wait for more. */
  head(): ResponseHead | undefined;
  /** Whether a part of a head has come. */
  readonly hasBegun: boolean;
  /** Begins to read the body of a final head, and returns its framing. */
  beginBody(head: ResponseHead): Framing;
  /** Whether the connection can take another request after this answer. */
  isReusable(head: ResponseHead): boolean;
  /** Whether the origin closes the connection after this answer. */
  closes(head: ResponseHead): boolean;
  /** Breaks the connection or stream off. */
  cut(fault: Fault): void;
}
