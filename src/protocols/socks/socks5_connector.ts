/**
 * SOCKS5 as this proxy speaks it to an upstream (RFC 1928), with a user name and password if it has them (RFC 1929);
 * `socks5.ts` draws the messages.
 *
 * @module
 */

import { Fault, type FaultCode } from "../../faults.ts";
import type { ByteBuffer } from "../../streams/byte_buffer.ts";
import {
  type Connector,
  type ConnectorEvent,
  type ConnectorOptions,
  ESTABLISHED,
  UpstreamFault,
} from "../common/connector.ts";
import type { UpstreamProtocol } from "../common/upstream_protocol.ts";
import { formatAuthority, parseIp } from "../../addresses/host.ts";
import { toOctets } from "../http/syntax.ts";

const VER = 0x05;
const SUBNEGOTIATION_VER = 0x01;
const METHOD = { NO_AUTHENTICATION_REQUIRED: 0x00, USERNAME_PASSWORD: 0x02 } as const;
const CMD_CONNECT = 0x01;
const RSV = 0x00;
const ATYP = { IPV4: 0x01, DOMAINNAME: 0x03, IPV6: 0x04 } as const;
const SUCCEEDED = 0x00;

/**
 * RFC 1928 section 6: our codes for the replies about the target, and words for the log. The fault keeps the number, so
 * that a SOCKS5 client of ours gets the same reply.
 */
const REFUSALS: Readonly<Record<number, readonly [code: FaultCode, words: string]>> = {
  1: ["destination_unavailable", "general failure"],
  2: ["http_request_denied", "not allowed by its rules"],
  3: ["destination_ip_unroutable", "network unreachable"],
  4: ["destination_ip_unroutable", "host unreachable"],
  5: ["connection_refused", "connection refused"],
  6: ["connection_timeout", "TTL expired"],
  8: ["destination_unavailable", "address type not supported"],
};

/** The last step of the handshake that was done, in order. */
type Stage = "greeted" | "identifying" | "requested" | "established";

/** Asks for a target. A name is sent as it is, and resolved at the far end. */
export class Socks5Connector implements Connector {
  readonly #options: ConnectorOptions;
  #stage: Stage = "greeted";

  /** One object opens one tunnel. */
  constructor(options: ConnectorOptions) {
    this.#options = options;
  }

  /** See `Connector`. The greeting and the password come before the target. */
  get asked(): boolean {
    return this.#stage === "requested" || this.#stage === "established";
  }

  /** The greeting. It offers a password only if there is one (RFC 1928 section 3). */
  start(): Uint8Array {
    return this.#options.credentials
      ? Uint8Array.of(VER, 2, METHOD.NO_AUTHENTICATION_REQUIRED, METHOD.USERNAME_PASSWORD)
      : Uint8Array.of(VER, 1, METHOD.NO_AUTHENTICATION_REQUIRED);
  }

  /** See `Connector`. */
  read(buffer: ByteBuffer): ConnectorEvent | undefined {
    switch (this.#stage) {
      case "greeted":
        return this.#readMethod(buffer);
      case "identifying":
        return this.#readStatus(buffer);
      case "requested":
        return this.#readReply(buffer);
      case "established":
        return undefined;
    }
  }

