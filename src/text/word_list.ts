/**
 * Lists of words in a sentence.
 *
 * @module
 */

/** Words to choose from: `a, b or c`. */
export function anyOf(words: readonly string[]): string {
  const [last, ...others] = words.toReversed();
  return others.length === 0 ? last : `${others.toReversed().join(", ")} or ${last}`;
}
