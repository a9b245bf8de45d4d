/**
 * Histograms: how many durations are within each of some limits, with an example for each.
 *
 * @module
 */

/** The upper limits of the buckets, in seconds. What is longer is in one more bucket. */
export const BUCKETS: readonly number[] = [
  0.001,
  0.0025,
  0.005,
  0.01,
  0.025,
  0.05,
  0.1,
  0.25,
  0.5,
  1,
  2.5,
  5,
  10,
  30,
  60,
  300,
  1_800,
];

/** The last duration of a bucket: a way from a graph to a line of the log. */
export interface Exemplar {
  /** The connection's id. */
  readonly id: string;
  /** In seconds. */
  readonly value: number;
  /** When it was counted, in milliseconds since 1970. */
  readonly at: number;
}

/** A histogram, as JSON can carry it. */
export interface HistogramCounts {
  /** How many durations are in each bucket alone. The last is for those beyond every limit. */
  readonly counts: readonly number[];
  /** All durations together, in seconds. */
  readonly sum: number;
  /** The last duration of each bucket; null if it has none. */
  readonly exemplars: readonly (Exemplar | null)[];
}

/** Counts durations. Costs a client's request no memory: an exemplar is three assignments. */
export class Histogram {
  readonly #counts: number[] = new Array(BUCKETS.length + 1).fill(0);
  readonly #ids: string[] = new Array(BUCKETS.length + 1).fill("");
  readonly #values = new Float64Array(BUCKETS.length + 1);
  readonly #times = new Float64Array(BUCKETS.length + 1);
  #sum = 0;

  /** Counts a duration in milliseconds. `id` is the connection's, `at` the date in milliseconds. */
  add(duration: number, id: string, at: number): void {
    const seconds = duration / 1_000;
    let bucket = 0;
    while (bucket < BUCKETS.length && seconds > BUCKETS[bucket]) bucket++;
    this.#counts[bucket]++;
    this.#sum += seconds;
    this.#ids[bucket] = id;
    this.#values[bucket] = seconds;
    this.#times[bucket] = at;
  }

  /** The counts now. */
  counts(): HistogramCounts {
    return {
      counts: [...this.#counts],
      sum: this.#sum,
      exemplars: this.#counts.map((count, i) =>
        count === 0 ? null : { id: this.#ids[i], value: this.#values[i], at: this.#times[i] }
      ),
    };
  }
}

/** Two histograms together. */
export function addHistograms(a: HistogramCounts, b: HistogramCounts): HistogramCounts {
  return {
    counts: a.counts.map((count, i) => count + b.counts[i]),
    sum: a.sum + b.sum,
    exemplars: a.exemplars.map((one, i) => later(one, b.exemplars[i])),
  };
}

function later(one: Exemplar | null, other: Exemplar | null): Exemplar | null {
  return one && other ? one.at < other.at ? other : one : one ?? other;
}
