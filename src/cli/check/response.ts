/**
 * Reads a response as a client does.
 *
 * @module
 */

import type { ByteReader } from "../../streams/byte_reader.ts";
import { Fault } from "../../faults.ts";
import type { ByteBuffer } from "../../streams/byte_buffer.ts";
import { UpstreamFault } from "../../protocols/common/connector.ts";
import type { BodyEvent } from "../../protocols/http/sides.ts";
import type { BodyReader } from "../../protocols/http1/body.ts";
import { proxyError } from "../../protocols/http1/connector.ts";
import { asProtocolError, ResponseHeadReader } from "../../protocols/http1/head.ts";
import type { ResponseHead } from "../../protocols/http/message.ts";

/** The most 1xx responses that are accepted before the final one. */
const MAX_INTERIM = 16;

/** How a head is read. */
export interface FinalHeadOptions {
  /** The most bytes that a head may have. */
  readonly limit: number;
  /** Called whenever bytes have come. */
  readonly onBytes: () => void;
  /** Called with each head, including those of 1xx responses. */
  readonly onHead: (head: ResponseHead) => void;
}

/**
 * Reads the head of the final response, and skips 1xx responses before it (RFC 9110 section 15.2). A 101 counts as
 * final, since it switches protocols. Throws a `Fault` that blames the target.
 */
export async function readFinalHead(
  reader: ByteReader,
  { limit, onBytes, onHead }: FinalHeadOptions,
): Promise<ResponseHead> {
  for (let interim = 0; interim <= MAX_INTERIM; interim++) {
    const headReader = new ResponseHeadReader(limit);
    let head = headReader.read(reader.buffer);
    while (!head) {
      if (!await reader.fill()) {
        throw new Fault("http_response_incomplete", "The connection was closed within the response's head");
      }
      onBytes();
      head = headReader.read(reader.buffer);
    }
    onHead(head);
    if (head.status >= 200 || head.status === 101) return head;
  }
  throw new Fault("http_protocol_error", `There are more than ${MAX_INTERIM} informational responses`);
}

/** The next event of a body. Throws a `Fault` that blames the target if the framing is wrong. */
export function readBodyEvent(body: BodyReader, buffer: ByteBuffer): BodyEvent | undefined {
  try {
    return body.read(buffer);
  } catch (error) {
    throw asProtocolError(error);
  }
}

/**
 * The fault that a proxy on the route reports, if it made the response itself (RFC 9209 section 2.1.1). Undefined if
 * the response is the target's. `by` is the proxy that got the request.
 */
export function proxyFault(head: ResponseHead, by: string | undefined): Fault | undefined {
  const { status, reason, fields } = head;
  const told = status >= 400 ? proxyError(fields) : undefined;
  if (told === undefined && status !== 407) return undefined;
  const who = by ?? "A proxy in front of the target";
  const why = told === undefined ? reason : told;
  return new UpstreamFault(
    status === 407 ? "proxy_configuration_error" : told!,
    `${who} has answered itself: ${status} ${why}`.trimEnd(),
  );
}
