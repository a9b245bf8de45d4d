/**
 * Chunk extensions, behind the size of a chunk. They are dropped, but must follow their grammar (RFC 9112 section
 * 7.1.1): `*( BWS ";" BWS name [ BWS "=" BWS ( token / quoted-string ) ] )`.
 *
 * @module
 */

import { HTAB, isBlank, isTokenByte, SP } from "../http/syntax.ts";

const QUOTE = 0x22;
const SEMICOLON = 0x3B;
const EQUALS = 0x3D;
const BACKSLASH = 0x5C;
const DEL = 0x7F;

/** Where the chunk extensions end that begin at `begin`. Blanks behind the last one are not part of it. */
export function chunkExtensionsEnd(octets: Uint8Array, begin: number): number {
  let end = begin;
  while (true) {
    const semicolon = skipBlanks(octets, end);
    if (octets[semicolon] !== SEMICOLON) return end;
    const name = skipBlanks(octets, semicolon + 1);
    const nameEnd = tokenEnd(octets, name);
    if (nameEnd === name) return end;
    end = valueEnd(octets, nameEnd);
  }
}

/** Where the value behind a name ends. Without a value, where the name ends. */
function valueEnd(octets: Uint8Array, nameEnd: number): number {
  const equals = skipBlanks(octets, nameEnd);
  if (octets[equals] !== EQUALS) return nameEnd;
  const value = skipBlanks(octets, equals + 1);
  const end = octets[value] === QUOTE ? quotedEnd(octets, value) : tokenEnd(octets, value);
  return end === value ? nameEnd : end;
}

function tokenEnd(octets: Uint8Array, begin: number): number {
  let at = begin;
  while (isTokenByte(octets[at])) at++;
  return at;
}

/** Where a quoted-string ends; its beginning if it is malformed (RFC 9110 section 5.6.4). */
function quotedEnd(octets: Uint8Array, begin: number): number {
  for (let at = begin + 1; isText(octets[at]); at++) {
    if (octets[at] === QUOTE) return at + 1;
    if (octets[at] === BACKSLASH && !isText(octets[++at])) break;
  }
  return begin;
}

function isText(octet: number): boolean {
  return octet === HTAB || octet >= SP && octet !== DEL;
}

function skipBlanks(octets: Uint8Array, begin: number): number {
  let at = begin;
  while (isBlank(octets[at])) at++;
  return at;
}
