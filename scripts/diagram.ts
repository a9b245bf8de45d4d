/**
 * Draws the state machine of `src/states.ts` into the README, as mermaid.
 *
 * `deno task diagram` rewrites the picture; `deno task diagram --check` only tells whether it is stale.
 *
 * @module
 */

import { FROM_ANY, TRANSITIONS } from "../src/states.ts";

const BEGIN = "<!-- states -->";
const END = "<!-- /states -->";

/** The diagram and the sentence below it, as Markdown. */
export function drawStates(): string {
  const states = Object.entries<Record<string, string>>(TRANSITIONS);
  const lines = [`[*] --> ${states[0][0]}`];
  for (const [state, row] of states) {
    const events = Map.groupBy(Object.keys(row), (event) => row[event]);
    for (const [target, names] of events) lines.push(`${state} --> ${target}: ${names.join(", ")}`);
    if (events.size === 0) lines.push(`${state} --> [*]`);
  }
  const ends = states.filter(([, row]) => Object.keys(row).length === 0).map(([state]) => `\`${state}\``);
  const anywhere = Map.groupBy(Object.entries(FROM_ANY), ([, target]) => target);
  const sentences = [...anywhere].map(([target, edges]) =>
    `From every state but ${ends.join(", ")}, unless drawn otherwise, ` +
    `${edges.map(([event]) => `\`${event}\``).join(", ")} lead to \`${target}\`.`
  );
  return ["```mermaid", "stateDiagram-v2", ...lines.map((line) => `  ${line}`), "```", "", ...sentences]
    .join("\n");
}

function replaceDiagram(page: string): string {
  const begin = page.indexOf(BEGIN);
  const end = page.indexOf(END);
  if (begin < 0 || end < begin) {
    throw new Error(`Cannot draw: README.md needs the lines "${BEGIN}" and "${END}"`);
  }
  return `${page.slice(0, begin + BEGIN.length)}\n\n${drawStates()}\n\n${page.slice(end)}`;
}

if (import.meta.main) {
  const path = new URL("../README.md", import.meta.url);
  const page = await Deno.readTextFile(path);
  const drawn = replaceDiagram(page);
  if (!Deno.args.includes("--check")) {
    await Deno.writeTextFile(path, drawn);
  } else if (drawn !== page) {
    console.error('The state diagram in README.md is stale: run "deno task diagram"');
    Deno.exit(1);
  }
}
