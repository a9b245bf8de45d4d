/**
 * The `line` protocol as this proxy speaks it to an upstream: see `line.ts`.
 *
 * @module
 */

import type { TcpAddress } from "../../runtime/contract.ts";
import {
  type Connector,
  type ConnectorEvent,
  type ConnectorOptions,
  ESTABLISHED,
} from "../common/connector.ts";
import type { UpstreamProtocol } from "../common/upstream_protocol.ts";
import { formatAuthority } from "../../addresses/host.ts";
import { toOctets } from "../http/syntax.ts";

/** Names the target. There is no reply, so the tunnel counts as open at once. */
export class LineConnector implements Connector {
  /** See `Connector`. */
  readonly asked = true;
  readonly #target: TcpAddress;
  #established = false;

  /** One object opens one tunnel. */
  constructor({ target }: ConnectorOptions) {
    this.#target = target;
  }

  /** The line, an IPv6 address in brackets. */
  start(): Uint8Array {
    return toOctets(`${formatAuthority(this.#target)}\r\n`);
  }

  /** Every byte comes from the target. */
  read(): ConnectorEvent | undefined {
    if (this.#established) return undefined;
    this.#established = true;
    return ESTABLISHED;
  }
}

/** An upstream that speaks `line`. It has no default port, and answers nothing before it is given a target. */
export const LINE_UPSTREAM: UpstreamProtocol<"line"> = {
  name: "line",
  port: undefined,
  asksFor: "name",
  users: undefined,
  token: false,
  tls: false,
  takesRequests: false,
  confirms: false,
  connect: (options) => new LineConnector(options),
  greet: undefined,
};
