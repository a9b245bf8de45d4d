/**
 * HTTP/1.1 as a client speaks it to a proxy: CONNECT, absolute-form, Basic credentials in the same head.
 *
 * @module
 */

import { FAULTS } from "../../fault_table.ts";
import type { Fault } from "../../faults.ts";
import type { ByteBuffer } from "../../streams/byte_buffer.ts";
import type { ClientProtocol } from "../common/client_protocol.ts";
import type {
  Credentials,
  Handshake,
  HandshakeEvent,
  HandshakeOptions,
  ProxyRequest,
  Refusal,
} from "../common/handshake.ts";
import { CONNECTION_ESTABLISHED, faultAnswer, strangerAnswer } from "./answer.ts";
import { checkLoop, viaOf } from "./forwarding.ts";
import { RequestHeadReader } from "./head.ts";
import type { HttpRequest, RequestHead } from "../http/message.ts";
import { understand } from "./request.ts";
import { CR, isTokenByte, LF } from "../http/syntax.ts";

const NOTHING = new Uint8Array(0);

/** One request's head, and the answers that are not the origin's. */
export class HttpHandshake implements Handshake<"http"> {
  /** See `Handshake`. */
  readonly protocol = "http";
  readonly #options: HandshakeOptions;
  readonly #reader: RequestHeadReader;
  #head: RequestHead | undefined;
  #request: HttpRequest | undefined;
  #buffer: ByteBuffer | undefined;
  #accepted: boolean;

  /** One object serves one request. */
  constructor(options: HandshakeOptions) {
    this.#options = options;
    this.#accepted = !options.credentialsRequired;
    this.#reader = new RequestHeadReader(options.settings.limits.headerSize);
  }

  /** See `Handshake`. */
  get asked(): { readonly method: string; readonly target: string } | undefined {
    const line = this.#reader.startLine;
    return line && { method: line.method, target: withoutUser(line.target) };
  }

