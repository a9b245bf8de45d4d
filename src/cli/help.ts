/**
 * What `--help` shows.
 *
 * @module
 */

import { type Flag, FLAGS } from "./flags.ts";

/** Terminals are this wide at least. */
const WIDTH = 80;

/** Where the explanations begin. */
const INDENT = 30;

const INTRODUCTION = `sluice - a proxy for HTTP, HTTPS and SOCKS on one port

Usage: sluice [serve] [flags]

Without flags it serves the programs of this machine on 127.0.0.1:8899, and
finds out from each of them whether it speaks HTTP, SOCKS4, SOCKS4a or SOCKS5.

Examples:
  sluice
      then, in another terminal: curl -x 127.0.0.1:8899 https://example.com
  sluice -l 127.0.0.1:3128 -l unix:/tmp/sluice.sock --access-log access.log
      listens in two places, and keeps the access log in a file
  sluice -l socks5://[::1]:1080 --idle-timeout 1h -q
      speaks SOCKS5 alone, has patience, and tells of errors only`;

const ENDING = `TIME is a number with ms, s, m, h or d, or a number of seconds. SIZE is a number
of bytes, or one with k or m.

Every flag can be set by an environment variable: SLUICE_IDLE_TIMEOUT=1h is
--idle-timeout 1h. A flag on the command line goes before it.

SIGINT or SIGTERM stops accepting and lets transfers finish; a second one exits
at once. Exit codes: 0 stopped when told, 1 failed, 2 wrong usage.`;

/** The help, derived from the table of flags, without the last newline. */
export function formatHelp(): string {
  const groups = new Map<string, string[]>();
  for (const [name, flag] of Object.entries<Flag>(FLAGS)) {
    const lines = groups.get(flag.group) ?? [];
    groups.set(flag.group, [...lines, ...formatFlag(name, flag)]);
  }
  const sections = [...groups].map(([group, lines]) => [`${group}:`, ...lines].join("\n"));
  return [INTRODUCTION, ...sections, ENDING].join("\n\n");
}

function formatFlag(name: string, { short, value, help, fallback }: Flag): string[] {
  const names = `  ${short ? `-${short}, ` : "    "}--${name}${value ? ` ${value}` : ""}`;
  const [first, ...rest] = wrap(value && fallback ? `${help} (${fallback})` : help, WIDTH - INDENT);
  return [names.padEnd(INDENT - 2) + "  " + first, ...rest.map((line) => " ".repeat(INDENT) + line)];
}

function wrap(text: string, width: number): string[] {
  const lines = [""];
  for (const word of text.split(" ")) {
    const line = lines[lines.length - 1];
    if (line === "") lines[lines.length - 1] = word;
    else if (line.length + 1 + word.length <= width) lines[lines.length - 1] += ` ${word}`;
    else lines.push(word);
  }
  return lines;
}
