/**
 * Draws both state machines of `src/states.ts` into `src/README.md`, as mermaid.
 *
 * `deno task diagram` rewrites the picture; `deno task diagram --check` only tells whether it is stale.
 *
 * @module
 */

import { CONNECTION, FROM_ANY, INTERRUPTED, REQUEST } from "../src/states.ts";

const BEGIN = "<!-- states -->";
const END = "<!-- /states -->";

type Table = Readonly<Record<string, Readonly<Record<string, string>>>>;

/** Both diagrams and the sentences around them, as Markdown. */
export function drawStates(): string {
  const anywhere = FROM_ANY.map((event) => `\`${event}\``).join(", ");
  return [
    "A connection:",
    "",
    ...drawTable(CONNECTION),
    "",
    "Each request on it, whose last state is an event of the connection:",
    "",
    ...drawTable(REQUEST),
    "",
    `Unless drawn otherwise, ${anywhere} may happen in every state but the last ones: a connection is then ` +
    `\`${INTERRUPTED.connection}\`, and a request \`${INTERRUPTED.request}\`.`,
  ].join("\n");
}

function drawTable(table: Table): string[] {
  const states = Object.entries(table);
  const lines = [`[*] --> ${states[0][0]}`];
  for (const [state, row] of states) {
    const events = Map.groupBy(Object.keys(row), (event) => row[event]);
    for (const [target, names] of events) lines.push(`${state} --> ${target}: ${names.join(", ")}`);
    if (events.size === 0) lines.push(`${state} --> [*]`);
  }
  return ["```mermaid", "stateDiagram-v2", ...lines.map((line) => `  ${line}`), "```"];
}

function replaceDiagram(page: string): string {
  const begin = page.indexOf(BEGIN);
  const end = page.indexOf(END);
  if (begin < 0 || end < begin) {
    throw new Error(`Cannot draw: src/README.md needs the lines "${BEGIN}" and "${END}"`);
  }
  return `${page.slice(0, begin + BEGIN.length)}\n\n${drawStates()}\n\n${page.slice(end)}`;
}

if (import.meta.main) {
  const path = new URL("../src/README.md", import.meta.url);
  const page = await Deno.readTextFile(path);
  const drawn = replaceDiagram(page);
  if (!Deno.args.includes("--check")) {
    await Deno.writeTextFile(path, drawn);
  } else if (drawn !== page) {
    console.error('The state diagram in src/README.md is stale: run "deno task diagram"');
    Deno.exit(1);
  }
}
