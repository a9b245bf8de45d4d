/**
 * TLS over any byte stream, with `node:tls`, for the adapters of all three runtimes.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { createHash, X509Certificate } from "node:crypto";
import { isIP } from "node:net";
import { setImmediate } from "node:timers";
import { checkServerIdentity, connect, createServer, type PeerCertificate, TLSSocket } from "node:tls";
import type { DirectPort } from "../src/runtime/direct_port.ts";
import type {
  ByteStream,
  Certificate,
  SocketErrorCode,
  TlsClientOptions,
  TlsServerOptions,
} from "../src/runtime/contract.ts";
import { show } from "./addresses.ts";
import { serverName } from "./client_hello.ts";
import { PairPort } from "./pair_port.ts";
import { Carrier } from "./tls_carrier.ts";
import { secureContext } from "./tls_contexts.ts";
import { tlsError, tlsFailure } from "./tls_errors.ts";
import { TlsStream } from "./tls_stream.ts";

/** A `TLSSocket` has this option, but Node's types do not. */
const HALF_OPEN = { allowHalfOpen: true };

/** The reason for which a handshake was broken off. */
class Refusal extends Error {
  readonly code: SocketErrorCode;

  constructor(message: string, code: SocketErrorCode = "tls_certificate_error") {
    super(message);
    this.code = code;
  }
}

/** Answers the TLS client at the other end of a stream: `acceptTls` of the contract in `src/runtime/contract.ts`. */
export function acceptTls(stream: ByteStream, options: TlsServerOptions): Promise<ByteStream> {
  const { certificates, clientCa, minVersion = "TLSv1.2", signal } = options;
  return secure(stream, {
    signal,
    hello: certificates.length > 1,
    start({ carrier, name, open }) {
      const named = name === "" ? undefined : certificates.find((certificate) => covers(certificate, name));
      const { cert, key } = named ?? certificates[0];
      if (clientCa === undefined) {
        const context = secureContext({ cert, key, minVersion });
        const socket = new TLSSocket(carrier, { isServer: true, secureContext: context, ...HALF_OPEN });
        return new Promise((resolve, reject) => {
          socket.on("secure", () => resolve(open(socket)));
          socket.on("error", reject);
          // Without a server, errors after the handshake come only as this event.
          socket.on("_tlsError", (error: Error) => socket.destroy(error));
        });
      }
      // Each client has a server of its own. Only a server judges the client's certificate, and with a shared one
      // nothing would tell which client its event is about.
      const asking = { ca: clientCa, requestCert: true, rejectUnauthorized: true };
      const server = createServer({ cert, key, minVersion, ...asking, ...HALF_OPEN });
      return new Promise((resolve, reject) => {
        server.on("secureConnection", (socket) => {
          if (isAuthorized(socket)) return resolve(open(socket));
          socket.on("error", () => {});
          reject(new Refusal("the client's certificate is not trusted"));
        });
        server.on("tlsClientError", (error: Error & { code?: string }) => {
          // Node and Deno hang up if the certificate was not signed by the authority.
          const refused = error.code === "ECONNRESET" && !carrier.over;
          reject(refused ? new Refusal("the client's certificate is not trusted") : error);
        });
        server.emit("connection", carrier);
      });
    },
  });
}

/** Speaks TLS to the server at the other end of a stream: `connectTls` of the contract in `src/runtime/contract.ts`. */
export function connectTls(stream: ByteStream, options: TlsClientOptions): Promise<ByteStream> {
  const { serverName: name, ca, pin, certificate, minVersion = "TLSv1.2", signal } = options;
  return secure(stream, {
    signal,
    start({ carrier, open }) {
      const tlsOptions = {
        socket: carrier,
        host: name,
        servername: isIP(name) === 0 ? name : "",
        secureContext: secureContext({ ...certificate, ca, minVersion }),
        rejectUnauthorized: pin === undefined,
        checkServerIdentity: (_host: string, cert: PeerCertificate) => checkServerIdentity(name, cert),
        ...HALF_OPEN,
      };
      const socket = connect(tlsOptions);
      return new Promise((resolve, reject) => {
        socket.on("secureConnect", () => {
          if (pin !== undefined ? keyOf(socket) === pin : socket.authorized) resolve(open(socket));
          else if (pin !== undefined) reject(new Refusal(`the server's key is not the pinned one`));
          else reject(new Refusal("the server's certificate is not trusted"));
        });
        socket.on("error", reject);
      });
    },
  });
}

