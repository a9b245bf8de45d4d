/**
 * Buffered reading from a connection. What a codec leaves over stays here for whoever reads next: nothing is lost
 * between a handshake and the tunnel behind it.
 *
 * @module
 */

import type { DirectPort, PortReceiver } from "../runtime/direct_port.ts";
import { type Fault, type Side, toFault } from "../faults.ts";
import { ByteBuffer } from "./byte_buffer.ts";

/** Holds most request heads and a TLS ClientHello, and keeps an idle connection cheap. */
const FIRST_CAPACITY = 2048;

/** With reads of 64 KiB a byte was measured to cost a third more CPU on Deno, and twice as much on Node. */
const BULK_CAPACITY = 256 * 1024;

/** How fast the buffer follows a bulk transfer up and down again: 2, 32, 256 KiB, and 16 on the way down. */
const GROWTH = 16;

/**
 * So many reads in a row that fill the buffer make it grow, and so many that leave most of it empty make it shrink: one
 * alone may be the beginning or the end of a message, and memory for each message would cost more than its reads.
 */
const FULL_READS = 2;
const SCANT_READS = 8;

/** Where drained bytes go. */
export interface Drain {
  /** Takes bytes in; undefined when it has, otherwise settles when it has, and the bytes are not touched until then. */
  take(bytes: Uint8Array): Promise<void> | undefined;
  /** There are no more. */
  ended(): void;
  /** The connection is broken, or `take()` has rejected. Perhaps called again, and in the middle of it: no place to destroy anything. */
  failed(error: unknown): void;
}

/** Told once of what comes next, without a promise. */
export interface Watcher {
  /** Bytes have come, or the end, or the connection is broken. Called in the middle of it: no place to destroy anything. */
  stirred(fault: Fault | undefined): void;
}

interface Settle {
  readonly resolve: (more: boolean) => void;
  readonly reject: (fault: unknown) => void;
}

/** Reads bytes into one reused buffer that grows while reads fill it, as hyper's adaptive reading does. */
export class ByteReader implements PortReceiver {
  /** The bytes that have arrived and that nobody has used. Not to be touched while a `fill()` is under way. */
  readonly buffer: ByteBuffer = new ByteBuffer(0);

  readonly #port: DirectPort;
  readonly #side: Side;
  /** Whether the port owes an answer. */
  #pulled = false;
  #watcher: Watcher | undefined;
  #filling: Promise<boolean> | undefined;
  #filled: Settle | undefined;
  #drain: Drain | undefined;
  #fault: Fault | undefined;
  #ended = false;
  /** How many bytes of the buffer's are lent, and whether the port ever borrows. */
  #lent = 0;
  #lends = false;
  #capacity = FIRST_CAPACITY;
  /** How many reads in a row have filled the buffer; below zero, how many have left most of it empty. */
  #trend = 0;

  /** Nobody else may read the port. `side` says whose fault a broken connection is. */
  constructor(port: DirectPort, side: Side) {
    this.#port = port;
    this.#side = side;
  }

  /** Whether the peer has sent its last byte. Bytes may still wait in the buffer. */
  get ended(): boolean {
    return this.#ended;
  }

  /** Whether somebody waits for more bytes. */
  get waiting(): boolean {
    return this.#filling !== undefined;
  }

