/**
 * Waits for conditions that can only be polled.
 *
 * @module
 */

/** Waits until `met` returns true. Fails with `message` if that takes longer than the deadline. */
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

/** Waits until `progress` stands still for a while, and looks every `pause` milliseconds. Resolves to its last value. */
export async function standstill(progress: () => number | Promise<number>, pause = 20): Promise<number> {
  let last = await progress();
  let since = performance.now();
  while (performance.now() - since < 200) {
    await new Promise((resolve) => setTimeout(resolve, pause));
    const now = await progress();
    if (now !== last) since = performance.now();
    last = now;
  }
  return last;
}
