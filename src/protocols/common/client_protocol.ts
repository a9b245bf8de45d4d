/**
 * What the rest of the program knows of a protocol that clients speak. Each codec exports its own row, and
 * `client_protocols.ts` lists them.
 *
 * @module
 */

import type { Fault } from "../../faults.ts";
import type { Handshake, HandshakeOptions } from "./handshake.ts";

/** One protocol, described once. */
export interface ClientProtocol<Name extends string = string, Word extends string = string> {
  /** What listeners, records and metrics call it. */
  readonly name: Name;
  /** Whether a client of this protocol may begin with the byte. */
  readonly begins: (first: number) => boolean;
  /** Whether the first byte tells it from the others. Where it does not, the protocol needs a listener of its own. */
  readonly detected: boolean;
  /** Whether a connection carries one request after another, so that a client may be silent between two. */
  readonly persistent: boolean;
  /** Makes the codec for one request. */
  readonly Handshake: new (options: HandshakeOptions) => Handshake<Name>;
  /** What rules call its requests. */
  readonly ruleWords: RuleWords<Word>;
  /** The number in the answer that opens a tunnel, for the record; undefined where the client is told nothing. */
  readonly established: number | undefined;
  /** The number in the answer that tells of a fault, for the record; undefined where the client is told nothing. */
  readonly refused: (fault: Fault) => number | undefined;
  /** The scheme of URLs by which programs are pointed at such a proxy. */
  readonly urlSchemes: { readonly plain: string; readonly tls: string };
  /** What a proxy auto-config file calls such a proxy; undefined where browsers do not speak the protocol. */
  readonly browserWords?: { readonly plain: string; readonly tls: string };
}

/** What rules call each kind of request. A kind that the protocol does not have has no word. */
export interface RuleWords<Word extends string = string> {
  /** A tunnel for bytes. The ports of `--connect-port` hold for whatever this word names. */
  readonly tunnel: Word;
  /** One HTTP request. */
  readonly exchange?: Word;
  /** Datagrams. */
  readonly association?: Word;
}
