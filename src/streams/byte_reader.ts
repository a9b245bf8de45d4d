/**
 * Buffered reading from a connection. Bytes that a codec leaves stay here for the next reader, so nothing is lost
 * between a handshake and the tunnel behind it.
 *
 * @module
 */

import type { DirectPort, PortReceiver } from "../runtime/direct_port.ts";
import { type Fault, type Side, toFault } from "../faults.ts";
import { bulkLength } from "./bulk_block.ts";
import { ByteBuffer } from "./byte_buffer.ts";

/** Holds most request heads and a TLS ClientHello, and keeps an idle connection cheap. */
const FIRST_CAPACITY = 2048;

/** The factor by which the buffer grows and shrinks: 2, 32, 256 KiB on the way up, and 16 KiB on the way down. */
const GROWTH = 16;

/**
 * The buffer grows after this many reads in a row that fill it, and shrinks after this many that leave most of it
 * empty. A single such read may be the beginning or the end of a message, and changing the memory for each message
 * would cost more than its reads.
 */
const FULL_READS = 2;
const SCANT_READS = 8;

/** Takes the bytes that {@link ByteReader.drain} hands over. */
export interface Drain {
  /**
   * Takes bytes in. Returns undefined if that is done, and otherwise a promise. The bytes stay unchanged until it
   * settles.
   */
  take(bytes: Uint8Array): Promise<void> | undefined;
  /** The peer has sent its last byte. */
  ended(): void;
  /**
   * The connection is broken, or `take()` has rejected. May be called more than once, and while the port works: the
   * callee must not destroy anything.
   */
  failed(error: unknown): void;
}

/** Told once of the next thing that happens, without a promise. */
export interface Watcher {
  /**
   * Bytes have come, or the end, or the connection is broken. Called while the port works: the callee must not destroy
   * anything.
   */
  stirred(fault: Fault | undefined): void;
}

/** Told once how a wait for bytes has ended, without a promise. */
export interface Waiter {
  /**
   * More bytes have come, or none will. Bytes are told at once, while the port works; the end in a microtask, so that the
   * callee may destroy the connection.
   */
  filled(more: boolean): void;
  /** The connection is broken, or the wait was interrupted. Told in a microtask. */
  failed(fault: Fault): void;
}

/** A wait as a promise. */
class Filling implements Waiter {
  readonly promise: Promise<boolean>;
  filled!: (more: boolean) => void;
  failed!: (fault: Fault) => void;

  constructor() {
    this.promise = new Promise((resolve, reject) => {
      this.filled = resolve;
      this.failed = reject;
    });
  }
}

/** Reads bytes into one reused buffer, which grows while reads fill it, as in hyper's adaptive reading. */
export class ByteReader implements PortReceiver {
  /** The bytes that have arrived and that nobody has used. Leave it alone while a `fill()` is under way. */
  readonly buffer: ByteBuffer;

  readonly #port: DirectPort;
  readonly #side: Side;
  /** Whether the port was asked for bytes and has not answered yet. */
  #pulled = false;
  /** Whether the port is handing over bytes. What is asked for meanwhile is the answer to that call. */
  #receiving = false;
  #watcher: Watcher | undefined;
  #waiter: Waiter | undefined;
  #drain: Drain | undefined;
  #fault: Fault | undefined;
  #ended = false;
  /** How many bytes of the buffer are lent to the port, and whether this port borrows memory at all. */
  #lent = 0;
  #lends = false;
  #capacity = FIRST_CAPACITY;
  /** How many reads in a row have filled the buffer. Negative: how many have left most of it empty. */
  #trend = 0;

  /** Nobody else may read the port. `side` says whose fault a broken connection is. */
  constructor(port: DirectPort, side: Side) {
    this.#port = port;
    this.#side = side;
    this.buffer = new ByteBuffer(0, { resizable: !port.detaches });
  }

  /** Whether the peer has sent its last byte. Bytes may still wait in the buffer. */
  get ended(): boolean {
    return this.#ended;
  }

  /** Whether more bytes may come: the peer has not ended, and the connection works as far as is known. */
  get isOpen(): boolean {
    return !this.#ended && this.#fault === undefined;
  }

  /** Whether somebody waits for more bytes. */
  get waiting(): boolean {
    return this.#waiter !== undefined;
  }

