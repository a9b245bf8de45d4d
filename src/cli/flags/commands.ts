/**
 * The commands of the program: one list, which the parser, the help and `main()` use.
 *
 * @module
 */

import type { CommandName } from "../../settings/option.ts";
import { anyOf } from "../../text/word_list.ts";

/** One command. Its name is the key in {@linkcode COMMANDS}. */
export interface Command {
  /** One line for the list of commands. */
  readonly summary: string;
  /** The words that the command needs, as the help shows them. */
  readonly words: readonly string[];
  /** The words that may follow. */
  readonly optional?: readonly string[];
  /** What the first word can be, if that is one of a few. */
  readonly choices?: readonly string[];
  /** The text of its own help, without the flags. */
  readonly details: string;
}

/** The shells that the command `completion` knows. */
export const SHELLS = ["bash", "zsh", "fish"] as const;

/** The files that the command `print` makes. */
export const PRINTED = [
  "sluice.service",
  "sluice-remote.service",
  "sluice-local.service",
  "logrotate",
  "Dockerfile",
  "grafana.json",
] as const;

/** Name → command, in the order of the help. */
export const COMMANDS = {
  "serve": {
    summary: "Run the proxy; the same as no command",
    words: [],
    details: `Without flags it serves the programs of this machine on 127.0.0.1:8899, and
finds out from each of them whether it speaks HTTP, SOCKS4, SOCKS4a or SOCKS5.

Examples:
  sluice
      then, in another terminal: curl -x 127.0.0.1:8899 https://example.com
  sluice -l 127.0.0.1:3128 -l unix:/tmp/sluice.sock --access-log access.log
      listens in two places, and keeps the access log in a file
  sluice -l 0.0.0.0:3128 --users-file users --deny *:25 --contact it@example.com
      lets users of other machines in, and nobody out to mail servers`,
  },
  "remote": {
    summary: "Run the remote half of a pair",
    words: [],
    details: `A proxy over TLS 1.3 for local halves that have its token. To everybody else
it is a web server without pages. It decides where traffic may go: private
addresses are refused unless --allow-private says otherwise.

"sluice keygen HOST" makes certificate, key and token.

Examples:
  sluice remote --listen 0.0.0.0:8443
      with the files that keygen made in this folder`,
  },
  "local": {
    summary: "Run the local half of a pair",
    words: [],
    details: `A proxy for the programs of this machine that reaches everything through the
remote half. Names are resolved there.

Examples:
  sluice local --remote proxy.example.com:8443
      with SLUICE_PIN in the environment, as keygen has printed it, and the
      token file that keygen made in this folder`,
  },
  "keygen": {
    summary: "Make certificate, key and token for a pair",
    words: ["HOST"],
    details: `HOST is the name or IP address by which the local half finds the remote one.
Prints the commands that run the two halves.

Examples:
  sluice keygen --out keys proxy.example.com`,
  },
  "check": {
    summary: "Make a request and time each of its steps",
    words: ["URL"],
    details: `Shows each step with the time that it took, and where it failed if it did. The
step "request" lasts until the first byte of the answer. Exits with 0 for any
answer of the target, and with 1 where there is none, or only a proxy's own.

Examples:
  sluice check https://example.com/
  sluice check -x 127.0.0.1:8899 http://example.com/
      through an HTTP proxy
  sluice check -x http://127.0.0.1:8899,socks5h://[::1]:1080 https://example.com
      through two proxies, one behind the other`,
  },
  "explain": {
    summary: "Tell which rule decides about a target",
    words: ["TARGET"],
    details: `TARGET is HOST:PORT, or a URL. Give the rules as for the proxy; nothing is
connected, and a name is resolved only where a rule is about addresses. Exits
with 0 for a target that is allowed, and with 3 for one that is denied.

Examples:
  sluice explain --rules-file rules.txt example.com:443
  sluice explain --deny *.example.com --as ann http://www.example.com/`,
  },
  "top": {
    summary: "Show what is under way at a running proxy",
    words: [],
    optional: ["ADDRESS"],
    details: `ADDRESS is that of --admin: HOST:PORT, a URL or unix:PATH. Without one, it asks
the proxy of this machine on 127.0.0.1:8899. Where standard output is no
terminal, it prints what is there and ends.

Keys:
  q        quit
  s        sort by the next column
  /        show only what has these words in it; Escape shows all again
  arrows   select a connection
  k        close it; with SLUICE_ADMIN_TOKEN the token need not be typed

Examples:
  sluice top
  sluice top 127.0.0.1:9100`,
  },
  "passwd": {
    summary: "Make an entry for a users file",
    words: ["NAME"],
    details: `Asks for a password, or reads it from standard input where that is no
terminal, and prints the line that lets this user in.

Examples:
  sluice passwd ann >> users`,
  },
  "config": {
    summary: "Check a config file, or show what is in force",
    words: ["check|show|schema"],
    choices: ["check", "show", "schema"],
    optional: ["FILE"],
    details: `FILE is the config file, the same as -c FILE.
  check   tells everything that is wrong in it, each with its place. Exits with
          0 if a proxy could start with it, and with 1 otherwise
  show    prints all options of "sluice serve" with these flags, these variables
          and this file, and where each comes from
  schema  prints the JSON Schema of config files, for editors

Examples:
  sluice config check sluice.toml
  sluice config show -c sluice.toml --idle-timeout 1h
  sluice config schema > sluice.schema.json`,
  },
  "completion": {
    summary: "Print the completion for a shell",
    words: ["SHELL"],
    choices: SHELLS,
    details: `SHELL is ${anyOf(SHELLS)}.

Examples:
  sluice completion bash > /etc/bash_completion.d/sluice
  sluice completion zsh > /usr/local/share/zsh/site-functions/_sluice
  sluice completion fish > ~/.config/fish/completions/sluice.fish`,
  },
  "man": {
    summary: "Print the manual page",
    words: [],
    details: `It has the help of every command and topic.

Examples:
  sluice man > /usr/local/share/man/man1/sluice.1`,
  },
  "print": {
    summary: "Print a unit, or another file for a service",
    words: ["FILE"],
    choices: PRINTED,
    details: `FILE is one of these. Their first lines say what to do with them, and a unit
starts this program by its path.

${PRINTED.map((name) => `    ${name}`).join("\n")}

Examples:
  sluice print sluice.service > /etc/systemd/system/sluice.service
  sluice print logrotate > /etc/logrotate.d/sluice`,
  },
} as const satisfies Record<CommandName, Command>;

/** The command that runs if none is given. */
export const DEFAULT_COMMAND: CommandName = "serve";
