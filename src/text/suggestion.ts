/**
 * Suggests a known word for a misspelt one.
 *
 * @module
 */

/** The candidate that is closest to a misspelt word, or has the word between hyphens; undefined if there is none. */
export function suggest(word: string, candidates: readonly string[]): string | undefined {
  let closest: string | undefined;
  // A third of the letters may be wrong, and one more, because two swapped letters count as two.
  let least = Math.floor(word.length / 3) + 2;
  for (const candidate of candidates) {
    const distance = editDistance(word, candidate);
    if (distance < least) [closest, least] = [candidate, distance];
  }
  return closest ?? candidates.find((candidate) => candidate.split("-").includes(word));
}

/** How many letters have to be inserted, deleted or replaced (Levenshtein). */
function editDistance(from: string, to: string): number {
  let above = Array.from({ length: to.length + 1 }, (_, i) => i);
  for (const [i, letter] of [...from].entries()) {
    const row = [i + 1];
    for (let j = 0; j < to.length; j++) {
      row.push(Math.min(above[j + 1] + 1, row[j] + 1, above[j] + (to[j] === letter ? 0 : 1)));
    }
    above = row;
  }
  return above[to.length];
}