  /**
   * Waits for more bytes behind those in the buffer. False when the peer has sent its last one; throws a `Fault`
   * on a reset, or the one given to {@link ByteReader.cut}. Called again while it waits, it waits for the same
   * bytes: a wait that was given up does not lose what arrives.
   */
  fill(): Promise<boolean> {
    if (this.#filling) return this.#filling;
    if (this.#fault) return Promise.reject(this.#fault);
    if (this.#ended) return Promise.resolve(false);
    const filling = new Promise<boolean>((resolve, reject) => this.#filled = { resolve, reject });
    this.#filling = filling;
    this.#pull();
    return filling;
  }

  #pull(): void {
    if (this.#pulled) return;
    this.#pulled = true;
    this.#port.pull(this);
  }

  /** Gives the wait for bytes up, which throws the fault. Whoever waits next loses nothing. */
  interrupt(fault: Fault): void {
    const filled = this.#filled;
    this.#filling = this.#filled = undefined;
    filled?.reject(fault);
  }

  /** Has it told of what comes next, also where somebody else waits for it. There is one watcher: the last. */
  watch(watcher: Watcher): void {
    if (this.#fault || this.#ended) return watcher.stirred(this.#fault);
    this.#watcher = watcher;
    this.#pull();
  }

  /** Tells nobody. */
  unwatch(): void {
    this.#watcher = undefined;
  }

  #stir(fault?: Fault): void {
    const watcher = this.#watcher;
    this.#watcher = undefined;
    watcher?.stirred(fault);
  }

  /**
   * The next bytes of a body or a tunnel, up to `limit` of them: those that wait, or else the next that arrive.
   * Undefined when there are no more. The view is valid until the next call.
   */
  async read(limit = Infinity): Promise<Uint8Array | undefined> {
    // The memory of a wait that was given up is still lent to the socket.
    if (this.#pulled) await this.fill();
    if (this.buffer.length === 0 && !await this.fill()) return undefined;
    return this.buffer.take(limit);
  }

  /**
   * Hands over what waits and all that arrives, each time when the bytes before have been taken in, and without a
   * promise where they were at once.
   */
  drain(drain: Drain): void {
    this.#drain = drain;
    if (!this.#lends) this.buffer.resize(0);
    if (!this.#pulled) this.#advance();
  }

  #advance(): void {
    if (this.#fault) return this.#drain!.failed(this.#fault);
    if (this.buffer.length > 0 && !this.#give(this.buffer.take())) return;
    if (this.#ended) return this.#drain!.ended();
    this.#pull();
  }

  /** True when the bytes have been taken in. */
  #give(bytes: Uint8Array): boolean {
    const taken = this.#drain!.take(bytes);
    taken?.then(() => this.#advance(), (error) => this.#drain!.failed(error));
    return taken === undefined;
  }

  /** See `PortReceiver`. */
  lend(): Uint8Array<ArrayBuffer> {
    if (this.buffer.length === 0) this.buffer.resize(this.#capacity);
    const room = this.buffer.lend(1);
    this.#lent = room.length;
    this.#lends = true;
    return room;
  }

  /** See `PortReceiver`. */
  receive(bytes: Uint8Array<ArrayBuffer>): boolean {
    if (this.#fault) return false;
    this.#pulled = false;
    if (this.#lent > 0) this.#takeBack(bytes);
    else this.#takeOver(bytes);
    const filled = this.#filled;
    this.#filling = this.#filled = undefined;
    filled?.resolve(true);
    if (this.#watcher) this.#stir();
    if (!this.#drain) return false;
    return this.#pulled = this.#give(this.buffer.length > 0 ? this.buffer.take() : bytes);
  }

  #takeBack(bytes: Uint8Array<ArrayBuffer>): void {
    const asked = this.#lent;
    this.#lent = 0;
    this.buffer.restore(bytes, bytes.length);
    const { capacity } = this.buffer;
    if (bytes.length === asked && asked === capacity) this.#trend = Math.max(this.#trend, 0) + 1;
    else if (bytes.length * GROWTH < capacity) this.#trend = Math.min(this.#trend, 0) - 1;
    else this.#trend = 0;
    if (this.#trend === FULL_READS) this.#resize(Math.min(capacity * GROWTH, BULK_CAPACITY));
    else if (this.#trend === -SCANT_READS) this.#resize(Math.max(capacity / GROWTH, FIRST_CAPACITY));
  }

  /** From the next read on into an empty buffer. */
  #resize(capacity: number): void {
    this.#capacity = capacity;
    this.#trend = 0;
  }

  /** Bytes that are not in lent memory. */
  #takeOver(bytes: Uint8Array<ArrayBuffer>): void {
    // They would have filled it.
    if (bytes.length > this.#capacity) this.#resize(BULK_CAPACITY);
    if (!this.#drain || this.buffer.length > 0) this.#append(bytes);
    else this.buffer.resize(0);
  }

  /** What comes in memory for the reader is not copied: a copy would be held beside it while a write waits. */
  #append(bytes: Uint8Array<ArrayBuffer>): void {
    if (this.#port.gives && this.buffer.length === 0) return this.buffer.adopt(bytes);
    if (this.buffer.length === 0 && this.buffer.capacity > FIRST_CAPACITY) this.buffer.resize(0);
    this.buffer.append(bytes);
  }

  /** See `PortReceiver`. */
  end(memory?: Uint8Array<ArrayBuffer>): void {
    if (this.#fault) return;
    if (memory) this.buffer.restore(memory, 0);
    this.#lent = 0;
    this.#pulled = false;
    this.#ended = true;
    const filled = this.#filled;
    this.#filling = this.#filled = undefined;
    filled?.resolve(false);
    this.#stir();
    this.#drain?.ended();
  }

  /** See `PortReceiver`. */
  fail(error: unknown): void {
    const fault = this.#fault ??= toFault(error, this.#side);
    const filled = this.#filled;
    this.#filling = this.#filled = undefined;
    filled?.reject(fault);
    this.#stir(fault);
    this.#drain?.failed(fault);
  }

  /** Destroys the connection. What waits for bytes, now or later, is told why. */
  cut(fault: Fault): void {
    this.#fault ??= fault;
    this.#port.destroy({ reset: false });
    this.fail(this.#fault);
  }
}
