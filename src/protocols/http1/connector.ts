/**
 * CONNECT, and the greeting, as this proxy sends them to an HTTP proxy (RFC 9110 sections 9.3.6 and 9.3.7).
 *
 * @module
 */

import { Fault, type FaultCode } from "../../faults.ts";
import { FAULTS } from "../../fault_table.ts";
import type { ByteBuffer } from "../../streams/byte_buffer.ts";
import { type Connector, type ConnectorEvent, ESTABLISHED, UpstreamFault } from "../common/connector.ts";
import type { Credentials } from "../common/handshake.ts";
import type { HopOptions, UpstreamProtocol } from "../common/upstream_protocol.ts";
import { foreignScheme } from "../http/authentication.ts";
import { formatAuthority } from "../../addresses/host.ts";
import { isStrangerAnswer } from "../http/own_answer.ts";
import type { Fields } from "../http/fields.ts";
import { ResponseHeadReader } from "./head.ts";
import type { ResponseHead } from "../http/message.ts";
import { toOctets } from "../http/syntax.ts";

/** The most 1xx responses before a final one. */
const MAX_INTERIM = 16;

/** What a status code says of the target, if the upstream gives no code of its own. */
const BY_STATUS: Readonly<Record<number, FaultCode>> = {
  403: "http_request_denied",
  502: "destination_unavailable",
  503: "destination_unavailable",
  504: "connection_timeout",
};

/** What a CONNECT request carries beside its target. */
export type HttpConnectorOptions =
  & Pick<HopOptions, "target" | "settings">
  & Partial<Pick<HopOptions, "authorization" | "via" | "trace" | "pinned">>;

/** Asks for a tunnel. Any 2xx opens it, and has no body, whatever its fields say. */
export class HttpConnector implements Connector {
  /** See `Connector`. */
  readonly asked = true;
  readonly #options: HttpConnectorOptions;
  #reader: ResponseHeadReader;
  #interim = 0;
  #established = false;

  /** One object opens one tunnel. */
  constructor(options: HttpConnectorOptions) {
    this.#options = options;
    this.#reader = new ResponseHeadReader(options.settings.limits.headerSize);
  }

  /** The request. */
  start(): Uint8Array {
    const { target, authorization, via, trace } = this.#options;
    const authority = formatAuthority(target);
    let head = `CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n`;
    if (authorization !== undefined) head += `Proxy-Authorization: ${authorization}\r\n`;
    if (via !== undefined) head += `Via: ${via}\r\n`;
    if (trace !== undefined) head += `Traceparent: ${trace}\r\n`;
    return toOctets(`${head}\r\n`);
  }

  /** The response. */
  read(buffer: ByteBuffer): ConnectorEvent | undefined {
    if (this.#established) return undefined;
    for (let head = this.#readHead(buffer); head; head = this.#readHead(buffer)) {
      if (head.status >= 300) throw this.#refusal(head);
      if (head.status >= 200) {
        this.#established = true;
        return ESTABLISHED;
      }
      if (head.status === 101 || ++this.#interim > MAX_INTERIM) {
        throw new UpstreamFault("http_protocol_error", `It answered CONNECT with ${head.status}`);
      }
      this.#reader = new ResponseHeadReader(this.#options.settings.limits.headerSize);
    }
    return undefined;
  }

  #readHead(buffer: ByteBuffer): ResponseHead | undefined {
    try {
      return this.#reader.read(buffer);
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      throw new UpstreamFault(error.code, `It does not answer as an HTTP proxy: ${error.message}`);
    }
  }

