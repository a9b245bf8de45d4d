/**
 * Starts the peer program and gives it commands.
 *
 * @module
 */

import { type ChildProcessByStdio, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import type { Address } from "../../src/runtime/contract.ts";
import type { PeerSocket, Transfer } from "./peer.ts";

interface Pending {
  readonly resolve: (result: never) => void;
  readonly reject: (error: Error) => void;
}

/** The peer program; see `peer.ts` for what each command does. */
export class Peer {
  #process: ChildProcessByStdio<Writable, Readable, null>;
  #pending = new Map<number, Pending>();
  #id = 0;

  /** Starts the program at `path` with the Deno at `deno`. */
  constructor(path: string, deno: string) {
    this.#process = spawn(deno, ["run", "-A", "--no-config", path], { stdio: ["pipe", "pipe", "inherit"] });
    createInterface({ input: this.#process.stdout }).on("line", (line) => {
      const { id, result, error } = JSON.parse(line);
      const pending = this.#pending.get(id);
      this.#pending.delete(id);
      if (error === undefined) pending?.resolve(result as never);
      else pending?.reject(new Error(error));
    });
    this.#process.on("exit", () => {
      for (const { reject } of this.#pending.values()) reject(new Error("The peer program has ended"));
    });
  }

  call<Result>(name: string, args: unknown): Promise<Result> {
    const id = ++this.#id;
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { resolve, reject });
      this.#process.stdin.write(JSON.stringify({ id, name, args }) + "\n");
    });
  }

  async listen(address: Address, options: { echo?: boolean } = {}): Promise<PeerListener> {
    const { id, address: bound } = await this.call<{ id: number; address: Address }>("listen", {
      address,
      ...options,
    });
    return new PeerListener(this, { id, address: bound });
  }

  async dial(address: Address): Promise<PeerConnection> {
    return new PeerConnection(this, await this.call("dial", { address }));
  }

  /** Makes `count` short connections, `batch` at a time. Resolves to how many were served in full. */
  storm(address: Address, options: { count: number; batch: number }): Promise<number> {
    return this.call("storm", { address, ...options });
  }

  /** Makes `count` connections, one after the other, and resets each behind its first bytes. */
  vanish(address: Address, options: { count: number }): Promise<number> {
    return this.call("vanish", { address, ...options });
  }

  /** Opens `count` clients that stay. Settles when `enough` of them are connected. */
  crowd(address: Address, options: { count: number; enough: number }): Promise<void> {
    return this.call("crowd", { address, ...options });
  }

  /** Closes the clients of `crowd()`. */
  disperse(): Promise<void> {
    return this.call("disperse", {});
  }

  /** Makes one short connection. Resolves to 1 if it was served in full. */
  visit(address: Address): Promise<number> {
    return this.call("visit", { address });
  }

  /** The address of a listener whose queue is full. */
  stall(): Promise<Address> {
    return this.call("stall", {});
  }

  /** Leaves the file of a Unix socket on which nobody listens. */
  abandon(address: Address): Promise<void> {
    return this.call("abandon", { address });
  }

  /** How many bytes a Unix connection holds if nobody reads. */
  capacity(address: Address): Promise<number> {
    return this.call("capacity", { address });
  }

  /** Ends the program. */
  stop(): void {
    this.#process.stdin.end();
  }
}

/** A listener of the peer. */
export class PeerListener {
  #peer: Peer;
  #id: number;
  readonly address: Address;

  constructor(peer: Peer, { id, address }: { id: number; address: Address }) {
    this.#peer = peer;
    this.#id = id;
    this.address = address;
  }

  async accept(): Promise<PeerConnection> {
    return new PeerConnection(this.#peer, await this.#peer.call("accept", { id: this.#id }));
  }

  close(): Promise<void> {
    return this.#peer.call("unlisten", { id: this.#id });
  }
}

/** The peer's end of a connection. */
export class PeerConnection {
  #peer: Peer;
  #id: number;
  readonly local: Address;
  readonly remote: Address;

  constructor(peer: Peer, { id, local, remote }: PeerSocket) {
    this.#peer = peer;
    this.#id = id;
    this.local = local;
    this.remote = remote;
  }

  /** Sends `bytes` bytes of the pattern. Settles when the kernel has taken them or the connection is gone. */
  send(bytes: number): Promise<Transfer> {
    return this.#peer.call("send", { id: this.#id, bytes });
  }

  /** How many bytes the kernel has taken so far. */
  sent(): Promise<number> {
    return this.#peer.call("sent", { id: this.#id });
  }

  /** Receives until `bytes` bytes have come in all, or until the end. */
  receive(bytes?: number): Promise<Transfer> {
    return this.#peer.call("receive", { id: this.#id, bytes });
  }

  fin(): Promise<void> {
    return this.#peer.call("fin", { id: this.#id });
  }

  reset(): Promise<void> {
    return this.#peer.call("reset", { id: this.#id });
  }

  destroy(): Promise<void> {
    return this.#peer.call("destroy", { id: this.#id });
  }
}
