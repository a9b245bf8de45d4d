/**
 * Contestants that count what they make: sluice on Node with one of the scripts of `count/` in its process.
 *
 * @module
 */

import { ROOT } from "../scripts/toolchain.ts";
import type { Row } from "../tests/support/toolchain.ts";
import type { Contestant, Entry } from "./contestants.ts";
import type { Program } from "./processes.ts";
import type { SetUps } from "./set_ups.ts";

/** The set-ups that count, for a row that can: its Node must run TypeScript. */
export function countable(row: Row, make: (row: Row) => Entry): SetUps {
  if (!/^node 2[2-9]/.test(row.name)) return {};
  const counted = (what: string): Entry => {
    const [node, ...rest] = row.command;
    const entry = make({ ...row, command: [node, "--import", `${ROOT}/bench/count/${what}.ts`, ...rest] });
    return { ...entry, start: async (origins) => counting(await entry.start(origins)) };
  };
  return { promises: counted("promises"), bytes: counted("bytes") };
}

/** The script in the process tells its count at each SIGUSR2. */
function counting(contestant: Contestant): Contestant {
  const program = contestant.program as Program;
  let asked = 0;
  const count = async (): Promise<number> => {
    asked++;
    program.signal("SIGUSR2");
    return Number((await program.line(new RegExp(`^count ${asked}: (\\d+)$`, "m")))[1]);
  };
  return { ...contestant, count };
}
