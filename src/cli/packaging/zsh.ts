/**
 * The completion for zsh.
 *
 * @module
 */

import type { Completed, CompletedCommand, CompletedFlag } from "./completed.ts";

/** The script: the file `_sluice` of a folder in $fpath, or something to source. */
export function zshCompletion({ commands, flags }: Completed): string {
  const names = commands.map(({ name }) => name).join("|");
  return `#compdef sluice
# Completion of sluice for zsh.
_sluice() {
  local word command=
  for word in "\${(@)words[2,CURRENT-1]}"; do
    case $word in (${names}) command=$word; break;; esac
  done
  case $command in
${
    commands.map((command) => `    (${command.name}) _arguments -s -S ${argumentsOf(command, flags)};;`).join(
      "\n",
    )
  }
    (*) _arguments -s -S ${[...specsOf("serve", flags), "'1: :_sluice_commands'"].join(" ")};;
  esac
}
_sluice_commands() {
  local -a commands=(
${commands.map(({ name, summary }) => `    ${quote(`${name}:${summary.replaceAll(":", "\\:")}`)}`).join("\n")}
  )
  _describe command commands
}
if [[ $funcstack[1] == _sluice ]]; then _sluice "$@"; else compdef _sluice sluice; fi
`;
}

function argumentsOf({ name, choices }: CompletedCommand, flags: readonly CompletedFlag[]): string {
  const second = choices.length > 0 ? [`'2: :(${choices.join(" ")})'`] : [];
  return [...specsOf(name, flags), "'1: : '", ...second].join(" ");
}

function specsOf(command: string, flags: readonly CompletedFlag[]): string[] {
  return flags.filter(({ commands }) => commands.includes(command)).map(specOf);
}

/** A flag as _arguments reads it. The spellings exclude each other, unless the flag may be repeated. */
function specOf({ name, short, value, repeatable, takes, summary }: CompletedFlag): string {
  const spellings = [`--${name}${value ? "=" : ""}`, ...short ? [`-${short}${value ? "+" : ""}`] : []];
  const again = repeatable ? "'*'" : quote(`(--${name}${short ? ` -${short}` : ""})`);
  const action = takes === "files" ? "_files" : takes ? `(${takes.join(" ")})` : " ";
  const meaning = summary.replace(/[[\]:\\]/g, "\\$&");
  const rest = quote(`[${meaning}]${value ? `:${value.replaceAll(":", "\\:")}:${action}` : ""}`);
  return spellings.length > 1 ? `${again}{${spellings.join(",")}}${rest}` : `${again}${spellings[0]}${rest}`;
}

function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
