/**
 * Certificates made for this run by `openssl`, in a directory that is removed when the process ends.
 *
 * @module
 */

import { execFileSync } from "node:child_process";
import { createHash, X509Certificate } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import type { Certificate } from "../../src/runtime/contract.ts";

/** Certificates for the TLS cases, and the paths of their files for programs that read files. */
export interface Certificates {
  /** Signs all certificates below, unless they say otherwise. */
  readonly ca: string;
  /** Signs only `strangerClient`. */
  readonly otherCa: string;
  readonly one: IssuedCertificate;
  readonly two: IssuedCertificate;
  /** For `one.test` and 127.0.0.1, but expired. */
  readonly expired: IssuedCertificate;
  /** For `one.test`, signed by itself. */
  readonly selfSigned: IssuedCertificate;
  readonly client: IssuedCertificate;
  readonly strangerClient: IssuedCertificate;
}

/** A certificate in files. */
export interface IssuedCertificate extends Certificate {
  readonly certFile: string;
  readonly keyFile: string;
}

const NEW_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];

let made: Certificates | undefined;

/** Makes the certificates at the first call. */
export function certificates(): Certificates {
  return made ??= make();
}

/** The pin of a certificate's key, in the form that `connectTls` takes. */
export function pinOf({ cert }: Certificate): string {
  const key = new X509Certificate(cert).publicKey.export({ type: "spki", format: "der" });
  return `sha256/${createHash("sha256").update(key).digest("base64")}`;
}

function make(): Certificates {
  const directory = mkdtempSync(join(tmpdir(), "contract-tls-"));
  process.once("exit", () => rmSync(directory, { recursive: true, force: true }));
  function openssl(...args: string[]): void {
    execFileSync("openssl", args, { cwd: directory, stdio: "ignore" });
  }
  function load(name: string): IssuedCertificate {
    const certFile = join(directory, `${name}.pem`);
    const keyFile = join(directory, `${name}.key`);
    return { certFile, keyFile, cert: readFileSync(certFile, "utf8"), key: readFileSync(keyFile, "utf8") };
  }
  function sign(
    name: string,
    { names = "", days = "2", self = true, ca = "ca" }: SignOptions,
  ): IssuedCertificate {
    const subject = ["-subj", `/CN=${name}`, "-keyout", `${name}.key`];
    if (self) {
      const extensions = names ? ["-addext", `subjectAltName=${names}`] : [];
      openssl("req", "-x509", ...NEW_KEY, ...subject, "-out", `${name}.pem`, "-days", days, ...extensions);
    } else {
      writeFileSync(
        join(directory, `${name}.ext`),
        names ? `subjectAltName=${names}\n` : "basicConstraints=CA:FALSE\n",
      );
      openssl("req", "-new", ...NEW_KEY, ...subject, "-out", `${name}.csr`);
      const signer = [
        "-CA",
        `${ca}.pem`,
        "-CAkey",
        `${ca}.key`,
        "-CAcreateserial",
        "-extfile",
        `${name}.ext`,
      ];
      openssl("x509", "-req", "-in", `${name}.csr`, ...signer, "-days", days, "-out", `${name}.pem`);
    }
    return load(name);
  }
  const ca = sign("ca", {}).cert;
  const otherCa = sign("other", {}).cert;
  return {
    ca,
    otherCa,
    one: sign("one", { names: "DNS:one.test,IP:127.0.0.1", self: false }),
    two: sign("two", { names: "DNS:two.test,DNS:*.two.test", self: false }),
    expired: sign("expired", { names: "DNS:one.test", days: "-1", self: false }),
    selfSigned: sign("self", { names: "DNS:one.test" }),
    client: sign("client", { self: false }),
    strangerClient: sign("stranger", { self: false, ca: "other" }),
  };
}

interface SignOptions {
  readonly names?: string;
  readonly days?: string;
  readonly self?: boolean;
  readonly ca?: string;
}
