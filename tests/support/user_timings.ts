/**
 * Tests whether the time of a comparison shows what is wrong with credentials. Runs on every runtime, and as a program:
 * `bun run tests/support/user_timings.ts 20000`.
 *
 * @module
 */

import process from "node:process";
import { Users } from "../../src/policy/users.ts";
import { Random } from "./random.ts";

/** Two kinds of wrong credentials, and the difference between their times. */
export interface Comparison {
  readonly pair: string;
  /** Welch's t. */
  readonly t: number;
  /** The probability of a t at least as large as this if there is no difference. */
  readonly p: number;
}

const KINDS: readonly { name: string; user: string; password: string }[] = [
  { name: "wrong user", user: "bob", password: "correct-horse-battery" },
  { name: "wrong password", user: "ann", password: "xxxxxxx-xxxxx-xxxxxxx" },
  { name: "near miss", user: "ann", password: "correct-horse-batterz" },
];

/** How many verifications make a sample: one takes too little time for a clock. */
const BATCH = 20;

/** Samples of each kind, in random order. */
export function timings(samples: number): Comparison[] {
  const users = new Users(["eve:password", "ann:correct-horse-battery", "zoe:another"]);
  const random = new Random();
  const times = KINDS.map((): number[] => []);
  for (let warm = 0; warm < 2_000; warm++) users.verify(KINDS[warm % KINDS.length]);
  for (let round = 0; round < samples * KINDS.length; round++) {
    const kind = random.below(KINDS.length);
    const start = performance.now();
    for (let run = 0; run < BATCH; run++) users.verify(KINDS[kind]);
    times[kind].push(performance.now() - start);
  }
  return [[0, 1], [1, 2], [0, 2]].map(([a, b]) => ({
    pair: `${KINDS[a].name} and ${KINDS[b].name}`,
    ...welch(trimmed(times[a]), trimmed(times[b])),
  }));
}

/** The times without the slowest twentieth, which come from garbage collection and other programs. */
function trimmed(times: readonly number[]): number[] {
  return times.toSorted((a, b) => a - b).slice(0, Math.ceil(times.length * 0.95));
}

function welch(a: readonly number[], b: readonly number[]): { t: number; p: number } {
  const [first, second] = [a, b].map((times) => {
    const mean = times.reduce((sum, time) => sum + time, 0) / times.length;
    const variance = times.reduce((sum, time) => sum + (time - mean) ** 2, 0) / (times.length - 1);
    return { mean, error: variance / times.length };
  });
  const t = (first.mean - second.mean) / Math.sqrt(first.error + second.error);
  return { t, p: 2 * upperTail(Math.abs(t)) };
}

/**
 * The upper tail of the normal distribution, which equals Student's for so many samples (Abramowitz and Stegun
 * 26.2.17).
 */
function upperTail(z: number): number {
  const k = 1 / (1 + 0.2316419 * z);
  const series = [0.319381530, -0.356563782, 1.781477937, -1.821255978, 1.330274429];
  const sum = series.reduceRight((rest, factor) => k * (factor + rest), 0);
  return sum * Math.exp(-z * z / 2) / Math.sqrt(2 * Math.PI);
}

if (process.argv[1]?.endsWith("user_timings.ts")) {
  for (const { pair, t, p } of timings(Number(process.argv[2] ?? 20_000))) {
    console.log(`${pair}: t = ${t.toFixed(2)}, p = ${p.toFixed(3)}`);
  }
}
