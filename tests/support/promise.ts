/**
 * Checks what examples promise of their values.
 *
 * @module
 */

import assert from "node:assert/strict";

/**
 * Fails if a value is not what was promised. Properties of an object that the promise does not mention may have any
 * value.
 */
export function promised(value: unknown, expected: unknown): void {
  assert.deepEqual(mentioned(value, expected), expected);
}

function mentioned(value: unknown, expected: unknown): unknown {
  if (typeof value !== "object" || value === null || typeof expected !== "object" || expected === null) {
    return value;
  }
  if (Array.isArray(expected)) return value;
  const entries = Object.entries(expected).map(([key, part]) =>
    [key, mentioned((value as Record<string, unknown>)[key], part)] as const
  );
  return Object.fromEntries(entries);
}
