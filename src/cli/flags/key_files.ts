/**
 * The names of the files that `sluice keygen` makes, and that `remote` and `local` look for by default.
 *
 * @module
 */

export const KEY_FILES = { cert: "sluice-cert.pem", key: "sluice-key.pem", token: "sluice-token" } as const;
