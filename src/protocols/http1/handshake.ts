/**
 * HTTP/1.1 as a client speaks it to a proxy: CONNECT, absolute-form, and credentials in the same head.
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
  Login,
  ProxyRequest,
  Refusal,
} from "../common/handshake.ts";
import { faultAnswer, strangerAnswer } from "../http/own_answer.ts";
import { CONNECTION_ESTABLISHED, encodeAnswer } from "./answer.ts";
import { checkLoop, viaOf } from "./forwarding.ts";
import { RequestHeadReader } from "./head.ts";
import type { HttpRequest, RequestHead } from "../http/message.ts";
import { understand } from "./request.ts";
import { CR, isTokenByte, LF } from "../http/syntax.ts";
import { traceParent } from "../http/trace_context.ts";
import type { Settings } from "../../settings/settings.ts";

const NOTHING = new Uint8Array(0);

/** Reads one request's head, and writes the answers that do not come from an origin. */
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
    const line = this.#head ?? this.#reader.startLine;
    return line && { method: line.method, target: withoutUser(line.target) };
  }

  /** See `Handshake`. The credentials and the request come from the same head, one event after the other. */
  read(buffer: ByteBuffer): HandshakeEvent | undefined {
    this.#buffer = buffer;
    if (!this.#request) {
      const head = this.#reader.read(buffer);
      if (!head) return undefined;
      this.#head = head;
      this.#request = understand(head, this.#options);
      checkLoop(head.fields, this.#options.settings.name);
    }
    // A request to the proxy itself needs no password here: it goes nowhere, and later steps decide who may see its
    // pages.
    if (this.#accepted || this.#request.target.form === "origin") {
      return { type: "request", request: proxyRequest(this.#request, this.#options.settings) };
    }
    return new HttpLogin(this.#request.head.fields.get("proxy-authorization"), this.#options.scheme);
  }

  /** Sends nothing: the request is in the same head. */
  accepted(): Uint8Array {
    this.#accepted = true;
    return NOTHING;
  }

  /** The answer to CONNECT. */
  established(): Uint8Array {
    return CONNECTION_ESTABLISHED;
  }

  /** An HTTP answer. The connection may go on if both sides agree where the next request begins. */
  refused(fault: Fault): Refusal {
    const retryable = this.#mayRetry(fault);
    const dress = {
      date: this.#options.date(),
      bodyless: (this.#head ?? this.#reader.startLine)?.method === "HEAD",
      persistent: retryable,
    };
    if (this.#options.settings.disguised && !this.#accepted) return this.#strangerRefusal(fault, dress);
    const answer = faultAnswer(fault, {
      name: this.#options.settings.name,
      contact: this.#options.settings.contact,
      reference: this.#options.reference,
      host: this.#request && hostAsked(this.#request),
      html: this.#head?.fields.tokens("accept").some((type) => type.startsWith("text/html")) ?? false,
    });
    return { bytes: encodeAnswer(answer, dress), retryable };
  }

  /**
   * Answers like a web server. Web servers hang up on a client that does not finish its head. They answer 400 and close
   * if they cannot read the request, or if the target is neither a path nor a URI (nginx 1.22 does so for CONNECT, and
   * for OPTIONS in asterisk-form). To all other requests they answer that there is no such page.
   */
  #strangerRefusal(fault: Fault, dress: { date: Date; bodyless: boolean; persistent: boolean }): Refusal {
    if (fault.code === "client_timeout") return { bytes: NOTHING, retryable: false };
    const form = this.#request?.target.form;
    const isReadable = fault.code !== "http_request_error" && (form === "origin" || form === "absolute");
    const persistent = isReadable && dress.persistent;
    const status = isReadable ? 404 : 400;
    return {
      bytes: encodeAnswer(strangerAnswer(status), { ...dress, persistent }),
      status,
      retryable: persistent,
    };
  }

  /**
   * RFC 9112 section 9.3: only if the whole request has been read. Bytes behind a refused CONNECT or Upgrade may belong
   * to the other protocol and must not be read as a request (RFC 9931), so such a refusal ends the connection. The
   * exception is the challenge to a client that gave no credentials and has sent nothing more. Clients begin that way,
   * and the refusal came at once, so no early bytes can be on their way. A disguised proxy must treat a wrong token
   * like none, and judging a token takes no time either.
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
  // A method is a token (RFC 9112 section 3). The codec judges an empty line before it (section 2.2).
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

function proxyRequest(http: HttpRequest, { name, traceContext }: Settings): ProxyRequest {
  const { target, maxForwards } = http;
  if (target.form === "authority") {
    const trace = traceContext ? traceParent(http.head.fields) : undefined;
    return { kind: "tunnel", target: target.address, via: viaOf(http, name), trace };
  }
  if (target.form === "origin") return { kind: "own", http, page: target.path };
  if (target.form !== "absolute" || maxForwards === 0) return { kind: "own", http };
  return { kind: "exchange", target: target.address, http };
}

/** The host that a request asks for; undefined if it is for the proxy itself. */
function hostAsked({ target }: HttpRequest): string | undefined {
  return target.form === "authority" || target.form === "absolute" ? target.address.host : undefined;
}

/** For the log, a target that was not judged yet: the text before an `@` in its authority may be a password. */
function withoutUser(target: string): string {
  if (target.startsWith("/")) return target;
  const scheme = target.indexOf("://");
  const start = scheme < 0 ? 0 : scheme + "://".length;
  const path = target.indexOf("/", start);
  const at = target.lastIndexOf("@", path < 0 ? target.length : path);
  return at < start ? target : `${target.slice(0, start)}...${target.slice(at)}`;
}

/** Decodes the credentials when they are asked for: those of a client that is known already need not be. */
class HttpLogin implements Login {
  readonly type = "credentials";
  readonly words: string | undefined;
  readonly #scheme: HandshakeOptions["scheme"];

  constructor(words: string | undefined, scheme: HandshakeOptions["scheme"]) {
    this.words = words;
    this.#scheme = scheme;
  }

  get credentials(): Credentials | undefined {
    return this.#scheme === "Bearer" ? bearerToken(this.words) : basicCredentials(this.words);
  }
}

/** RFC 6750 section 2.1. It names no user: the token alone decides. */
function bearerToken(value: string | undefined): Credentials | undefined {
  const token = /^bearer +([A-Za-z0-9._~+/-]+=*)$/i.exec(value ?? "")?.[1];
  return token === undefined ? undefined : { user: "", password: token };
}

/**
 * RFC 7617: base64 of `user:password` in UTF-8, without control characters. Undefined for another scheme, or if it
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