  #readMethod(buffer: ByteBuffer): ConnectorEvent | undefined {
    this.#checkVersion(buffer, VER);
    if (buffer.length < 2) return undefined;
    const method = buffer.at(1);
    const { credentials } = this.#options;
    if (method === METHOD.NO_AUTHENTICATION_REQUIRED) {
      buffer.skip(2);
      return this.#request();
    }
    if (method !== METHOD.USERNAME_PASSWORD || !credentials) {
      const why = credentials ? "accepts no password" : "wants to know who we are, and no user is configured";
      throw new UpstreamFault("proxy_configuration_error", `It ${why} (SOCKS5 method ${method})`);
    }
    buffer.skip(2);
    this.#stage = "identifying";
    const user = new TextEncoder().encode(credentials.user);
    const password = new TextEncoder().encode(credentials.password);
    const bytes = Uint8Array.of(SUBNEGOTIATION_VER, user.length, ...user, password.length, ...password);
    return { type: "send", bytes };
  }

  #readStatus(buffer: ByteBuffer): ConnectorEvent | undefined {
    // RFC 1929 section 2 asks for version 1; some servers send 5. Only the status counts.
    if (buffer.length < 2) return undefined;
    if (buffer.at(1) !== 0) {
      throw new UpstreamFault("proxy_configuration_error", "It does not accept our user name and password");
    }
    buffer.skip(2);
    return this.#request();
  }

  #request(): ConnectorEvent {
    const { host, port } = this.#options.target;
    const ip = parseIp(host);
    const address = ip
      ? [ip.length === 4 ? ATYP.IPV4 : ATYP.IPV6, ...ip]
      : [ATYP.DOMAINNAME, host.length, ...toOctets(host)];
    this.#stage = "requested";
    return {
      type: "send",
      bytes: Uint8Array.of(VER, CMD_CONNECT, RSV, ...address, port >> 8, port & 0xFF),
    };
  }

  #readReply(buffer: ByteBuffer): ConnectorEvent | undefined {
    this.#checkVersion(buffer, VER);
    if (buffer.length < 2) return undefined;
    const rep = buffer.at(1);
    // A refusal is read before its end, because some servers leave BND.ADDR out.
    if (rep !== SUCCEEDED) throw this.#refusal(rep);
    const end = replyEnd(buffer);
    if (end === undefined || buffer.length < end) return undefined;
    buffer.skip(end);
    this.#stage = "established";
    return ESTABLISHED;
  }

  #refusal(rep: number): Fault {
    const target = formatAuthority(this.#options.target);
    if (!Object.hasOwn(REFUSALS, rep)) {
      const why = rep === 7 ? "does not serve CONNECT" : "refused in an unknown way";
      return new UpstreamFault("proxy_configuration_error", `It ${why} (SOCKS5 reply ${rep})`);
    }
    const [code, words] = REFUSALS[rep];
    return new Fault(code, `It refused ${target}: ${words} (SOCKS5 reply ${rep})`, { socks5: rep });
  }

  #checkVersion(buffer: ByteBuffer, expected: number): void {
    const ver = buffer.at(0);
    if (ver < 0 || ver === expected) return;
    throw new UpstreamFault(
      "proxy_configuration_error",
      `It does not speak SOCKS5: its reply begins with ${ver}`,
    );
  }
}

/** Where the reply ends. Undefined while too few bytes have come. */
function replyEnd(buffer: ByteBuffer): number | undefined {
  switch (buffer.at(3)) {
    case -1:
      return undefined;
    case ATYP.IPV4:
      return 4 + 4 + 2;
    case ATYP.IPV6:
      return 4 + 16 + 2;
    case ATYP.DOMAINNAME:
      return buffer.length > 4 ? 5 + buffer.at(4) + 2 : undefined;
    default:
      throw new UpstreamFault(
        "proxy_configuration_error",
        `Its SOCKS5 reply has the unknown address type ${buffer.at(3)}`,
      );
  }
}

/** RFC 1929 section 2: lengths have one octet. SOCKS4 names no limit, but its servers have the same one. */
export const SOCKS_LIMIT = {
  bytes: 255,
  why: "SOCKS carries user names and passwords of up to 255 bytes",
} as const;

/** An upstream that speaks SOCKS5 and gets addresses. */
export const SOCKS5_UPSTREAM: UpstreamProtocol<"socks5"> = {
  name: "socks5",
  port: 1080,
  asksFor: "address",
  users: { limit: SOCKS_LIMIT },
  token: false,
  tls: false,
  takesRequests: false,
  confirms: true,
  connect: (options) => new Socks5Connector(options),
  greet: (options) => new Socks5Connector(options),
};

/** An upstream that speaks SOCKS5 and resolves names. `h` means host name, as in curl. */
export const SOCKS5H_UPSTREAM: UpstreamProtocol<"socks5h"> = {
  ...SOCKS5_UPSTREAM,
  name: "socks5h",
  asksFor: "name",
};
