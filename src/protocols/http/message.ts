/**
 * HTTP messages, as all versions of the protocol have them.
 *
 * @module
 */

import type { Fields } from "./fields.ts";
import type { RequestTarget } from "./target.ts";

/** The versions that are supported. A later 1.x is treated as 1.1 (RFC 9110 section 2.5). */
export type Version = "1.0" | "1.1";

/** A request's start line and header section, as received. */
export interface RequestHead {
  readonly method: string;
  readonly target: string;
  readonly version: Version;
  readonly fields: Fields;
}

/** A response's start line and header section, as received. */
export interface ResponseHead {
  readonly version: Version;
  readonly status: number;
  readonly reason: string;
  readonly fields: Fields;
}

/**
 * Where a body ends: there is none, or it ends after a number of bytes, at the last chunk, or when the sender closes.
 */
export type Framing =
  | { readonly kind: "none" }
  | { readonly kind: "length"; readonly length: number }
  | { readonly kind: "chunked" }
  | { readonly kind: "close" };

/** A request whose head has been understood. */
export interface HttpRequest {
  readonly head: RequestHead;
  readonly target: RequestTarget;
  readonly framing: Framing;
  /** Whether the client wants to send another request after this one (RFC 9112 section 9.3). */
  readonly persistent: boolean;
  /** The protocols that the client would switch to, as it named them. Undefined if we relay none of them. */
  readonly upgrade: string | undefined;
  /** How many hops the request may still take. RFC 9110 section 7.6.2 defines this for OPTIONS and TRACE only. */
  readonly maxForwards: number | undefined;
}
