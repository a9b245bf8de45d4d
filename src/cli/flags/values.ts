/**
 * The values of flags: from the text that was given to what the program works with.
 *
 * Each reader throws a `UsageError` that quotes the text and says what to give instead.
 *
 * @module
 */

import { parseDuration } from "../../text/duration.ts";
import { parseEndpoint } from "../../listeners/endpoint.ts";
import { LOG_FORMATS, type LogFormat } from "../../observe/access_log.ts";
import { type Level, LEVELS } from "../../observe/log.ts";
import { needIpBlock } from "../../addresses/ip_block.ts";
import type { Rule } from "../../policy/rule.ts";
import { RULE_PROTOCOLS, type RuleProtocol } from "../../policy/rule_request.ts";
import { parsePorts } from "../../policy/rule_target.ts";
import { parseRuleLine } from "../../policy/rules_file.ts";
import { parseUser } from "../../policy/users.ts";
import { parseIp, parseNameServer } from "../../addresses/host.ts";
import { parseAuthority } from "../../protocols/http/target.ts";
import type { FieldLine } from "../../protocols/http/fields.ts";
import { FORWARDED_MODES, type ForwardedMode } from "../../protocols/http/forwarded.ts";
import { isToken } from "../../protocols/http/syntax.ts";
import { parseChain } from "../../dialing/upstream.ts";
import { UsageError } from "../../text/usage_error.ts";

/** An endpoint, which is checked and left as it is. */
export function readEndpoint(text: string): string {
  parseEndpoint(text);
  return text;
}

/** An upstream or a chain of them, which is checked and left as it is. */
export function readUpstream(text: string): string {
  parseChain(text);
  return text;
}

/** On or off. */
export function readSwitch(text: string): boolean {
  if (/^(1|true|yes|on)$/i.test(text)) return true;
  if (/^(0|false|no|off)$/i.test(text)) return false;
  throw new UsageError(`Invalid switch "${text}": give "true" or "false"`);
}

