/**
 * The completion for bash, version 4 or later. It needs no other package.
 *
 * @module
 */

import type { Completed, CompletedFlag } from "./completed.ts";

/** The script. */
export function bashCompletion({ commands, flags }: Completed): string {
  const names = commands.map(({ name }) => name);
  const valued = flags.filter(({ value }) => value !== undefined);
  return `# Completion of sluice for bash.
_sluice() {
  local word=\${COMP_WORDS[COMP_CWORD]} before=\${COMP_WORDS[COMP_CWORD-1]} command= flags= words= i
  # Bash takes --flag=value for three words.
  if [[ $word == = ]]; then word=
  elif [[ $before == = ]]; then before=\${COMP_WORDS[COMP_CWORD-2]}
  fi
  COMPREPLY=()
  case $before in
${chosen(valued)}    ${spelt(valued.filter(({ takes }) => takes === "files"))})
      compopt -o filenames
      mapfile -t COMPREPLY < <(compgen -f -- "$word"); return;;
    ${spelt(valued.filter(({ takes }) => takes === undefined))}) return;;
  esac
  for ((i = 1; i < COMP_CWORD; i++)); do
    case \${COMP_WORDS[i]} in ${names.join("|")}) command=\${COMP_WORDS[i]}; break;; esac
  done
  case \${command:-serve} in
${
    commands.map(({ name, choices }) => {
      const own = flags.filter((flag) => flag.commands.includes(name)).map(({ name }) => `--${name}`);
      return `    ${name}) flags='${own.join(" ")}' words='${choices.join(" ")}';;`;
    }).join("\n")
  }
  esac
  [[ $command ]] || words='${names.join(" ")}'
  [[ $word == -* ]] && words=$flags
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
}
complete -F _sluice sluice
`;
}

function chosen(flags: readonly CompletedFlag[]): string {
  return flags.filter(({ takes }) => Array.isArray(takes)).map((flag) =>
    `    ${spelt([flag])}) mapfile -t COMPREPLY < <(compgen -W '${
      (flag.takes as string[]).join(" ")
    }' -- "$word"); return;;\n`
  ).join("");
}

/** The pattern of all spellings of some flags. */
function spelt(flags: readonly CompletedFlag[]): string {
  return flags.flatMap(({ name, short }) => [`--${name}`, ...short ? [`-${short}`] : []]).join("|");
}
