/**
 * Runs the micro benches of `micro_cases.ts`: `deno task bench [deno] [bun] [node22] [node24] [WORD…]`.
 *
 * It runs on Deno only, unless runtimes are named. With words it runs only the cases whose names have one of them. It
 * first installs mitata beside the checkout, where all runtimes find it. It uses the Bun and the Nodes that
 * `deno task setup` installs.
 *
 * @module
 */

import { install } from "../scripts/npm.ts";
import { ROOT, RUNTIMES, TOOLCHAIN } from "../scripts/toolchain.ts";

/** The commands that run the cases. Node 20 is missing, since it runs no TypeScript. */
const COMMANDS: Readonly<Record<string, readonly string[]>> = {
  deno: [Deno.execPath(), "run", "-A"],
  bun: [RUNTIMES.bun],
  node22: [RUNTIMES.node22, "--disable-warning=ExperimentalWarning"],
  node24: [RUNTIMES.node24],
};

/** Not in deno.json: Deno would fetch it for each user who starts the proxy. */
const MITATA = "1.0.34";

await install(`${TOOLCHAIN}/mitata`, { mitata: MITATA });
const named = Deno.args.filter((word) => word in COMMANDS);
const words = Deno.args.filter((word) => !(word in COMMANDS));
for (const name of named.length > 0 ? named : ["deno"]) {
  console.log(name);
  const [program, ...args] = [...COMMANDS[name], `${ROOT}/bench/micro_cases.ts`, ...words];
  const { success } = await new Deno.Command(program, { args }).spawn().status;
  if (!success) Deno.exit(1);
}
