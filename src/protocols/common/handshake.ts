/**
 * The codec of a client's protocol, as the state machine sees it.
 *
 * A handshake is a pure codec: bytes in, events out, bytes for each answer; it awaits nothing. One object serves one
 * request, so it also holds what the protocol remembers between two messages (SOCKS5's negotiated method).
 *
 * @module
 */

import type { Settings } from "../../settings/settings.ts";
import type { Fault } from "../../faults.ts";
import type { Address, TcpAddress } from "../../runtime/contract.ts";
import type { ByteBuffer } from "../../streams/byte_buffer.ts";
import type { HttpRequest } from "../http/message.ts";

/** The user name and password that the client gave. */
export interface Credentials {
  /** The user that the client says it is. */
  readonly user: string;
  /** The password, which should prove that. */
  readonly password: string;
}

/** Asks for a tunnel: bytes both ways, whatever they mean. */
export interface TunnelRequest {
  readonly kind: "tunnel";
  /** The value of Via: the proxies that the request has been through, including this one. */
  readonly via?: string;
  /** The value of `traceparent`, if the settings ask for it and it is valid. */
  readonly trace?: string;
  /** The name or address that the client gave, and the port. */
  readonly target: TcpAddress;
}

/** Asks for datagrams (SOCKS5's UDP ASSOCIATE). Each datagram names its own target. */
export interface AssociationRequest {
  readonly kind: "association";
  /** The address from which the client will send. 0.0.0.0 and port 0 if it does not know. */
  readonly target: TcpAddress;
}

/** Asks for one HTTP response. */
export interface ExchangeRequest {
  readonly kind: "exchange";
  readonly target: TcpAddress;
  readonly http: HttpRequest;
}

/** A request that the proxy answers itself: this proxy is its last hop, or it is for one of the proxy's own pages. */
export interface OwnRequest {
  readonly kind: "own";
  readonly http: HttpRequest;
  /** The path and query of one of the proxy's own pages. Undefined: the request is for the proxy as a hop. */
  readonly page?: string;
}

/** What a client may ask for. */
export type ProxyRequest = TunnelRequest | AssociationRequest | ExchangeRequest | OwnRequest;

/** A client has logged in, or should have done so. */
export interface Login {
  readonly type: "credentials";
  /** The credentials of the client. Undefined if they were required and the client gave none. */
  readonly credentials: Credentials | undefined;
  /** The words that the client sends with each request, if its protocol has such. */
  readonly words?: string;
}

/** What a handshake has read. */
export type HandshakeEvent =
  /** The client waits for these bytes before it says more. */
  | { readonly type: "reply"; readonly bytes: Uint8Array }
  | Login
  | { readonly type: "request"; readonly request: ProxyRequest };

/** How to tell a client of a refusal. */
export interface Refusal {
  /** The bytes to send before the close; may be empty. */
  readonly bytes: Uint8Array;
  /** The status in these bytes, if it is not the fault's own. */
  readonly status?: number;
  /** Whether the client may try again on the same connection, as after a 407. */
  readonly retryable: boolean;
}

/** Reads one request of a client, from the first byte, in one protocol. */
export interface Handshake<Name extends string = string> {
  /** The name of the protocol. */
  readonly protocol: Name;
  /** What is known of a request that is not complete, or was not understood. Undefined before it has begun. */
  readonly asked?: { readonly method: string; readonly target: string } | undefined;
  /** Takes what it understands off the buffer. Undefined: needs more bytes. Throws a `Fault` for invalid bytes. */
  read(buffer: ByteBuffer): HandshakeEvent | undefined;
  /** The answer to accepted credentials, before the request is read. Empty if the protocol has none. */
  accepted(): Uint8Array;
  /**
   * The answer that opens a tunnel. `local` is the proxy's own address on the way to the target or, for an association,
   * the address that takes its datagrams. To ask for it costs a system call, so only protocols that tell it do.
   */
  established(ours: { readonly local: Address }): Uint8Array;
  /** The answer to a fault, at any point of the handshake or before the first byte of an answer. */
  refused(fault: Fault): Refusal;
}

/** What a handshake has to know of its proxy. */
export interface HandshakeOptions {
  /** Whether a client has to log in before its request. */
  readonly credentialsRequired: boolean;
  /** Whether requests to the proxy itself may change something, as on an admin listener. False if it is left out. */
  readonly acts?: boolean;
  /** How HTTP clients log in: with user and password, or with a bearer token, which takes the place of the password. */
  readonly scheme?: "Basic" | "Bearer";
  /** The settings in force for this client. A reload may replace them between two requests. */
  readonly settings: Settings;
  /** A reference that the operator finds in the log: the connection's id. */
  readonly reference: string;
  /** Now, for Date fields. */
  readonly date: () => Date;
}
