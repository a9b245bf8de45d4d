/**
 * Certificates and keys in the form that TLS takes. Reading them takes a third to a half of a handshake's time, so the
 * contexts are kept. On Node, Deno and Bun, several sockets can share one, on either side.
 *
 * @module
 */

import { createSecureContext, type SecureContext, type SecureVersion } from "node:tls";

/** What one side of a handshake shows, trusts and supports. */
export interface ContextOptions {
  readonly cert?: string;
  readonly key?: string;
  readonly ca?: string;
  readonly minVersion: SecureVersion;
}

/** The most contexts that are kept: more than a proxy has listeners and upstreams. */
const MOST = 64;

const CONTEXTS = new Map<string, SecureContext>();

/** The context for these options. A renewed certificate gets a new one. */
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
