/**
 * Who makes a request: the client's side of it, as the steps of a request see it.
 *
 * Where requests come one after another (HTTP/1, SOCKS), the client's connection is the requester of all of them.
 * Where a connection carries many at once, each of its streams is one.
 *
 * @module
 */

import type { Fault } from "../faults.ts";
import type { HandshakeOptions } from "../protocols/common/handshake.ts";
import type { HttpRequest } from "../protocols/http/message.ts";
import type { ClientSide } from "../protocols/http/sides.ts";
import type { Role } from "../listeners/listener_settings.ts";
import type { Channel } from "../streams/channel.ts";
import type { Watch } from "../traffic/watch.ts";
import type { RequestServices } from "./services.ts";

/** The client's side of a request. */
export interface Requester extends Watch {
  /** Unique among the proxy's connections; in every log line of this one. */
  readonly id: string;
  readonly services: RequestServices;
  /** What the client says and is told, once its request is a tunnel; all of it, where requests come one after another. */
  readonly client: Channel;
  /** The client's address as logs and callbacks have it. */
  readonly clientName: string;
  /** What the listener is for. */
  readonly role: Role;
  /** Whether a load balancer has passed the connection on. */
  readonly passedOn: boolean;
  /** What its handshakes are held to. */
  readonly handshakeOptions: HandshakeOptions;
  /** Who asks; undefined where nobody was asked for a password. */
  user: string | undefined;
  /** Whether one of its requests was let through: by users, rules and limits. A stranger may not idle as long. */
  known: boolean;
  /** Whether an origin has let in a connection for this client: its requests go over that, whatever their method. */
  bound: boolean;
  /**
   * Why none of its requests is served: it is one connection too many, or comes from where nobody is served. A promise
   * while that is being found out.
   */
  readonly refusal: Fault | undefined | Promise<Fault | undefined>;
  /** Closes what a request has opened that lasts longer than a step: called when the requester ends, however it does. */
  cleanUp: (() => void) | undefined;
  /** The client's side of an exchange, in the version of HTTP that the client speaks. */
  clientSide(request: HttpRequest): ClientSide;
  /** Sends the client what a codec has made, before or in place of what its channel carries. */
  reply(bytes: Uint8Array): Promise<void>;
}
