/**
 * Waiting for what can only be looked at.
 *
 * @module
 */

/** Waits until `met` holds, and fails with `message` when it does not within the deadline. */
export async function eventually(
  met: () => boolean | Promise<boolean>,
  message: string,
  milliseconds = 5000,
): Promise<void> {
  const deadline = performance.now() + milliseconds;
  while (!await met()) {
    if (performance.now() > deadline) throw new Error(message);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** Waits until `progress` has stood still for a while, and answers where it stands. */
export async function standstill(progress: () => number | Promise<number>): Promise<number> {
  let last = await progress();
  let since = performance.now();
  while (performance.now() - since < 200) {
    await new Promise((resolve) => setTimeout(resolve, 20));
    const now = await progress();
    if (now !== last) since = performance.now();
    last = now;
  }
  return last;
}
