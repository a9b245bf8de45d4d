/**
 * What the handshakes of a session are held to.
 *
 * @module
 */

import { Fault } from "../faults.ts";
import type { HandshakeOptions } from "../protocols/common/handshake.ts";
import type { Session } from "./session.ts";

/** See `HandshakeOptions`. An object of its own for each idle connection that held all of it would cost more memory. */
export class Terms implements HandshakeOptions {
  readonly #session: Session;

  /** The terms of that session. */
  constructor(session: Session) {
    this.#session = session;
  }

  get name(): string {
    return this.#session.services.name;
  }

  get maxHeaderSize(): number {
    return this.#session.services.limits.headerSize;
  }

  /** Nobody is asked for a password who will be refused all the same. */
  get credentialsRequired(): boolean {
    const { services, refusal, entrance } = this.#session;
    return services.authenticate !== undefined && !(refusal instanceof Fault) && entrance.role === "proxy";
  }

  get scheme(): "Basic" | "Bearer" {
    return this.#session.services.scheme;
  }

  get disguised(): boolean {
    return this.#session.services.disguised;
  }

  get contact(): string | undefined {
    return this.#session.services.contact;
  }

  get reference(): string {
    return this.#session.id;
  }

  date(): Date {
    return this.#session.services.clock.date();
  }
}
