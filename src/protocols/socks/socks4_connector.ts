/**
 * SOCKS4 and SOCKS4A as this proxy speaks them to an upstream; `socks4.ts` draws the messages.
 *
 * @module
 */

import { Fault } from "../../faults.ts";
import type { ByteBuffer } from "../../streams/byte_buffer.ts";
import {
  type Connector,
  type ConnectorEvent,
  type ConnectorOptions,
  ESTABLISHED,
  UpstreamFault,
} from "../common/connector.ts";
import type { UpstreamProtocol } from "../common/upstream_protocol.ts";
import { formatAuthority, parseIpv4 } from "../../addresses/host.ts";
import { toOctets } from "../http/syntax.ts";
import { SOCKS_LIMIT } from "./socks5_connector.ts";

const VN = 0x04;
const CD_CONNECT = 0x01;

/** The second byte of a reply. */
const CD = { GRANTED: 0x5A, REJECTED: 0x5B, NO_IDENTD: 0x5C, OTHER_USERID: 0x5D } as const;

const REPLY_LENGTH = 8;

/** 4A: an impossible address, which means that a name follows. */
const NAME_MARKER = Uint8Array.of(0, 0, 0, 1);

/** Asks for a target: with SOCKS4 for an IPv4 address, with SOCKS4A for anything else. */
export class Socks4Connector implements Connector {
  /** See `Connector`. */
  readonly asked = true;
  readonly #options: ConnectorOptions;
  #established = false;

  /** One object opens one tunnel. The user name becomes USERID; there is no password. */
  constructor(options: ConnectorOptions) {
    this.#options = options;
  }

  /** The request. */
  start(): Uint8Array {
    const { target: { host, port }, credentials } = this.#options;
    const ipv4 = parseIpv4(host);
    const user = new TextEncoder().encode(credentials?.user ?? "");
    const name = ipv4 ? [] : [...toOctets(host), 0];
    return Uint8Array.of(VN, CD_CONNECT, port >> 8, port & 0xFF, ...ipv4 ?? NAME_MARKER, ...user, 0, ...name);
  }

  /** The reply. Its first byte should be 0; some servers send 4. */
  read(buffer: ByteBuffer): ConnectorEvent | undefined {
    if (this.#established) return undefined;
    const vn = buffer.at(0);
    if (vn > 0 && vn !== VN) {
      throw new UpstreamFault(
        "proxy_configuration_error",
        `It does not speak SOCKS4: its reply begins with ${vn}`,
      );
    }
    if (buffer.length < 2) return undefined;
    const cd = buffer.at(1);
    // A refusal is read before its end, because some servers close too early.
    if (cd !== CD.GRANTED) throw this.#refusal(cd);
    if (buffer.length < REPLY_LENGTH) return undefined;
    buffer.skip(REPLY_LENGTH);
    this.#established = true;
    return ESTABLISHED;
  }

  #refusal(cd: number): Fault {
    const target = formatAuthority(this.#options.target);
    switch (cd) {
      case CD.REJECTED:
        return new Fault("destination_unavailable", `It rejected ${target}`);
      case CD.NO_IDENTD:
      case CD.OTHER_USERID:
        return new UpstreamFault("proxy_configuration_error", `It does not believe our user name (${cd})`);
      default:
        return new UpstreamFault("proxy_configuration_error", `Its SOCKS4 reply has the unknown code ${cd}`);
    }
  }
}

/** An upstream that speaks SOCKS4: it takes only IPv4 addresses. */
export const SOCKS4_UPSTREAM: UpstreamProtocol<"socks4"> = {
  name: "socks4",
  port: 1080,
  asksFor: "IPv4 address",
  users: { noPassword: "SOCKS4 has user names, and no passwords", limit: SOCKS_LIMIT },
  token: false,
  tls: false,
  takesRequests: false,
  confirms: true,
  connect: (options) => new Socks4Connector(options),
  greet: undefined,
};

/** An upstream that speaks SOCKS4A: it resolves names. */
export const SOCKS4A_UPSTREAM: UpstreamProtocol<"socks4a"> = {
  ...SOCKS4_UPSTREAM,
  name: "socks4a",
  asksFor: "name",
};
