/**
 * The options of a requester's handshakes.
 *
 * @module
 */

import type { Settings } from "../settings/settings.ts";
import { Fault } from "../faults.ts";
import type { HandshakeOptions } from "../protocols/common/handshake.ts";
import type { Requester } from "./requester.ts";

/** See `HandshakeOptions`. It reads from the requester, because a copy for each idle connection would cost memory. */
export class RequesterHandshakeOptions implements HandshakeOptions {
  readonly #requester: Requester;

  /** The options for this requester. */
  constructor(requester: Requester) {
    this.#requester = requester;
  }

  get settings(): Settings {
    return this.#requester.services.settings;
  }

  /** A client that will be refused anyway is not asked for a password. */
  get credentialsRequired(): boolean {
    const { services, refusal, role } = this.#requester;
    return services.authenticate !== undefined && !(refusal instanceof Fault) && role === "proxy";
  }

  get acts(): boolean {
    return this.#requester.role === "admin";
  }

  get scheme(): "Basic" | "Bearer" {
    return this.#requester.services.scheme;
  }

  get reference(): string {
    return this.#requester.id;
  }

  date(): Date {
    return this.#requester.services.clock.date();
  }
}
