/**
 * The files of Unix sockets that we listen on.
 *
 * @module
 */

import { chmod, link, lstat, mkdir, rm, unlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { ByteStream, Listener, Runtime, UnixAddress } from "../runtime/contract.ts";
import { UsageError } from "../text/usage_error.ts";

/** Its owner alone may connect. */
const DEFAULT_MODE = 0o600;

/** How many names are tried for a folder: one may be there that a process has left which was killed in between. */
const MAX_TRIES = 16;

/**
 * Listens on a Unix socket. A file that a dead process has left behind is replaced; one that somebody listens on, or
 * that is no socket, is left alone, and listening fails.
 *
 * The socket has its mode from the first moment on. The system would give it all that the umask leaves, and whoever
 * connected before that was changed would be served afterwards. So it is bound in a folder that is the owner's alone,
 * and is linked to its path when it is ready. (The umask itself cannot be set in threads, nor by Deno without a
 * permission.)
 *
 * @throws {UsageError} If the path is taken by something that is no socket.
 */
export async function listenUnix(
  runtime: Pick<Runtime, "dial" | "listen">,
  { address, mode = DEFAULT_MODE }: { readonly address: UnixAddress; readonly mode?: number },
): Promise<Listener> {
  const { path } = address;
  // A name in the abstract namespace has no file.
  if (path.startsWith("\0")) return await runtime.listen({ address });
  await removeStale(runtime, address);
  let listener: Listener | undefined;
  try {
    const folder = await makeFolder(dirname(path));
    try {
      const hidden = join(folder, "s");
      listener = await runtime.listen({ address: { path: hidden } });
      await chmod(hidden, mode);
      // Fails where a file has come to the path meanwhile, as bind(2) does and rename(2) does not.
      await link(hidden, path);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
    return new LinkedListener(listener, address, (await lstat(path)).ino);
  } catch (error) {
    await listener?.close();
    // The system says better what is wrong with the path itself: this fails, and if not, nothing is served.
    await (await runtime.listen({ address })).close();
    const { message } = error as Error;
    throw new UsageError(`Cannot listen on "unix:${path}": ${message}`, { cause: error });
  }
}

/** Makes a folder for its owner alone. Its name is short, since paths of sockets are. */
async function makeFolder(parent: string): Promise<string> {
  for (let tries = 1;; tries++) {
    const name = Math.floor(Math.random() * 36 ** 2).toString(36).padStart(2, "0");
    const folder = join(parent, `.${name}`);
    try {
      await mkdir(folder, { mode: 0o700 });
      return folder;
    } catch (error) {
      if ((error as { code?: unknown }).code !== "EEXIST" || tries === MAX_TRIES) throw error;
    }
  }
}

/** A listener whose file has another name than the one that it was bound to, which the runtime would remove. */
class LinkedListener implements Listener {
  readonly address: UnixAddress;
  readonly #listener: Listener;
  readonly #inode: number;

  constructor(listener: Listener, address: UnixAddress, inode: number) {
    this.#listener = listener;
    this.address = address;
    this.#inode = inode;
  }

  [Symbol.asyncIterator](): AsyncIterator<ByteStream> {
    return this.#listener[Symbol.asyncIterator]();
  }

  async close(): Promise<void> {
    const { path } = this.address;
    const file = await lstat(path).catch(() => undefined);
    if (file?.ino === this.#inode) await unlink(path).catch(() => {});
    await this.#listener.close();
  }
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