  #refusal(head: ResponseHead): Fault {
    const { status, fields } = head;
    const target = formatAuthority(this.#options.target);
    if (refusesUs(head, this.#options)) return unknownToProxy(head, this.#options);
    const told = proxyError(fields);
    const code = told ?? BY_STATUS[status];
    const message = `It refused ${target}${told ? `: ${told}` : ""} (${status})`;
    // RFC 9110 section 15.6.4: the upstream is overloaded or shutting down, and says how long to wait.
    const itself = told ? FAULTS[told].blame === "proxy" : status === 503 && fields.has("retry-after");
    if (code && !itself) return new Fault(code, message);
    // Some proxies send another status if they cannot reach a target: tinyproxy sends 500.
    return new UpstreamFault(code ?? "http_protocol_error", message, {
      doubtful: code === undefined && !itself,
    });
  }
}

/** An HTTP proxy that gets requests: the credentials for it, and whether its key is pinned. */
export interface KnownProxy extends Pick<HttpConnectorOptions, "pinned"> {
  /** As in `HttpConnectorOptions`. */
  readonly authorization: string | undefined;
}

/**
 * Whether an answer says that the proxy does not know us: a 407, or a disguised proxy's page for strangers. The pinned
 * key tells the disguised proxy from a web server.
 */
export function refusesUs(
  head: Pick<ResponseHead, "status" | "fields">,
  { pinned }: Pick<KnownProxy, "pinned">,
): boolean {
  return head.status === 407 || pinned === true && isStrangerAnswer(head);
}

/** The fault for such an answer. */
export function unknownToProxy(
  { status, fields }: Pick<ResponseHead, "status" | "fields">,
  { authorization }: Partial<KnownProxy>,
): UpstreamFault {
  const scheme = foreignScheme(fields);
  if (scheme !== undefined) {
    const why = `It asks for ${scheme}, which we do not speak: we know Basic and bearer tokens (${status})`;
    const advice = `It asks for ${scheme}, which this proxy does not speak. Ask whoever runs this proxy.`;
    return new UpstreamFault("proxy_configuration_error", why, { advice });
  }
  const credentials = authorization?.startsWith("Bearer ") ? "token" : "credentials";
  const why = authorization === undefined
    ? "It wants to know who we are, and no user is configured"
    : `It does not accept our ${credentials}`;
  const advice = `Whoever runs this proxy should check its ${credentials} for the next one.`;
  return new UpstreamFault("proxy_configuration_error", `${why} (${status})`, { advice });
}

type GreeterOptions = KnownProxy & Pick<HttpConnectorOptions, "settings">;

/**
 * Asks an HTTP proxy only for an answer of its own (RFC 9110 section 9.3.7). Any answer is good, unless it says that
 * the proxy does not know us.
 */
export class HttpGreeter implements Connector {
  /** See `Connector`: no target is named. */
  readonly asked = false;
  readonly #options: GreeterOptions;
  readonly #reader: ResponseHeadReader;

  /** One object asks once. */
  constructor(options: GreeterOptions) {
    this.#options = options;
    this.#reader = new ResponseHeadReader(options.settings.limits.headerSize);
  }

  /** The request. With `Max-Forwards: 0` it goes no further than the proxy, whatever the proxy makes of `*`. */
  start(): Uint8Array {
    let head = "OPTIONS * HTTP/1.1\r\nHost: localhost\r\nMax-Forwards: 0\r\nConnection: close\r\n";
    const { authorization } = this.#options;
    if (authorization !== undefined) head += `Proxy-Authorization: ${authorization}\r\n`;
    return toOctets(`${head}\r\n`);
  }

  /** The response. */
  read(buffer: ByteBuffer): ConnectorEvent | undefined {
    const head = this.#reader.read(buffer);
    if (head?.status === 407) {
      throw new UpstreamFault("proxy_configuration_error", "It does not accept us (407)");
    }
    return head && ESTABLISHED;
  }
}

/** The error in Proxy-Status, if it is a registered one (RFC 9209 section 2.1.1). */
export function proxyError(fields: Fields): FaultCode | undefined {
  const code = errorParameter(fields.all("proxy-status").join(", "));
  return Object.hasOwn(FAULTS, code) && FAULTS[code as FaultCode].registered ? code as FaultCode : undefined;
}

/** The value of the first parameter `error`, up to the first character that no code has. Empty if there is none. */
function errorParameter(status: string): string {
  for (let i = 0; i < status.length; i++) {
    if (status[i] === '"') {
      // A quoted string, such as that of `details`, may contain anything.
      for (i++; i < status.length && status[i] !== '"'; i++) if (status[i] === "\\") i++;
    } else if (status[i] === ";") {
      while (status[i + 1] === " ") i++;
      if (!status.startsWith("error=", i + 1)) continue;
      const start = i + 1 + "error=".length;
      let end = start;
      while (end < status.length && /[a-z_]/.test(status[end])) end++;
      return status.slice(start, end);
    }
  }
  return "";
}

/** The value of Proxy-Authorization for a user name and password (RFC 7617 section 2, in UTF-8). */
export function basicAuthorization({ user, password }: Credentials): string {
  const octets = new TextEncoder().encode(`${user}:${password}`);
  return `Basic ${btoa(String.fromCharCode(...octets))}`;
}

/** An HTTP proxy. */
export const HTTP_UPSTREAM: UpstreamProtocol<"http"> = {
  name: "http",
  port: 80,
  asksFor: "name",
  users: { noColon: "HTTP has no user names with a colon" },
  token: true,
  tls: false,
  takesRequests: true,
  confirms: true,
  connect: (options) => new HttpConnector(options),
  greet: (options) => new HttpGreeter(options),
};

/** An HTTP proxy over TLS. */
export const HTTPS_UPSTREAM: UpstreamProtocol<"https"> = {
  ...HTTP_UPSTREAM,
  name: "https",
  port: 443,
  tls: true,
};
