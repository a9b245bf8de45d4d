/**
 * The files of Unix sockets that we listen on.
 *
 * @module
 */

import { chmod, link, lstat, mkdir, rm, unlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Endpoint } from "./endpoint.ts";
import type { ByteStream, Listener, Runtime, UnixAddress } from "../runtime/contract.ts";
import { UsageError } from "../text/usage_error.ts";

/** Only its owner may connect. */
const DEFAULT_MODE = 0o600;

/** How many names are tried for the folder. A process that was killed may have left its folder there. */
const MAX_TRIES = 16;

/**
 * Listens on a Unix socket. Replaces the socket file of a dead process. If somebody listens there, or if the file is
 * not a socket, the file stays and listening fails.
 *
 * The socket has its mode from the first moment on. A new socket has all permissions that the umask leaves, and a
 * client that connects before chmod(2) would be served. So the socket is bound in a folder that only its owner can
 * enter, and is linked to its path when it has its mode. (Threads cannot set the umask, and Deno needs a permission to
 * do so.)
 *
 * @throws {UsageError} If a file that is not a socket is at the path, or if the socket cannot be linked to its path.
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
      // Fails if a file is at the path by now, like bind(2). rename(2) would replace that file.
      await link(hidden, path);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
    return new LinkedListener(listener, address, (await lstat(path)).ino);
  } catch (error) {
    await listener?.close();
    // Binds to the path itself, because the system's error then says better what is wrong. Nothing is served there.
    await (await runtime.listen({ address })).close();
    const { message } = error as Error;
    throw new UsageError(`Cannot listen on "unix:${path}": ${message}`, { cause: error });
  }
}

/** Gives the socket of a listener that stays the mode of its new endpoint. */
export async function setSocketMode(
  before: Endpoint | undefined,
  { address, mode }: Endpoint,
): Promise<void> {
  if (!before || before.mode === mode || !("path" in address)) return;
  await chmod(address.path, mode ?? DEFAULT_MODE);
}

/** Makes a folder that only its owner can enter. Its name is short, because the path of a socket has to be short. */
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

/** Removes the file at the linked path when it closes: the runtime knows only the path that it has bound. */
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
    // Refused: nobody listens. listen() reports any other failure.
    if ((error as { code?: unknown }).code === "connection_refused") await unlink(path);
  }
}
