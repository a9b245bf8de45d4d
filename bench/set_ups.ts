/**
 * How proxies are set up beyond forwarding, and the files for that.
 *
 * @module
 */

import { certificates, type IssuedCertificate } from "../tests/contract/certificates.ts";
import type { Entry } from "./contestants.ts";
import { WORKSHOP } from "./processes.ts";

/** Something that a proxy does beside forwarding. */
export type Extra = "tls" | "users" | "rules" | "blocks" | "log";

/** The extras of each set-up. */
export const SET_UPS = {
  tls: ["tls"],
  users: ["users"],
  rules: ["rules"],
  blocks: ["blocks"],
  log: ["log"],
  full: ["users", "rules", "log"],
} as const satisfies Record<string, readonly Extra[]>;

/** A set-up beside the plain one. `pair` is two proxies; the last two count what a proxy makes. */
export type SetUp = keyof typeof SET_UPS | "pair" | "promises" | "bytes";

/** The entries of a contestant in other set-ups than the plain one. */
export type SetUps = Readonly<Partial<Record<SetUp, Entry>>>;

/** The set-ups that a proxy with these extras can have. */
export function setUps(offered: readonly Extra[], make: (extras: readonly Extra[]) => Entry): SetUps {
  const possible = Object.entries(SET_UPS).filter(([, extras]) =>
    extras.every((extra) => offered.includes(extra))
  );
  return Object.fromEntries(possible.map(([setUp, extras]) => [setUp, make(extras)]));
}

/** The user who is let in. */
export const USER = { name: "ann", password: "secret" } as const;

/** The number of rules, none of which matches a request of the loads. */
const RULES = 10_000;

/** Writes a file and returns its path. */
export function write(name: string, text: string, mode = 0o644): string {
  const path = `${WORKSHOP}/${name}`;
  Deno.writeTextFileSync(path, text);
  Deno.chmodSync(path, mode);
  return path;
}

/** An empty file for the log of a proxy, which may run as another user. */
export function logFile(name: string): string {
  return write(`${name}.log`, "", 0o666);
}

/** A file of host names, one to a line, each behind the same words. */
export function hostsFile(name: string, words = ""): string {
  return write(name, lines((index) => `${words}host-${index}.example`));
}

/** A file of address blocks, one to a line, each behind the same words. */
export function blocksFile(name: string, words = ""): string {
  return write(name, lines((index) => `${words}20.${index >> 8}.${index & 0xFF}.0/24`));
}

function lines(line: (index: number) => string): string {
  return Array.from({ length: RULES }, (_, index) => line(index) + "\n").join("");
}

/** The certificate for 127.0.0.1 that every listener has, made anew in each run. */
export function certificate(): IssuedCertificate {
  return certificates().one;
}

/** The file with certificate and key that HAProxy reads. */
export function certificateWithKey(): string {
  const { cert, key } = certificate();
  return write("certificate.pem", cert + key);
}