  /** See `Handshake`. Basic credentials and the request come from the same head, one event after the other. */
  read(buffer: ByteBuffer): HandshakeEvent | undefined {
    this.#buffer = buffer;
    if (!this.#request) {
      this.#head = this.#reader.read(buffer);
      if (!this.#head) return undefined;
      this.#request = understand(this.#head);
      checkLoop(this.#head.fields, this.#options.settings.name);
    }
    // What is about the proxy itself goes nowhere, and is for the proxy's owner to see or not, whoever asks.
    if (this.#accepted || this.#request.target.form === "origin") {
      return { type: "request", request: proxyRequest(this.#request, this.#options.settings.name) };
    }
    const value = this.#request.head.fields.get("proxy-authorization");
    const read = this.#options.scheme === "Bearer" ? bearerToken : basicCredentials;
    return { type: "credentials", credentials: read(value) };
  }

  /** Nothing is said of accepted credentials: the request is in the same head. */
  accepted(): Uint8Array {
    this.#accepted = true;
    return NOTHING;
  }

  /** The answer to CONNECT. */
  established(): Uint8Array {
    return CONNECTION_ESTABLISHED;
  }

  /** An HTTP answer; the connection may go on where both sides agree on where the next request begins. */
  refused(fault: Fault): Refusal {
    const retryable = this.#mayRetry(fault);
    const dress = {
      date: this.#options.date(),
      bodyless: this.#reader.startLine?.method === "HEAD",
      persistent: retryable,
    };
    if (this.#options.settings.disguised && !this.#accepted) return this.#strangerRefusal(fault, dress);
    const bytes = faultAnswer(fault, {
      ...dress,
      name: this.#options.settings.name,
      contact: this.#options.settings.contact,
      reference: this.#options.reference,
      html: this.#head?.fields.tokens("accept").some((type) => type.startsWith("text/html")) ?? false,
    });
    return { bytes, retryable };
  }

  /**
   * What web servers do: they hang up on a client that does not finish its head. They answer 400 and close where they
   * cannot read the request, and a target that is neither a path nor a URI is no better to one that is not a proxy (nginx
   * 1.22 to CONNECT and to OPTIONS *). They have no page for all others.
   */
  #strangerRefusal(fault: Fault, dress: { date: Date; bodyless: boolean; persistent: boolean }): Refusal {
    if (fault.code === "client_timeout") return { bytes: NOTHING, retryable: false };
    const form = this.#request?.target.form;
    const isReadable = fault.code !== "http_request_error" && (form === "origin" || form === "absolute");
    const persistent = isReadable && dress.persistent;
    const status = isReadable ? 404 : 400;
    return { bytes: strangerAnswer(status, { ...dress, persistent }), status, retryable: persistent };
  }

  /**
   * RFC 9112 section 9.3: only when the whole request has been read. What follows a refused CONNECT or Upgrade may be
   * meant for the other protocol and must not be taken for a request (RFC 9931). So one that is refused ends the
   * connection, but for the challenge to a client that gave no credentials and sent nothing more up to now: that is how
   * clients begin, and the refusal took no time in which early bytes could have been on their way. To a stranger a wrong
   * token must look like none; to judge one takes no time either.
   */
  #mayRetry(fault: Fault): boolean {
    if (
      !this.#request?.persistent || this.#request.framing.kind !== "none" || !FAULTS[fault.code].retryable
    ) {
      return false;
    }
    const { target, upgrade, head } = this.#request;
    if (target.form !== "authority" && upgrade === undefined) return true;
    const judgedAtOnce = this.#options.settings.disguised || !head.fields.has("proxy-authorization");
    return fault.code === "proxy_authentication_required" && judgedAtOnce && this.#buffer?.length === 0;
  }
}

/** HTTP/1.1 and HTTP/1.0. */
export const HTTP: ClientProtocol<"http", "http" | "connect"> = {
  name: "http",
  // A method is a token (RFC 9112 section 3). An empty line before it is for the codec to judge (section 2.2).
  begins: (first) => isTokenByte(first) || first === CR || first === LF,
  detected: true,
  persistent: true,
  Handshake: HttpHandshake,
  ruleWords: { tunnel: "connect", exchange: "http" },
  established: 200,
  refused: (fault) => fault.status,
  urlSchemes: { plain: "http", tls: "https" },
  browserWords: { plain: "PROXY", tls: "HTTPS" },
};

function proxyRequest(http: HttpRequest, name: string): ProxyRequest {
  const { target, maxForwards } = http;
  if (target.form === "authority") return { kind: "tunnel", target: target.address, via: viaOf(http, name) };
  if (target.form === "origin") return { kind: "own", http, page: target.path };
  if (target.form !== "absolute" || maxForwards === 0) return { kind: "own", http };
  return { kind: "exchange", target: target.address, http };
}

/** A target that was not judged yet, for the log: what stands before an `@` in its authority may be a password. */
function withoutUser(target: string): string {
  if (target.startsWith("/")) return target;
  const scheme = target.indexOf("://");
  const start = scheme < 0 ? 0 : scheme + "://".length;
  const path = target.indexOf("/", start);
  const at = target.lastIndexOf("@", path < 0 ? target.length : path);
  return at < start ? target : `${target.slice(0, start)}...${target.slice(at)}`;
}

/** RFC 6750 section 2.1. It has no user: who has it is let in. */
function bearerToken(value: string | undefined): Credentials | undefined {
  const token = /^bearer +([A-Za-z0-9._~+/-]+=*)$/i.exec(value ?? "")?.[1];
  return token === undefined ? undefined : { user: "", password: token };
}

/**
 * RFC 7617: base64 of `user:password` in UTF-8, without control characters. Undefined for another scheme, or for what
 * cannot be decoded.
 */
function basicCredentials(value: string | undefined): Credentials | undefined {
  const encoded = /^basic +([A-Za-z0-9+/]+=*)$/i.exec(value ?? "")?.[1];
  if (encoded === undefined) return undefined;
  try {
    const octets = Uint8Array.from(atob(encoded), (char) => char.charCodeAt(0));
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(octets);
    const colon = text.indexOf(":");
    if (colon < 0 || /\p{Cc}/u.test(text)) return undefined;
    return { user: text.slice(0, colon), password: text.slice(colon + 1) };
  } catch {
    return undefined;
  }
}
