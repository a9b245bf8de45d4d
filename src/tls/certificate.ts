/**
 * A self-signed certificate (RFC 5280 section 4.1), written by hand because no runtime can make one.
 *
 * It is made to be pinned: no authority vouches for it, so no authority requires that it is renewed.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { createHash, createSign, generateKeyPairSync, randomBytes } from "node:crypto";
import { parseIp } from "../addresses/host.ts";

/** A certificate, its key and its pin. */
export interface SelfSigned {
  /** In PEM. */
  readonly cert: string;
  /** In PEM (PKCS #8). */
  readonly key: string;
  /** `sha256/` and the base64 of the SHA-256 of its public key, as `TlsClientOptions` takes it. */
  readonly pin: string;
}

/** ASN.1 tags (ITU-T X.690). */
const TAG = {
  INTEGER: 0x02,
  BIT_STRING: 0x03,
  OCTET_STRING: 0x04,
  OID: 0x06,
  UTF8_STRING: 0x0C,
  UTC_TIME: 0x17,
  GENERALIZED_TIME: 0x18,
  SEQUENCE: 0x30,
  SET: 0x31,
  EXPLICIT_0: 0xA0,
  EXPLICIT_3: 0xA3,
  DNS_NAME: 0x82,
  IP_ADDRESS: 0x87,
} as const;

/** Object identifiers, already encoded. */
const OID = {
  /** 1.2.840.10045.4.3.2 */
  ECDSA_WITH_SHA256: "2a8648ce3d040302",
  /** 2.5.4.3 */
  COMMON_NAME: "550403",
  /** 2.5.29.17 */
  SUBJECT_ALT_NAME: "551d11",
} as const;

/** Makes a key on P-256, and a certificate for a host name or IP address that is valid for `days` from `now` on. */
export function selfSigned(
  host: string,
  { now, days }: { readonly now: Date; readonly days: number },
): SelfSigned {
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const spki = publicKey.export({ type: "spki", format: "der" });
  const algorithm = der(TAG.SEQUENCE, der(TAG.OID, Buffer.from(OID.ECDSA_WITH_SHA256, "hex")));
  const name = der(
    TAG.SEQUENCE,
    der(
      TAG.SET,
      der(
        TAG.SEQUENCE,
        der(TAG.OID, Buffer.from(OID.COMMON_NAME, "hex")),
        der(TAG.UTF8_STRING, Buffer.from(host)),
      ),
    ),
  );
  const ip = parseIp(host);
  const altName = ip ? der(TAG.IP_ADDRESS, Buffer.from(ip)) : der(TAG.DNS_NAME, Buffer.from(host));
  const body = der(
    TAG.SEQUENCE,
    der(TAG.EXPLICIT_0, der(TAG.INTEGER, Buffer.from([2]))),
    der(TAG.INTEGER, serialNumber()),
    algorithm,
    name,
    der(TAG.SEQUENCE, time(now), time(new Date(now.getTime() + days * 86_400_000))),
    name,
    spki,
    der(
      TAG.EXPLICIT_3,
      der(
        TAG.SEQUENCE,
        der(
          TAG.SEQUENCE,
          der(TAG.OID, Buffer.from(OID.SUBJECT_ALT_NAME, "hex")),
          der(TAG.OCTET_STRING, der(TAG.SEQUENCE, altName)),
        ),
      ),
    ),
  );
  const signature = createSign("SHA256").update(body).sign(privateKey);
  const whole = der(TAG.SEQUENCE, body, algorithm, der(TAG.BIT_STRING, Buffer.from([0]), signature));
  return {
    cert: `-----BEGIN CERTIFICATE-----\n${
      whole.toString("base64").replace(/.{64}(?!$)/g, "$&\n")
    }\n-----END CERTIFICATE-----\n`,
    key: privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
    pin: `sha256/${createHash("sha256").update(spki).digest("base64")}`,
  };
}

/** Encodes a value in DER: tag, length, contents. */
function der(tag: number, ...contents: Buffer[]): Buffer {
  const content = Buffer.concat(contents);
  const { length } = content;
  const size = length < 0x80
    ? [length]
    : length < 0x100
    ? [0x81, length]
    : [0x82, length >> 8, length & 0xFF];
  return Buffer.concat([Buffer.from([tag, ...size]), content]);
}

/** A positive number (RFC 5280 section 4.1.2.2) that nobody can guess. */
function serialNumber(): Buffer {
  const serial = randomBytes(16);
  serial[0] = serial[0] & 0x7F | 0x40;
  return serial;
}

/** RFC 5280 section 4.1.2.5: the year has two digits until 2049, then four. */
function time(date: Date): Buffer {
  const digits = date.toISOString().replace(/\.\d+|[-:T]/g, "");
  return date.getUTCFullYear() < 2050
    ? der(TAG.UTC_TIME, Buffer.from(digits.slice(2)))
    : der(TAG.GENERALIZED_TIME, Buffer.from(digits));
}
