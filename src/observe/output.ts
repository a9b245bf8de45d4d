/**
 * Outputs for logs: standard output, standard error and files.
 *
 * Runtimes treat a full pipe differently: Deno's `process.stdout.write` blocks the process, and Bun's `net.Socket`
 * fails over a pipe. But in all runtimes `fs.write` fails with EAGAIN if the descriptor does not block. So everything
 * here is written with `fs.write`. (A terminal that is stopped still blocks Deno.)
 *
 * @module
 */

import { close, constants, fstatSync, open, write } from "node:fs";
import { Socket } from "node:net";
import { type Clock, SYSTEM_CLOCK } from "../runtime/clock.ts";

/** Takes bytes, one write at a time. */
export interface Output {
  /** Settles when all bytes are written, however long that takes. Rejects if no byte can ever be written again. */
  write(bytes: Uint8Array): Promise<void>;
}

/** The output of a file. */
export interface FileOutput extends Output {
  /**
   * Opens the path again, for instance after somebody has renamed the file. Later writes go to the new file. Rejects
   * with the runtime's error; then the old file stays in use.
   */
  reopen(): Promise<void>;
}

/** Options of an output. */
export interface OutputOptions {
  /** Told once each time that writing begins to fail for a reason that may pass, such as a full disk. */
  readonly onTrouble?: (error: unknown) => void;
  readonly clock?: Pick<Clock, "schedule">;
}

/**
 * The most bytes of one write: PIPE_BUF on Linux (pipe(7)). A pipe takes such a write as a whole or not at all, and
 * never mixes it with another process's. Deno needs this: it does not tell how much of a longer write went in before
 * EAGAIN.
 */
export const MAX_WRITE = 4096;

/** Milliseconds until the next try after a full pipe. A reader that keeps up can empty the pipe in this time. */
const FULL_DELAY = 20;

/** Milliseconds until the next try after another error. */
const TROUBLE_DELAY = 1_000;

/** Errors after which no write can succeed: the reader is gone, or the descriptor is closed. */
const FATAL = ["EPIPE", "EBADF"];

/** The output of an open descriptor: 1 is standard output, 2 standard error. */
export function descriptorOutput(descriptor: number, options?: OutputOptions): Output {
  return new DescriptorOutput(descriptor, { ...options, socket: withoutBlocking(descriptor) });
}

/**
 * Opens a file for appending. Its owner and group can read a new file. Rejects with the runtime's error, which may name
 * a permission that the runtime needs.
 *
 * A named pipe is opened for reading, too. Without that, opening it would wait or fail until somebody reads it
 * (fifo(7)). If nobody reads the pipe, it fills up, and then the bounded queue in front of it does.
 */
export async function openOutput(path: string, options?: OutputOptions): Promise<FileOutput> {
  const output = closedOutput(path, options);
  await output.reopen();
  return output;
}

/** An output that `reopen()` opens for the first time. Until then every write rejects. */
export function closedOutput(path: string, options?: OutputOptions): FileOutput {
  return new PathOutput(path, options);
}

class PathOutput implements FileOutput {
  readonly #path: string;
  readonly #options: OutputOptions | undefined;
  #output: DescriptorOutput | undefined;
  #writing: Promise<void> = Promise.resolve();

  constructor(path: string, options: OutputOptions | undefined) {
    this.#path = path;
    this.#options = options;
  }

  async reopen(): Promise<void> {
    const before = this.#output;
    this.#output = new DescriptorOutput(await openForAppending(this.#path), this.#options);
    // A write that is under way still goes to the old file.
    if (before) this.#writing.then(() => before.close(), () => before.close());
  }

  write(bytes: Uint8Array): Promise<void> {
    if (!this.#output) return Promise.reject(new Error("It is not open"));
    return this.#writing = this.#output.write(bytes);
  }
}

const { O_APPEND, O_CREAT, O_NONBLOCK = 0, O_RDWR, O_WRONLY } = constants;

/** Without O_NONBLOCK, opening a named pipe would wait until somebody reads it. For files the flag means nothing. */
const FILE_FLAGS = O_WRONLY | O_CREAT | O_APPEND | O_NONBLOCK;
const PIPE_FLAGS = O_RDWR | O_APPEND | O_NONBLOCK;

async function openForAppending(path: string): Promise<number> {
  let descriptor: number;
  try {
    descriptor = await openWith(FILE_FLAGS, path);
  } catch (error) {
    // A named pipe that nobody reads (fifo(7)).
    if ((error as { code?: string }).code !== "ENXIO") throw error;
    return await openWith(PIPE_FLAGS, path);
  }
  if (!fstatSync(descriptor).isFIFO()) return descriptor;
  try {
    return await openWith(PIPE_FLAGS, path);
  } finally {
    // Closed only after the pipe is open again: otherwise its reader would see the end.
    close(descriptor, () => {});
  }
}

function openWith(flags: number, path: string): Promise<number> {
  return new Promise((resolve, reject) => {
    open(path, flags, 0o640, (error, descriptor) => error ? reject(error) : resolve(descriptor));
  });
}

class DescriptorOutput implements Output {
  readonly #descriptor: number;
  readonly #options: OutputOptions;
  /** Kept, because the descriptor is closed if this socket is garbage-collected. */
  readonly socket: Socket | undefined;

  constructor(descriptor: number, { socket, ...options }: OutputOptions & { readonly socket?: Socket } = {}) {
    this.#descriptor = descriptor;
    this.#options = options;
    this.socket = socket;
  }

  async write(bytes: Uint8Array): Promise<void> {
    let troubled = false;
    for (let start = 0; start < bytes.length;) {
      try {
        start += await this.#writeSome(bytes.subarray(start, start + MAX_WRITE));
        troubled = false;
      } catch (error) {
        const { code = "" } = error as { code?: string };
        if (FATAL.includes(code)) throw error;
        const full = code === "EAGAIN";
        if (!full && !troubled) this.#options.onTrouble?.(error);
        troubled ||= !full;
        await this.#wait(full ? FULL_DELAY : TROUBLE_DELAY);
      }
    }
  }

  /** Closes the descriptor. Nothing is written to it afterwards. */
  close(): void {
    close(this.#descriptor, () => {});
  }

  #writeSome(bytes: Uint8Array): Promise<number> {
    return new Promise((resolve, reject) => {
      write(this.#descriptor, bytes, (error, written) => error ? reject(error) : resolve(written));
    });
  }

  #wait(delay: number): Promise<void> {
    const { clock = SYSTEM_CLOCK } = this.#options;
    return new Promise((resolve) => clock.schedule(delay, resolve));
  }
}

/** Sets O_NONBLOCK. All runtimes do so when a socket is made of a pipe. Nothing is written through this socket. */
function withoutBlocking(descriptor: number): Socket | undefined {
  const stat = fstatSync(descriptor);
  if (!stat.isFIFO() && !stat.isSocket()) return undefined;
  return new Socket({ fd: descriptor, readable: false, writable: true }).on("error", () => {});
}