  /**
   * Waits for more bytes behind those in the buffer. Returns false if the peer has sent its last byte. Throws a `Fault`
   * on a reset, or the fault given to {@link ByteReader.cut}. If a wait is under way, a second call joins it, so bytes
   * that arrive after a wait was given up are not lost.
   */
  fill(): Promise<boolean> {
    if (this.#waiter instanceof Filling) return this.#waiter.promise;
    const filling = new Filling();
    this.wait(filling);
    return filling.promise;
  }

  /** As {@link ByteReader.fill}, without a promise. Nobody else may wait meanwhile. */
  wait(waiter: Waiter): void {
    const fault = this.#fault;
    if (fault) return queueMicrotask(() => waiter.failed(fault));
    if (this.#ended) return queueMicrotask(() => waiter.filled(false));
    this.#waiter = waiter;
    this.#pull();
  }

  #pull(): void {
    if (this.#pulled) return;
    this.#pulled = true;
    if (!this.#receiving) this.#port.pull(this);
  }

  /** Ends the wait for bytes, which throws the fault. The next wait gets all bytes that arrive. */
  interrupt(fault: Fault): void {
    const waiter = this.#takeWaiter();
    if (waiter) queueMicrotask(() => waiter.failed(fault));
  }

  #takeWaiter(): Waiter | undefined {
    const waiter = this.#waiter;
    this.#waiter = undefined;
    return waiter;
  }

  /**
   * Tells the watcher of the next thing that happens, even if somebody else waits for it. A new watcher replaces the
   * old.
   */
  watch(watcher: Watcher): void {
    if (this.#fault || this.#ended) return watcher.stirred(this.#fault);
    this.#watcher = watcher;
    this.#pull();
  }

  /** Removes the watcher. */
  unwatch(): void {
    this.#watcher = undefined;
  }

  #stir(fault?: Fault): void {
    const watcher = this.#watcher;
    this.#watcher = undefined;
    watcher?.stirred(fault);
  }

  /**
   * The next bytes of a body or a tunnel, at most `limit`: those that wait, or else the next that arrive. Undefined if
   * there are no more. The view is valid until the next call.
   */
  async read(limit = Infinity): Promise<Uint8Array | undefined> {
    // The memory of a wait that was given up is still lent to the socket.
    if (this.#pulled) await this.fill();
    if (this.buffer.length === 0 && !await this.fill()) return undefined;
    return this.buffer.take(limit);
  }

  /**
   * Hands over the bytes that wait and all that arrive. Each time it waits until the bytes before have been taken in;
   * if they were taken in at once, it needs no promise.
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

  /** Returns true if the bytes have been taken in. */
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
    this.#receiving = true;
    if (this.#lent > 0) this.#takeBack(bytes);
    else this.#takeOver(bytes);
    // A waiter may begin to drain, and has then been given these bytes.
    const draining = this.#drain !== undefined;
    // This goes first: a waiter may set the next watcher.
    if (this.#watcher) this.#stir();
    this.#takeWaiter()?.filled(true);
    if (draining) this.#pulled = this.#give(this.buffer.length > 0 ? this.buffer.take() : bytes);
    this.#receiving = false;
    return this.#pulled && this.#fault === undefined;
  }

  #takeBack(bytes: Uint8Array<ArrayBuffer>): void {
    const asked = this.#lent;
    this.#lent = 0;
    this.buffer.restore(bytes, bytes.length);
    const { capacity } = this.buffer;
    if (bytes.length === asked && asked === capacity) this.#trend = Math.max(this.#trend, 0) + 1;
    else if (bytes.length * GROWTH < capacity) this.#trend = Math.min(this.#trend, 0) - 1;
    else this.#trend = 0;
    if (this.#trend === FULL_READS) {
      this.#resize(Math.min(capacity * GROWTH, Math.max(capacity, bulkLength())));
    } else if (this.#trend === -SCANT_READS) this.#resize(Math.max(capacity / GROWTH, FIRST_CAPACITY));
  }

  /** Sets the capacity for reads into an empty buffer. */
  #resize(capacity: number): void {
    this.#capacity = capacity;
    this.#trend = 0;
  }

  /** Takes bytes that came in the port's own memory. */
  #takeOver(bytes: Uint8Array<ArrayBuffer>): void {
    // They would have filled the buffer.
    if (bytes.length > this.#capacity) this.#resize(bulkLength());
    if (!this.#drain || this.buffer.length > 0) this.#append(bytes);
    else this.buffer.resize(0);
  }

  /** Bytes in memory that the port gives away are not copied: the copy would use memory, too, while a write waits. */
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
    const waiter = this.#takeWaiter();
    if (waiter) queueMicrotask(() => waiter.filled(false));
    this.#stir();
    this.#drain?.ended();
  }

  /** See `PortReceiver`. */
  fail(error: unknown): void {
    const fault = this.#fault ??= toFault(error, this.#side);
    this.interrupt(fault);
    this.#stir(fault);
    this.#drain?.failed(fault);
  }

  /** Destroys the connection. Every wait for bytes, now or later, throws the fault. */
  cut(fault: Fault): void {
    this.#fault ??= fault;
    this.#port.destroy({ reset: false });
    this.fail(this.#fault);
  }

  /** Frees the memory, after a cut. Nobody may use bytes that were read any more, and no write of them may wait. */
  free(): void {
    this.buffer.free();
  }
}
