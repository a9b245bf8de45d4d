/**
 * Certificates and keys as TLS wants them. Reading them takes a third to a half of the time of a handshake, so what
 * was read is kept: Node, Deno and Bun all take a context that others have, on either side.
 *
 * @module
 */

import { createSecureContext, type SecureContext, type SecureVersion } from "node:tls";

/** What one side of a handshake shows, trusts and speaks. */
export interface ContextOptions {
  readonly cert?: string;
  readonly key?: string;
  readonly ca?: string;
  readonly minVersion: SecureVersion;
}

/** How many are kept: more than a proxy has listeners and upstreams. */
const MOST = 64;

const CONTEXTS = new Map<string, SecureContext>();

/** The context of these options. A certificate that was renewed is another. */
export function secureContext({ cert, key, ca, minVersion }: ContextOptions): SecureContext {
  const name = [minVersion, cert, key, ca].join();
  let context = CONTEXTS.get(name);
  if (context === undefined) {
    context = createSecureContext({
      cert,
      key,
      minVersion,
      honorCipherOrder: true,
      ...(ca !== undefined && { ca }),
    });
    if (CONTEXTS.size === MOST) CONTEXTS.delete(CONTEXTS.keys().next().value!);
    CONTEXTS.set(name, context);
  }
  return context;
}
