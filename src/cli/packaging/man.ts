/**
 * `sluice man`: the help of all commands and topics as a manual page, man(7).
 *
 * @module
 */

import { type CommandName, commandsOf, GROUPS, type Option } from "../../settings/option.ts";
import { SYSTEM_CLOCK } from "../../runtime/clock.ts";
import { VERSION } from "../../version.ts";
import { type Command, COMMANDS } from "../flags/commands.ts";
import { environmentName, FLAGS } from "../flags/flags.ts";
import { describeDefault } from "../help/command_help.ts";
import { wrap } from "../help/layout.ts";
import type { Page, Part } from "../help/pages/page.ts";
import { TOPICS } from "../help/topics.ts";
import { EXIT_CODES, type Shell } from "../program/shell.ts";
import type { CommandLine } from "../flags/options.ts";

/** Runs the command. */
export async function man(_line: CommandLine, shell: Shell): Promise<number> {
  const topics = await Promise.all(
    Object.values(TOPICS).map(async ({ summary, load }) => formatTopic(summary, (await load()).page)),
  );
  const today = SYSTEM_CLOCK.date().toISOString().slice(0, 10);
  const lines = [`.TH SLUICE 1 ${today} "sluice ${VERSION}" "User Commands"`, ...BEGINNING];
  const page = [...lines, ...formatCommands(), ...formatOptions(), ...topics.flat()].join("\n");
  // A heading begins a paragraph itself.
  shell.print(page.replace(/(?<=^\.S[HS] .*\n)\.PP\n/gm, ""));
  return EXIT_CODES.done;
}

const BEGINNING = [
  ".SH NAME",
  "sluice \\- a proxy for HTTP, HTTPS and SOCKS on one port",
  ".SH SYNOPSIS",
  ".B sluice",
  "[\\fICOMMAND\\fR] [\\fIFLAGS\\fR] [\\fIWORD\\fR]",
  ".SH DESCRIPTION",
  ...paragraph(
    "sluice is a forward proxy. It serves HTTP/1.1, CONNECT, SOCKS4, SOCKS4a and SOCKS5 on one port, and tells them " +
      "apart by the first byte. It connects to targets directly or through other proxies.",
  ),
];

function formatCommands(): string[] {
  return [
    ".SH COMMANDS",
    ...Object.entries<Command>(COMMANDS).flatMap(([name, { words, summary, details }]) => [
      `.SS "sluice ${[name, ...words].join(" ")}"`,
      ...paragraph(`${summary}.`),
      ".PP",
      ...literal(details),
    ]),
  ];
}

function formatOptions(): string[] {
  const flags = Object.entries<Option>(FLAGS);
  return [
    ".SH OPTIONS",
    ...GROUPS.flatMap((group) => {
      const rows = flags.filter(([, option]) => option.group === group);
      return rows.length === 0
        ? []
        : [`.SS ${group}`, ...rows.flatMap(([name, option]) => formatFlag(name, option))];
    }),
  ];
}

function formatFlag(name: string, option: Option): string[] {
  const { short, value, help, environment = true } = option;
  const names = [...short ? [`-${short}`] : [], `--${name}`].map((text) => `\\fB${escape(text)}\\fR`).join(
    ", ",
  );
  const otherwise = describeDefault(option);
  const notes = [
    ...otherwise ? [`Default: ${otherwise}.`] : [],
    ...environment ? [`Variable: ${environmentName(name)}.`] : [],
    ...describeCommands(commandsOf(option)),
  ];
  return [
    ".TP",
    value === undefined ? names : `${names} \\fI${escape(value)}\\fR`,
    ...paragraph(`${help}. ${notes.join(" ")}`.trimEnd()),
  ];
}

/** Says which commands take an option, unless all do that run a proxy. */
function describeCommands(commands: readonly CommandName[] | undefined): string[] {
  if (commands === undefined || commands.includes("serve")) return [];
  return [`Only for ${commands.join(", ")}.`];
}

/** A topic. Its options are in their own section already. */
function formatTopic(summary: string, { parts }: Page): string[] {
  return [`.SH "${summary.toUpperCase()}"`, ...parts.flatMap(formatPart)];
}

function formatPart(part: Part): string[] {
  if (typeof part === "string") return [".PP", ...paragraph(part)];
  if ("heading" in part) return [`.SS "${part.heading}"`];
  if ("lines" in part) return [".PP", ".RS 4", ...literal(part.lines), ".RE"];
  return part.terms.flatMap(([term, meaning]) => [
    ".TP",
    `\\fB${escape(term)}\\fR`,
    ...paragraph(meaning),
  ]);
}

/** Lines of a source that people can read. A sentence begins a line, as roff wants it. */
function paragraph(text: string): string[] {
  return text.replace(/\s+/g, " ").split(/(?<=[a-z0-9)"][.?!]) (?=[A-Z"])/).flatMap((text) =>
    wrap(text, 72).map(line)
  );
}

/** Lines that stay as they are. */
function literal(text: string): string[] {
  return [".nf", ...text.split("\n").map((text) => text === "" ? "\\&" : line(text)), ".fi"];
}

/** A line of text. A dot or an apostrophe at its beginning would make it a request. */
function line(text: string): string {
  const escaped = escape(text);
  return /^[.']/.test(escaped) ? `\\&${escaped}` : escaped;
}

/** A hyphen is a minus here, so that flags can be copied from the page. */
function escape(text: string): string {
  return text.replaceAll("\\", "\\e").replaceAll("-", "\\-");
}
