/**
 * A response as a client reads it.
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

/** More 1xx responses than this before a final one are no conversation. */
const MAX_INTERIM = 16;

/** How a head is read. */
export interface FinalHeadOptions {
  /** The most octets that a head may have. */
  readonly limit: number;
  /** Called as bytes have come. */
  readonly onBytes: () => void;
  /** Called with each head, those of 1xx responses too. */
  readonly onHead: (head: ResponseHead) => void;
}

/**
 * The head of the final response; 1xx before it are skipped, but for the one that switches protocols (RFC 9110
 * section 15.2). Throws a `Fault` that blames the target.
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

/** The next event of a body. What its framing forbids blames the target. */
export function readBodyEvent(body: BodyReader, buffer: ByteBuffer): BodyEvent | undefined {
  try {
    return body.read(buffer);
  } catch (error) {
    throw asProtocolError(error);
  }
}

/**
 * What a proxy on the way has said, where the response is its own and not the target's (RFC 9209 section 2.1.1).
 * `by` is the proxy that was asked.
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
