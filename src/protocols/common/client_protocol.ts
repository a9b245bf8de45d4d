/**
 * What the rest of the program knows of a protocol that clients speak. Each codec exports its own row, and `table.ts`
 * lists them.
 *
 * @module
 */

import type { Fault } from "../../faults.ts";
import type { Handshake, HandshakeOptions } from "./handshake.ts";

/** The row of one protocol. */
export interface ClientProtocol<Name extends string = string, Word extends string = string> {
  /** The name in listeners, records and metrics. */
  readonly name: Name;
  /** Whether a client of this protocol may begin with the byte. */
  readonly begins: (first: number) => boolean;
  /** Whether the first byte tells the protocol from the others. If not, the protocol needs a listener of its own. */
  readonly detected: boolean;
  /** Whether a connection carries one request after another. Then a client may be silent between two of them. */
  readonly persistent: boolean;
  /** Makes the codec for one request. */
  readonly Handshake: new (options: HandshakeOptions) => Handshake<Name>;
  /** The words for its requests in rules. */
  readonly ruleWords: RuleWords<Word>;
  /** The number in the answer that opens a tunnel, for the record. Undefined if the client gets no answer. */
  readonly established: number | undefined;
  /** The number in the answer to a fault, for the record. Undefined if the client gets no answer. */
  readonly refused: (fault: Fault) => number | undefined;
  /** The scheme of the URLs that point programs at such a proxy. */
  readonly urlSchemes: { readonly plain: string; readonly tls: string };
  /** The word for such a proxy in a proxy auto-config file. Undefined if browsers do not speak the protocol. */
  readonly browserWords?: { readonly plain: string; readonly tls: string };
}

/** The word of rules for each kind of request. Undefined for kinds that the protocol does not have. */
export interface RuleWords<Word extends string = string> {
  /** A tunnel for bytes. `--connect-port` limits the ports of the requests with this word. */
  readonly tunnel: Word;
  /** One HTTP request. */
  readonly exchange?: Word;
  /** Datagrams. */
  readonly association?: Word;
}
