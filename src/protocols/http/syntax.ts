/**
 * The character classes of RFC 9110 section 5.6 and RFC 9112 section 2, and text as octets.
 *
 * @module
 */

import { cutBytes } from "../../streams/byte_block.ts";

/** Carriage return. */
export const CR = 0x0D;
/** Line feed. */
export const LF = 0x0A;
/** Space. */
export const SP = 0x20;
/** Horizontal tab. */
export const HTAB = 0x09;

/** A colon, which ends a field's name. */
export const COLON = 0x3A;
/** A comma, which ends a list's element. */
export const COMMA = 0x2C;

const TOKEN_CHARS = "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/** For each octet that a token may have, the same octet in lower case; otherwise 0. */
const TCHAR = new Uint8Array(256);
for (let i = 0; i < TOKEN_CHARS.length; i++) {
  TCHAR[TOKEN_CHARS.charCodeAt(i)] = TOKEN_CHARS.toLowerCase().charCodeAt(i);
}

/** Whether an octet may be in a token: a method, a field name (RFC 9110 section 5.6.2). */
export function isTokenByte(byte: number): boolean {
  return TCHAR[byte] > 0;
}

/** The octet in lower case; 0 if it may not be in a token. */
export function lowerTokenByte(byte: number): number {
  return TCHAR[byte];
}

/** For each octet, whether a field value may have it. RFC 9110 section 5.5: no control characters; obs-text is opaque. */
const VALUE_CHAR = Uint8Array.from(
  { length: 256 },
  (_, octet) => octet >= SP && octet !== 0x7F || octet === HTAB ? 1 : 0,
);

/** Whether an octet may be in a field value or in a reason phrase. */
export function isValueByte(byte: number): boolean {
  return VALUE_CHAR[byte] === 1;
}

/** Whether octets spell a text. */
export function spells(octets: Uint8Array, start: number, end: number, text: string): boolean {
  if (end - start !== text.length) return false;
  for (let i = 0; i < text.length; i++) if (octets[start + i] !== text.charCodeAt(i)) return false;
  return true;
}

/** Whether all of a text is a token. */
export function isToken(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (!isTokenByte(text.charCodeAt(i))) return false;
  return text.length > 0;
}

/**
 * Octets as text, one character each, so that nothing is lost or changed (RFC 9112 section 2.2: octets, not Unicode).
 * `TextDecoder("latin1")` is windows-1252 and would change 0x80-0x9F.
 */
export function fromOctets(bytes: Uint8Array): string {
  // ASCII in UTF-8 has one octet for each character, and engines decode it fast. Equal lengths and no U+FFFD prove
  // ASCII.
  const ascii = UTF_8.decode(bytes);
  if (ascii.length === bytes.length && ascii.indexOf("\uFFFD") < 0) return ascii;
  let text = "";
  for (let i = 0; i < bytes.length; i += 4096) {
    text += String.fromCharCode.apply(null, bytes.subarray(i, i + 4096) as unknown as number[]);
  }
  return text;
}

/** Text with one character for each octet, as octets: a view, whose buffer holds the bytes of others, too. */
export function toOctets(text: string): Uint8Array<ArrayBuffer> {
  const bytes = cutBytes(text.length);
  // The reverse: characters beyond ASCII take two octets, so some of the text would not fit.
  if (ENCODER.encodeInto(text, bytes).read === text.length) return bytes;
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

const UTF_8 = new TextDecoder();
const ENCODER = new TextEncoder();

/** The elements of a comma-separated list, trimmed, without empty ones (RFC 9110 section 5.6.1). */
export function listElements(value: string): string[] {
  return value.split(",").map(trimmed).filter((element) => element !== "");
}

/**
 * A text without OWS at both ends. `trim()` would also remove the octet 0xA0, and a regular expression would take n² steps.
 */
export function trimmed(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && isBlank(text.charCodeAt(start))) start++;
  while (end > start && isBlank(text.charCodeAt(end - 1))) end--;
  return text.slice(start, end);
}

/** Whether a character is optional white space (RFC 9110 section 5.6.3). */
export function isBlank(code: number): boolean {
  return code === SP || code === HTAB;
}
