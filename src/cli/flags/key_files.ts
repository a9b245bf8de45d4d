/**
 * The names of the files that `sluice keygen` makes, which `remote` and `local` look for unless they are told others.
 *
 * @module
 */

export const KEY_FILES = { cert: "sluice-cert.pem", key: "sluice-key.pem", token: "sluice-token" } as const;
