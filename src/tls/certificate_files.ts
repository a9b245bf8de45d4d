/**
 * Certificates and keys in files.
 *
 * @module
 */

import { createPrivateKey, X509Certificate } from "node:crypto";
import type { Certificate } from "../runtime/contract.ts";
import type { ReadText } from "../text/text_file.ts";
import { UsageError } from "../text/usage_error.ts";

/**
 * Reads a certificate and its key, both in PEM.
 *
 * @throws {UsageError} If a file cannot be read or used, or the key belongs to another certificate.
 */
export async function readCertificate(files: Certificate, readText: ReadText): Promise<Certificate> {
  const cert = await readText(files.cert, "the certificate");
  const key = await readText(files.key, "the key");
  if (!attempt(() => new X509Certificate(cert))) {
    throw new UsageError(`Cannot use the certificate "${files.cert}": it is no certificate in PEM`);
  }
  if (!attempt(() => createPrivateKey(key))) {
    throw new UsageError(
      `Cannot use the key "${files.key}": it is no private key in PEM without a passphrase`,
    );
  }
  if (!new X509Certificate(cert).checkPrivateKey(createPrivateKey(key))) {
    throw new UsageError(
      `Cannot use the key "${files.key}": it is not that of the certificate "${files.cert}"`,
    );
  }
  return { cert, key };
}

function attempt(parse: () => unknown): boolean {
  try {
    parse();
    return true;
  } catch {
    return false;
  }
}
