/**
 * The address that the proxy dials from: `bind user=ann to 192.0.2.7`.
 *
 * @module
 */

import { hash, randomBytes } from "node:crypto";
import { formatIpv4, formatIpv6, parseIp } from "../addresses/host.ts";
import { bitsBeyondPrefix, parseIpBlock } from "../addresses/ip_block.ts";
import { Fault } from "../faults.ts";
import type { Runtime } from "../runtime/contract.ts";
import { suggest } from "../text/suggestion.ts";
import { UsageError } from "../text/usage_error.ts";

/** For how long an address of a block is the same: for a client's connection, one dial, or all of a user's dials. */
export type EgressScope = "connection" | "request" | "user";

const SCOPES: readonly EgressScope[] = ["connection", "request", "user"];

/** An interface, or the addresses that begin with the same bits: all of them for a single address. */
type Place =
  | { readonly kind: "interface"; readonly name: string }
  | { readonly kind: "block"; readonly octets: Uint8Array; readonly bits: number };

/** Whose dial it is. */
export interface EgressFor {
  /** The id of the client's connection. */
  readonly id: string;
  readonly user: string | undefined;
}

/** The part of a rule behind `bind MATCH to`. */
export class Egress {
  /** As written, in one line. */
  readonly text: string;
  readonly #places: readonly Place[];
  readonly #scope: EgressScope;

  private constructor(text: string, places: readonly Place[], scope: EgressScope) {
    this.text = text;
    this.#places = places;
    this.#scope = scope;
  }

  /**
   * Reads `PLACE[,PLACE] [per connection|request|user]`. A place is an address, a block of them, or an interface.
   *
   * @throws {UsageError} If it is invalid.
   */
  static parse(text: string): Egress {
    const [list = "", per, scope, ...more] = text.trim().split(/\s+/);
    if (list === "") throw new UsageError('where from is missing; write "bind 192.0.2.7"');
    if (per !== undefined && (per !== "per" || more.length > 0)) {
      throw new UsageError(
        `"${[per, scope, ...more].join(" ").trim()}" is unknown; write "per user" or nothing`,
      );
    }
    if (per !== undefined && !SCOPES.some((known) => known === scope)) {
      const meant = suggest(scope ?? "", SCOPES);
      throw new UsageError(
        `"per ${scope ?? ""}" is unknown; ${
          meant ? `did you mean "per ${meant}"?` : `use one of ${SCOPES.join(", ")}`
        }`,
      );
    }
    const places = list.split(",").map(parsePlace);
    return new Egress(
      per === undefined ? list : `${list} per ${scope}`,
      places,
      scope as EgressScope | undefined ?? "connection",
    );
  }

  /**
   * An address of this machine of the same family as `host`.
   *
   * @throws {Fault} If no place has one: to dial from another address would give away what the rule hides.
   */
  addressFor(host: string, whose: EgressFor, { ownAddresses }: Pick<Runtime, "ownAddresses">): string {
    const { length } = parseIp(host)!;
    for (const place of this.#places) {
      const found = place.kind === "interface"
        ? ownAddresses(place.name).find((address) => parseIp(address)?.length === length && isGlobal(address))
        : place.octets.length === length
        ? this.#inBlock(place.octets, place.bits, whose)
        : undefined;
      if (found !== undefined) return found;
    }
    const family = length === 4 ? "IPv4" : "IPv6";
    throw new Fault(
      "destination_ip_unroutable",
      `There is no ${family} address to dial ${host} from: bind ${this.text}`,
    );
  }

  #inBlock(octets: Uint8Array, bits: number, whose: EgressFor): string {
    const chosen = this.#bitsOf(whose);
    const address = octets.map((octet, i) => {
      const fixed = Math.max(0, Math.min(8, bits - 8 * i));
      const free = 0xFF >> fixed;
      return octet | chosen[i] & free;
    });
    return address.length === 4 ? formatIpv4(address) : formatIpv6(address);
  }

  #bitsOf({ id, user }: EgressFor): Uint8Array {
    if (this.#scope === "request") return randomBytes(16);
    const whose = this.#scope === "user" && user !== undefined ? `user ${user}` : `connection ${id}`;
    return hash("sha256", whose, "buffer");
  }
}

function parsePlace(text: string): Place {
  const block = parseIpBlock(text);
  if (block) {
    const [address] = text.split("/");
    return { kind: "block", octets: parseIp(address)!, bits: block.bits };
  }
  const beyond = bitsBeyondPrefix(text);
  if (beyond) throw new UsageError(beyond);
  if (/^[A-Za-z][\w.@-]{0,14}$/.test(text)) return { kind: "interface", name: text };
  throw new UsageError(`"${text}" is no address, nor a block such as "2001:db8::/64", nor an interface`);
}

/** Whether an address of an interface leads anywhere: a link-local one needs a zone (RFC 4007). */
function isGlobal(address: string): boolean {
  return !/^fe[89ab]/i.test(address);
}
