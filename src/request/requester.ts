/**
 * The requester: the client's side of a request, as the steps of a request see it.
 *
 * Where requests come one after another (HTTP/1, SOCKS), the client's connection is the requester of all of them.
 * Where a connection carries many at once, each of its streams is a requester.
 *
 * @module
 */

import type { Fault } from "../faults.ts";
import type { Recording } from "../observe/record.ts";
import type { HandshakeOptions } from "../protocols/common/handshake.ts";
import type { HttpRequest } from "../protocols/http/message.ts";
import type { ClientSide } from "../protocols/http/sides.ts";
import type { Held } from "../limits/held.ts";
import type { Proof } from "../policy/proof.ts";
import type { RuleRequest } from "../policy/rule_request.ts";
import type { Role } from "../listeners/listener_settings.ts";
import type { Channel } from "../streams/channel.ts";
import type { Watch } from "../traffic/watch.ts";
import type { RequestServices } from "./services.ts";

/** The client's side of a request. */
export interface Requester extends Watch {
  /** Unique among the proxy's connections, and part of each log line about this one. */
  readonly id: string;
  readonly services: RequestServices;
  /**
   * The client's bytes, both ways. If requests come one after another, it carries all of them; otherwise one tunnel.
   */
  readonly client: Channel;
  /** The client's address as logs and callbacks show it. */
  readonly clientName: string;
  /** What the listener is for. */
  readonly role: Role;
  /** Whether the client comes through a load balancer that sends the PROXY protocol. */
  readonly passedOn: boolean;
  /** The options of its handshakes. */
  readonly handshakeOptions: HandshakeOptions;
  /** The user. Undefined: nobody was asked for a password. */
  user: string | undefined;
  /** The record of the request under way. */
  recording: Recording | undefined;
  /** What the rules were asked about that request. Undefined until they have allowed it. */
  question: RuleRequest | undefined;
  /** The last login on its connection, if another need not be judged as long as the users are the same. */
  proof: Proof | undefined;
  /** What its last request held of the limits. The next may meet the same. */
  held: Held | undefined;
  /** Whether one of its requests was allowed by users, rules and limits. Other clients get less time to idle. */
  known: boolean;
  /**
   * Why all its requests are refused: there are too many connections, or its address is not served. A promise while
   * that is still being found out.
   */
  readonly refusal: Fault | undefined | Promise<Fault | undefined>;
  /** Closes what outlives a step, such as an association. Called when the requester ends, for any reason. */
  cleanUp: (() => void) | undefined;
  /** The client's side of an exchange, in the version of HTTP that the client speaks. */
  clientSide(request: HttpRequest): ClientSide;
  /**
   * Sends the client bytes that a codec has made, before or instead of the bytes of its channel. Undefined if the kernel
   * has taken them at once.
   */
  reply(bytes: Uint8Array): Promise<void> | undefined;
}
