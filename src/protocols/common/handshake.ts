/**
 * What every protocol that a client may speak looks like to the state machine.
 *
 * A handshake is a pure codec: bytes in, events out, bytes for each answer; it awaits nothing. One object serves
 * one request, so what a protocol has to remember between two messages (SOCKS5's negotiated method) lives in it.
 *
 * @module
 */

import type { Settings } from "../../settings/settings.ts";
import type { Fault } from "../../faults.ts";
import type { Address, TcpAddress } from "../../runtime/contract.ts";
import type { ByteBuffer } from "../../streams/byte_buffer.ts";
import type { HttpRequest } from "../http/message.ts";

/** A user name and password as the client gave them. */
export interface Credentials {
  /** Who the client says it is. */
  readonly user: string;
  /** How it would prove that. */
  readonly password: string;
}

/** A wish for a tunnel: bytes both ways, whatever they mean. */
export interface TunnelRequest {
  readonly kind: "tunnel";
  /** The proxies that the request has been through, this one included, as the value of Via. */
  readonly via?: string;
  /** The name or address as the client gave it, and the port. */
  readonly target: TcpAddress;
}

/** A wish for datagrams (SOCKS5's UDP ASSOCIATE), each of which will name its own target. */
export interface AssociationRequest {
  readonly kind: "association";
  /** Where the client will send from, as far as it knows: 0.0.0.0 and port 0 when it does not. */
  readonly target: TcpAddress;
}

/** A wish for one HTTP response. */
export interface ExchangeRequest {
  readonly kind: "exchange";
  readonly target: TcpAddress;
  readonly http: HttpRequest;
}

/** A request that the proxy answers itself: it reached its last hop, or is about the proxy. */
export interface OwnRequest {
  readonly kind: "own";
  readonly http: HttpRequest;
  /** The path and query of a page of the proxy's own; undefined where it is about the proxy as a hop. */
  readonly page?: string;
}

/** What a client may ask for. */
export type ProxyRequest = TunnelRequest | AssociationRequest | ExchangeRequest | OwnRequest;

/** What a handshake has understood. */
export type HandshakeEvent =
  /** The client waits for these bytes before it says more. */
  | { readonly type: "reply"; readonly bytes: Uint8Array }
  /** Who the client says it is; undefined when it said nothing where something was wanted. */
  | { readonly type: "credentials"; readonly credentials: Credentials | undefined }
  | { readonly type: "request"; readonly request: ProxyRequest };

/** How a refusal is told. */
export interface Refusal {
  /** What the client is sent before the close; may be empty. */
  readonly bytes: Uint8Array;
  /** The status in it, where it is not the fault's own. */
  readonly status?: number;
  /** Whether the same connection may try again, as after a 407. */
  readonly retryable: boolean;
}

/** One client's way from its first byte to its request, in one protocol. */
export interface Handshake<Name extends string = string> {
  /** The name of the protocol. */
  readonly protocol: Name;
  /** What is known of a request that is not complete, or was not understood; nothing where it has not begun. */
  readonly asked?: { readonly method: string; readonly target: string } | undefined;
  /** Takes what it understands off the buffer. Undefined: needs more bytes. Throws a `Fault` on what no grammar allows. */
  read(buffer: ByteBuffer): HandshakeEvent | undefined;
  /** What is sent when the credentials were accepted, before the request; empty where the protocol says nothing. */
  accepted(): Uint8Array;
  /**
   * What is sent when the tunnel stands. `bound` is the proxy's own address on the way to the target, or where it takes
   * the datagrams of an association.
   */
  established(bound: Address): Uint8Array;
  /** How a fault is told, at any point of the handshake or before the first byte of an answer. */
  refused(fault: Fault): Refusal;
}

/** What a handshake has to know of the proxy that it serves. */
export interface HandshakeOptions {
  /** Whether a client must say who it is before its request. */
  readonly credentialsRequired: boolean;
  /** How HTTP clients say who they are: user and password, or a bearer token, which stands as the password. */
  readonly scheme?: "Basic" | "Bearer";
  /** What is in force for this client: a reload may replace it between two requests. */
  readonly settings: Settings;
  /** What the operator finds in the log: the connection's id. */
  readonly reference: string;
  /** Now, for Date fields. */
  readonly date: () => Date;
}
