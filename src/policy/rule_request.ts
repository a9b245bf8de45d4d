/**
 * A request as rules see it.
 *
 * @module
 */

import { type RuleWord, ruleWords } from "../protocols/client_protocols.ts";
import { withoutRoot } from "../addresses/host.ts";
import { type IpAddress, parseIpAddress } from "../addresses/ip_block.ts";

/**
 * How the client asks for its target: `http` in an absolute-form request (RFC 9112 section 3.2.2), `connect`
 * with the method CONNECT, `socks4`, `socks5` and `line` for a tunnel, `udp` in a datagram of SOCKS5's UDP ASSOCIATE.
 */
export type RuleProtocol = RuleWord;

/** All of them, in the order in which messages name them. */
export const RULE_PROTOCOLS: readonly RuleProtocol[] = ruleWords("exchange", "tunnel", "association");

/** Those of tunnels. */
export const TUNNEL_PROTOCOLS: readonly RuleProtocol[] = ruleWords("tunnel");

/** A request that rules judge. */
export interface RuleRequest {
  /** The name or IP address that the client gave, as `parseHost` returns it. Its case is the client's. */
  readonly host: string;
  /** The target's port. */
  readonly port: number;
  /** How the client asks. */
  readonly protocol: RuleProtocol;
  /** The user who was let in; undefined if the proxy asks nobody to log in. */
  readonly user: string | undefined;
  /** The client's IP address, without a port; undefined on a Unix socket. */
  readonly client: string | undefined;
  /** The IP address to be dialed; undefined before the name is resolved. */
  readonly address?: string;
  /** The rules that have allowed the name, whatever address it has: they need not be asked about its addresses. */
  readonly allowedBy?: object;
}

/** A request in the form that words compare. */
export class Subject {
  /** The host in lower case, without the root's dot. An IP address never equals the name in a rule. */
  readonly name: string;
  /**
   * The address to be dialed, or the one that the client gave; undefined for a name before it is resolved.
   */
  readonly address: IpAddress | undefined;
  /** The answer of a word about an IP block while the address is not known. */
  readonly unresolved: Answer;
  /** As in `RuleRequest`. */
  readonly port: number;
  /** As in `RuleRequest`. */
  readonly protocol: RuleProtocol;
  /** As in `RuleRequest`. */
  readonly user: string | undefined;
  #client: string | IpAddress | undefined;

  /** Reads the addresses of a request. */
  constructor({ host, address, port, protocol, user, client }: RuleRequest, unresolved: Answer) {
    this.name = withoutRoot(host.toLowerCase());
    this.address = addressOf(address ?? this.name);
    this.unresolved = unresolved;
    this.port = port;
    this.protocol = protocol;
    this.user = user;
    this.#client = client;
  }

  /** The client's address; undefined on a Unix socket. Few rules are about clients, so it is read when one is. */
  get client(): IpAddress | undefined {
    if (typeof this.#client === "string") this.#client = addressOf(this.#client);
    return this.#client;
  }
}

/** Whether a word holds; undefined while it depends on an address that is not known yet. */
export type Answer = boolean | undefined;

/** Leaves the zone of a link-local address out (RFC 4007 section 11), because a rule cannot name a zone. */
function addressOf(address: string): IpAddress | undefined {
  const zone = address.indexOf("%");
  return parseIpAddress(zone < 0 ? address : address.slice(0, zone));
}
