/**
 * The completion for fish.
 *
 * @module
 */

import type { Completed, CompletedFlag } from "./completed.ts";

/** The script. */
export function fishCompletion({ commands, flags }: Completed): string {
  const names = commands.map(({ name }) => name);
  return `# Completion of sluice for fish.
function __sluice_command
    for word in (commandline -opc)[2..]
        contains -- $word ${names.join(" ")}; and echo $word; and return
    end
    echo $argv[1]
end
function __sluice_in
    contains -- (__sluice_command serve) $argv
end
complete -c sluice -f
${
    commands.map(({ name, summary }) =>
      `complete -c sluice -n 'test (__sluice_command none) = none' -a ${name} -d ${quote(summary)}`
    ).join("\n")
  }
${
    commands.filter(({ choices }) => choices.length > 0).map(({ name, choices }) =>
      `complete -c sluice -n 'test (__sluice_command none) = ${name}' -a ${quote(choices.join(" "))}`
    ).join("\n")
  }
${flags.map((flag) => lineOf(flag, names)).join("\n")}
`;
}

function lineOf(
  { name, short, value, takes, summary, commands }: CompletedFlag,
  all: readonly string[],
): string {
  const everywhere = all.every((command) => command === "help" || commands.includes(command));
  return [
    "complete -c sluice",
    ...everywhere ? [] : [`-n '__sluice_in ${commands.join(" ")}'`],
    `-l ${name}`,
    ...short ? [`-s ${short}`] : [],
    ...value === undefined ? [] : takes === "files" ? ["-r -F"] : ["-x"],
    ...Array.isArray(takes) ? [`-a ${quote(takes.join(" "))}`] : [],
    `-d ${quote(summary)}`,
  ].join(" ");
}

function quote(text: string): string {
  return `'${text.replace(/['\\]/g, "\\$&")}'`;
}
