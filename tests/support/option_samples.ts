/**
 * Values of options, for tests that walk all of them.
 *
 * @module
 */

/** A valid value for each flag. The key is its placeholder in the help or, if that is not enough, the flag's name. */
export const SAMPLES: Record<string, string> = {
  "ADDRESS": "192.0.2.1",
  "CIDR": "10.0.0.0/8",
  "ENDPOINT": "127.0.0.1:1",
  "FILE": "a-file",
  "FOLDER": "a-folder",
  "FORMAT": "json",
  "HOST:PORT": "a.test:1",
  "LEVEL": "warn",
  "LIMIT": "* to 20 connections",
  "LIST": "a.test",
  "MATCH": "a.test",
  "METHOD": "HEAD",
  "MODE": "append",
  "N": "3",
  "NAME": "a-name",
  "NAME:PASSWORD": "ann:secret",
  "NAME:VALUE": "a: b",
  "privateDestinations": "deny",
  "PIN": `sha256/${"A".repeat(43)}=`,
  "PORT": "443",
  "PROTOCOL": "http",
  "ROUTE": "* via direct",
  "RULE": "deny a.test",
  "SERVER": "192.0.2.1",
  "SIZE": "2k",
  "TEXT": "a text",
  "TIME": "3s",
  "TOKEN": "A".repeat(43),
  "URL": "redis://127.0.0.1:6379",
  "USER": "ann",
};