/** How to make a handshake. */
interface Handshake {
  readonly signal?: AbortSignal;
  /** Whether to read the client's hello first. */
  readonly hello?: boolean;
  /** Makes the TLS socket. Resolves to its stream when the handshake is done and the peer is accepted. */
  start(options: HandshakeOptions): Promise<ByteStream>;
}

interface HandshakeOptions {
  readonly carrier: Carrier;
  /** The name that the client asks for, if its hello was read. */
  readonly name: string;
  /**
   * Makes the stream. Call it at once: an error may come with the end of the handshake, and is emitted in the same
   * turn.
   */
  readonly open: (socket: TLSSocket) => ByteStream;
}

async function secure(stream: ByteStream, { signal, hello, start }: Handshake): Promise<ByteStream> {
  const { local, remote } = stream;
  const port = stream.port ?? new PairPort(stream);
  let carrier: Carrier | undefined;
  function abandon(): void {
    if (carrier) carrier.leave({ reset: true });
    else port.destroy({ reset: true });
  }
  let abort = (): void => {};
  const aborted = new Promise<never>((_, reject) => {
    abort = () => {
      reject(signal!.reason);
      abandon();
    };
  });
  signal?.addEventListener("abort", abort);
  try {
    signal?.throwIfAborted();
    const head = hello ? await Promise.race([readHello(port), aborted]) : undefined;
    carrier = new Carrier(port, head);
    const made = carrier;
    const ended = new Promise<never>((_, reject) => {
      made.onEnd = (cause) => reject(cause ?? new Error("the stream has ended"));
    });
    const open = (socket: TLSSocket) => new TlsStream(socket, { carrier: made, local, remote });
    const name = head ? serverName(head) ?? "" : "";
    return await Promise.race([start({ carrier: made, name, open }), ended, aborted]);
  } catch (cause) {
    if (signal?.aborted) {
      abandon();
      throw signal.reason;
    }
    // Later, so that the peer still gets the alert that says why.
    if (carrier) setImmediate(() => carrier!.leave({ reset: false }));
    else abandon();
    const code = cause instanceof Refusal ? cause.code : tlsFailure(cause as Error);
    throw tlsError(`Cannot speak TLS with ${show(remote)}`, { code, cause });
  } finally {
    signal?.removeEventListener("abort", abort);
  }
}

/** Reads until the client's hello is whole, or until the bytes turn out to be no hello. */
function readHello(port: DirectPort): Promise<Uint8Array<ArrayBuffer>> {
  let bytes: Uint8Array<ArrayBuffer> = new Uint8Array(0);
  return new Promise((resolve, reject) =>
    port.pull({
      lend: () => new Uint8Array(4096),
      receive(more) {
        bytes = Buffer.concat([bytes, more]);
        if (serverName(bytes) === undefined) return true;
        resolve(bytes);
        return false;
      },
      end: () => reject(new Error("the stream has ended")),
      fail: reject,
    })
  );
}

/** Whether a certificate is for a name. Deno's `checkHost()` does not support wildcards. */
function covers({ cert }: Certificate, name: string): boolean {
  const names = new X509Certificate(cert).subjectAltName?.toLowerCase().split(", ") ?? [];
  const wildcard = `dns:*${name.slice(name.indexOf("."))}`;
  return names.includes(`dns:${name}`) || name.indexOf(".") > 0 && names.includes(wildcard);
}

/** Whether the client has shown a certificate that is trusted. On Deno, `authorized` is also true without one. */
function isAuthorized(socket: TLSSocket): boolean {
  return socket.authorized && socket.getPeerX509Certificate() !== undefined;
}

/** The pin of the server's public key; the handshake proves that the server has the private one. */
function keyOf(socket: TLSSocket): string | undefined {
  const spki = socket.getPeerX509Certificate()?.publicKey.export({ type: "spki", format: "der" });
  return spki && `sha256/${createHash("sha256").update(spki).digest("base64")}`;
}
