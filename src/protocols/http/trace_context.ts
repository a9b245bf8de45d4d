/**
 * The field `traceparent` of W3C Trace Context, by which a request is found in the traces of several programs.
 *
 * @module
 */

import type { Fields } from "./fields.ts";

/**
 * The field's value, if it is one of version 00 (section 3.2), and undefined otherwise: VERSION-TRACE-PARENT-FLAGS in
 * lower-case hexadecimal, where neither the trace nor the parent is all zeros.
 */
export function traceParent(fields: Fields): string | undefined {
  const value = fields.get("traceparent");
  return value !== undefined && VALID.test(value) ? value : undefined;
}

const VALID = /^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/;
