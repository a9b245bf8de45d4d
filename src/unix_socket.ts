/**
 * The files of Unix sockets that we listen on.
 *
 * @module
 */

import { chmod, lstat, unlink } from "node:fs/promises";
import type { Listener, Runtime, UnixAddress } from "./runtime.ts";
import { UsageError } from "./usage_error.ts";

/** Its owner alone may connect. */
const DEFAULT_MODE = 0o600;

/**
 * Listens on a Unix socket. A file that a dead process has left behind is replaced; one that somebody listens on, or
 * that is no socket, is left alone, and listening fails.
 *
 * @throws {UsageError} If the path is taken by something that is no socket.
 */
export async function listenUnix(
  runtime: Pick<Runtime, "dial" | "listen">,
  { address, mode = DEFAULT_MODE }: { readonly address: UnixAddress; readonly mode?: number },
): Promise<Listener> {
  await removeStale(runtime, address);
  const listener = await runtime.listen({ address });
  // A name in the abstract namespace has no file.
  if (!address.path.startsWith("\0")) await chmod(address.path, mode);
  return listener;
}

async function removeStale(runtime: Pick<Runtime, "dial">, { path }: UnixAddress): Promise<void> {
  const file = await lstat(path).catch(() => undefined);
  if (!file) return;
  if (!file.isSocket()) {
    throw new UsageError(`Cannot listen on "unix:${path}": the path is taken by a file that is no socket`);
  }
  try {
    const stream = await runtime.dial({ path });
    await stream.readable.cancel();
  } catch (error) {
    // Refused: nobody listens. Any other failure is for listen() to tell.
    if ((error as { code?: unknown }).code === "connection_refused") await unlink(path);
  }
}
