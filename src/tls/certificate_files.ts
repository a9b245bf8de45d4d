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

/** What a certificate says of itself. */
export interface CertificateFacts {
  /** Whom it is for: its names, or else its subject. */
  readonly name: string;
  /** Until when it is valid, in ISO 8601. */
  readonly expires: string;
}

/** Reads the facts of a certificate in PEM, which was checked before. */
export function factsOfCertificate(pem: string): CertificateFacts {
  const { subject, subjectAltName, validTo } = new X509Certificate(pem);
  return {
    name: (subjectAltName ?? subject ?? "").replaceAll(/(?:DNS|IP Address):|^CN=/g, "").slice(0, 200),
    expires: new Date(validTo).toISOString(),
  };
}

function attempt(parse: () => unknown): boolean {
  try {
    parse();
    return true;
  } catch {
    return false;
  }
}
