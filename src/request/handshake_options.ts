/**
 * What the handshakes of a requester are held to.
 *
 * @module
 */

import { Fault } from "../faults.ts";
import type { HandshakeOptions } from "../protocols/common/handshake.ts";
import type { Requester } from "./requester.ts";

/** See `HandshakeOptions`. It reads from the requester: copies in each idle connection would cost memory. */
export class RequesterHandshakeOptions implements HandshakeOptions {
  readonly #requester: Requester;

  /** The options for that requester. */
  constructor(requester: Requester) {
    this.#requester = requester;
  }

  get name(): string {
    return this.#requester.services.name;
  }

  get maxHeaderSize(): number {
    return this.#requester.services.limits.headerSize;
  }

  /** A client that will be refused in any case is not asked for a password. */
  get credentialsRequired(): boolean {
    const { services, refusal, role } = this.#requester;
    return services.authenticate !== undefined && !(refusal instanceof Fault) && role === "proxy";
  }

  get scheme(): "Basic" | "Bearer" {
    return this.#requester.services.scheme;
  }

  get disguised(): boolean {
    return this.#requester.services.disguised;
  }

  get contact(): string | undefined {
    return this.#requester.services.contact;
  }

  get reference(): string {
    return this.#requester.id;
  }

  date(): Date {
    return this.#requester.services.clock.date();
  }
}