/** A pseudonym: what is a token (RFC 9110 section 5.6.2) in Via and in Proxy-Status (RFC 8941 section 3.3.4) alike. */
export function readName(text: string): string {
  if (/^[A-Za-z][\w!#$%&'*+.^`|~-]*$/.test(text)) return text;
  throw new UsageError(
    `Invalid name "${text}": use letters, digits, "-", "." and "_", and begin with a letter`,
  );
}

/** A name and a password, which are checked and left as they are. */
export function readUser(text: string): string {
  parseUser(text);
  return text;
}

/** A duration that is not 0, in milliseconds. */
export function readTimeout(text: string): number {
  const duration = parseDuration(text);
  if (duration === 0) throw new UsageError(`Invalid time limit "${text}": give at least "1ms"`);
  return duration;
}

/** A whole number from 1. */
export function readCount(text: string): number {
  const count = /^\d{1,9}$/.test(text) ? Number(text) : 0;
  if (count === 0) throw new UsageError(`Invalid count "${text}": give a whole number from 1`);
  return count;
}

/** Beyond this nobody gains anything. */
const MAX_WORKERS = 256;

/** How many workers; "auto" for one per processor. */
export function readWorkers(text: string): number | "auto" {
  if (text === "auto") return text;
  const count = /^\d{1,3}$/.test(text) ? Number(text) : 0;
  if (count >= 1 && count <= MAX_WORKERS) return count;
  throw new UsageError(`Invalid number of workers "${text}": give 1 to ${MAX_WORKERS}, or "auto"`);
}

/** Powers of 1024, as curl and nginx have them. */
const SIZE_UNITS: Record<string, number> = { "": 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3 };

/** RFC 9112 section 3 wants request lines of 8000 octets to work; below this not even usual heads do. */
const MIN_SIZE = 1024;
const MAX_SIZE = 16 * 1024 * 1024;

/** The size of a head, in bytes. */
export function readSize(text: string): number {
  const size = bytesIn(text);
  if (size >= MIN_SIZE && size <= MAX_SIZE) return size;
  throw new UsageError(`Invalid size "${text}": give bytes such as "65536" or "64k", from "1k" to "16m"`);
}

/** The size of a body, in bytes. */
export function readBodySize(text: string): number {
  const size = bytesIn(text);
  if (size >= 0) return size;
  throw new UsageError(`Invalid size "${text}": give bytes such as "1048576", "100m" or "2g"`);
}

function bytesIn(text: string): number {
  const [, amount, unit = ""] = /^(\d{1,9})([kmg])?$/.exec(text.toLowerCase()) ?? [];
  return Number(amount) * SIZE_UNITS[unit];
}

/** Writes a size as {@linkcode readSize} reads it. */
export function formatSize(size: number): string {
  return size % SIZE_UNITS.k === 0 ? `${size / SIZE_UNITS.k}k` : String(size);
}

/** A path, or a word that stands for one. */
export function readFile(text: string): string {
  if (text === "") throw new UsageError('Invalid file "": give a path, "-" or "off"');
  return text;
}

/** A format of the access log. */
export function readLogFormat(text: string): LogFormat {
  return readOneOf(text, LOG_FORMATS);
}

/** What becomes of Forwarded and X-Forwarded-For. */
export function readForwardedMode(text: string): ForwardedMode {
  return readOneOf(text, FORWARDED_MODES);
}

/** A level of the diagnostics. */
export function readLevel(text: string): Level {
  return readOneOf(text, LEVELS);
}

function readOneOf<T extends string>(text: string, choices: readonly T[]): T {
  const choice = choices.find((choice) => choice === text);
  if (choice === undefined) throw new UsageError(`Invalid value "${text}": use one of ${choices.join(", ")}`);
  return choice;
}

/** An IP address. */
export function readAddress(text: string): string {
  if (parseIp(text)) return text;
  throw new UsageError(`Invalid address "${text}": give an IP address such as "192.0.2.1"`);
}

/** A host and a port. */
export function readAuthority(text: string): string {
  try {
    if (parseAuthority(text).port !== undefined) return text;
  } catch {
    // Told below, in the words of the command line.
  }
  throw new UsageError(`Invalid address "${text}": give a host and a port, such as "proxy.example.com:8443"`);
}

/** A pinned key (RFC 7469 section 2.4). */
export function readPin(text: string): string {
  if (/^sha256\/[A-Za-z0-9+/]{43}=$/.test(text)) return text;
  throw new UsageError(`Invalid pin "${text}": give the one that "sluice keygen" has printed, "sha256/..."`);
}

/** Whom to ask: one line for error pages. */
export function readContact(text: string): string {
  if (text.length <= 200 && !/\p{Cc}/u.test(text)) return text;
  throw new UsageError("Invalid contact: give one line of up to 200 characters");
}

/** A name server, which is checked and left as it is. */
export function readNameServer(text: string): string {
  if (parseNameServer(text)) return text;
  throw new UsageError(
    `Invalid name server "${text}": give an IP address, such as "9.9.9.9" or "[::1]:5353"`,
  );
}

/** What a rule may call a protocol. */
export function readRuleProtocol(text: string): RuleProtocol {
  return readOneOf(text, RULE_PROTOCOLS);
}

/** A block of addresses, which is checked and left as it is. */
export function readBlock(text: string): string {
  needIpBlock(text);
  return text;
}

/** A port or a range of ports, which is checked and left as it is. */
export function readPorts(text: string): string {
  try {
    parsePorts(text);
    return text;
  } catch (error) {
    throw new UsageError(`Invalid ports "${text}": ${(error as Error).message}`);
  }
}

/** A request method. CONNECT is none that asks a target for something. */
export function readMethod(text: string): string {
  if (isToken(text) && text !== "CONNECT") return text;
  throw new UsageError(`Invalid method "${text}": give one such as "GET" or "HEAD"`);
}

/** Fields that say where a message ends, or who asks a proxy. */
const FIXED_FIELDS = ["content-length", "transfer-encoding", "proxy-authorization"];

/** A header field. What it holds may be a secret, and is not quoted. */
export function readField(text: string): FieldLine {
  const [, name = "", value] = /^([^:]*):[ \t]*([\t\x20-\x7E]*)$/.exec(text) ?? [];
  if (!isToken(name)) {
    throw new UsageError('Invalid header field: give NAME:VALUE, such as "Accept: text/html"');
  }
  if (!FIXED_FIELDS.includes(name.toLowerCase())) return { name, value: value.trimEnd() };
  throw new UsageError(`The field "${name}" is written by the program: a user for a proxy goes into -x`);
}

/** A rule. */
export function readRule(text: string): Rule {
  return parseRuleLine(text, `--${text.split(/\s/)[0]}`);
}
