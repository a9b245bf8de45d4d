/**
 * Endpoints: where the proxy listens, as people write it.
 *
 * @module
 */

import { lowerScheme } from "../text/scheme.ts";
import type { FileContext, TableForm } from "../settings/option.ts";
import { Parameters, placePaths } from "../text/parameters.ts";
import { parseIpBlock, suggestIpBlock } from "../addresses/ip_block.ts";
import { formatIpv6, parseIpv4, parseIpv6 } from "../addresses/host.ts";
import { parsePort } from "../addresses/host_port.ts";
import type { Protocol } from "../protocols/client_protocols.ts";
import { CLIENT_PROTOCOLS } from "../protocols/table.ts";
import type { Address, Certificate, TlsServerOptions } from "../runtime/contract.ts";
import { UsageError } from "../text/usage_error.ts";

/** What a listener speaks: one protocol, or `auto`. Then the client's first byte decides among all but `line`. */
export type ListenerScheme = "auto" | Protocol;

/** The TLS of a listener. Certificates, keys and `clientCa` are names of files in PEM. */
export interface ListenerTls extends Pick<TlsServerOptions, "clientCa" | "minVersion"> {
  /** At least one. */
  readonly certificates: readonly Certificate[];
}

/** A listener: a scheme, the address to bind, and what its parameters say. */
export interface Endpoint {
  readonly scheme: ListenerScheme;
  readonly address: Address;
  /** Undefined if the listener does not speak TLS. */
  readonly tls?: ListenerTls;
  /** Load balancers, as blocks of IP addresses. They must send a PROXY protocol header, and it is trusted. */
  readonly trusts?: readonly string[];
  /** The permissions of the Unix socket's file. Undefined: 0600, only its owner may connect. */
  readonly mode?: number;
}

/** Where the proxy listens by default. */
export const DEFAULT_ENDPOINT = "127.0.0.1:8899";

/** All schemes of listeners, as messages list them. */
export const LISTENER_SCHEMES: readonly string[] = ["auto", ...CLIENT_PROTOCOLS.map(({ name }) => name)];

const PARAMETERS = ["cert", "key", "client-ca", "min-tls", "proxy-protocol", "mode"] as const;

/** The parameters that name files. */
const FILES = ["cert", "key", "client-ca"] as const satisfies readonly (typeof PARAMETERS[number])[];

/** A listener as a table: the address, the scheme, and the parameters. A certificate makes it speak TLS. */
export const LISTENER_TABLE: TableForm = {
  keys: {
    "address": {
      help: "HOST:PORT, unix:PATH, or a port of 127.0.0.1",
      schema: { type: ["string", "integer"] },
    },
    "scheme": { help: "What is spoken there", schema: { type: "string", enum: LISTENER_SCHEMES } },
    "cert": {
      help: "The file of a certificate in PEM: the listener speaks TLS",
      schema: { type: "string" },
      repeatable: true,
    },
    "key": { help: "The file of its private key in PEM", schema: { type: "string" }, repeatable: true },
    "client-ca": {
      help: "Clients must have a certificate that was signed by one of these",
      schema: { type: "string" },
    },
    "min-tls": { help: "The oldest version of TLS", schema: { type: "string", enum: ["1.2", "1.3"] } },
    "proxy-protocol": {
      help: "Blocks of addresses of load balancers, which must send a PROXY protocol header",
      schema: { type: "string" },
      repeatable: true,
    },
    "mode": {
      help: "The octal permission of a Unix socket",
      schema: { type: "string", pattern: "^0?[0-7]{3}$" },
    },
  } satisfies Record<typeof PARAMETERS[number] | "address" | "scheme", TableForm["keys"][string]>,
  required: "address",
  write: ({ address: [address], scheme: [scheme] = ["auto"], ...parameters }) => {
    const query = Object.entries(parameters).flatMap(([name, values]) => {
      const texts = name === "proxy-protocol" ? [values.join()] : values;
      return texts.map((text) => `${name}=${text.replace(/[%&]/g, encodeURIComponent)}`);
    });
    const tls = parameters.cert ? "+tls" : "";
    return `${scheme}${tls}://${address}${query.length > 0 ? `?${query.join("&")}` : ""}`;
  },
};

/** The endpoint of a text in a config file: its paths are relative to the file. */
export function placeEndpoint(text: string, { path }: FileContext): string {
  return placePaths(text, { names: FILES, end: "&", path });
}

const LOOPBACK = "127.0.0.1";

/** The most bytes that `sun_path` holds on Linux besides its final NUL (unix(7)). */
const MAX_PATH_BYTES = 107;

/**
 * Reads the endpoint of a listener, `[SCHEME[+tls]://]HOST:PORT` or `[SCHEME[+tls]://]unix:PATH`. Parameters may
 * follow.
 *
 * - SCHEME is `auto` (the default: the first byte tells the protocol), `http`, `socks4`, `socks5` or `line`.
 * - HOST is an IPv4 address, an IPv6 address in brackets, or `localhost`. Without one (`:8899`, or `8899`) it
 *   is 127.0.0.1: only `0.0.0.0` and `[::]` listen on every address.
 * - PORT is 0 to 65535; with 0 the system chooses.
 * - Parameters, `?NAME=VALUE&…`: `cert=FILE&key=FILE` (repeated for further names), `client-ca=FILE` and
 *   `min-tls=1.2` or `1.3` with `+tls`; `proxy-protocol=CIDR,…`; `mode=0600` of a Unix socket. In their
 *   values `%` and `&` are percent-encoded; files are not opened here.
 *
 * @throws {UsageError} If the text is not such an endpoint.
 *
 * @example
 * ```ts
 * parseEndpoint("socks5://[::1]:1080"); // { scheme: "socks5", address: { host: "::1", port: 1080 } }
 * parseEndpoint("unix:/run/sluice.sock"); // { scheme: "auto", address: { path: "/run/sluice.sock" } }
 * parseEndpoint("http+tls://:8443?cert=chain.pem&key=key.pem");
 * ```
 */
export function parseEndpoint(text: string): Endpoint {
  const [, given, rest, query] = /^(?:([^:/?]*):\/\/)?([^?]*)(?:\?(.*))?$/s.exec(lowerScheme(text))!;
  const scheme = given?.replace(/\+tls$/, "") ?? "auto";
  const parameters = new Parameters(query, PARAMETERS, (why) => invalid(text, why));
  if (scheme === "unix") {
    const address = parsePath(rest, text);
    return {
      scheme: "auto",
      address,
      ...readParameters(parameters, { address, tls: scheme !== given, text }),
    };
  }
  if (!isScheme(scheme)) {
    const why = scheme === "https"
      ? `for TLS write "http+tls://"`
      : `use one of ${LISTENER_SCHEMES.join(", ")}`;
    throw invalid(text, `the scheme is unknown; ${why}`);
  }
  const address = parseAddress(given === undefined ? rest : rest.replace(/\/$/, ""), text);
  const tls = given?.endsWith("+tls") ?? false;
  return { scheme, address, ...readParameters(parameters, { address, tls, text }) };
}

function readParameters(
  parameters: Parameters<typeof PARAMETERS[number]>,
  { address, tls, text }: { address: Address; tls: boolean; text: string },
): Pick<Endpoint, "tls" | "trusts" | "mode"> {
  const trusts = parameters.one("proxy-protocol")?.split(",");
  const mode = parameters.one("mode");
  if (mode !== undefined && (!("path" in address) || !/^0?[0-7]{3}$/.test(mode))) {
    throw invalid(
      text,
      `mode is the octal permission of a Unix socket, as in "unix:/run/sluice.sock?mode=0660"`,
    );
  }
  if (trusts && "path" in address) {
    throw invalid(text, "proxy-protocol trusts IP addresses, and the clients of a Unix socket have none");
  }
  for (const block of trusts ?? []) checkBlock(block, text);
  return {
    ...readTls(parameters, tls, text),
    ...trusts && { trusts },
    ...mode !== undefined && { mode: parseInt(mode, 8) },
  };
}

function checkBlock(block: string, text: string): void {
  if (parseIpBlock(block)) return;
  const meant = suggestIpBlock(block) ?? "10.0.0.0/8";
  throw invalid(text, `"${block}" is no block of IP addresses; write it as in "${meant}"`);
}

function readTls(
  parameters: Parameters<typeof PARAMETERS[number]>,
  tls: boolean,
  text: string,
): Pick<Endpoint, "tls"> {
  const [certs, keys] = [parameters.all("cert"), parameters.all("key")];
  const clientCa = parameters.one("client-ca");
  const minVersion = parameters.tlsVersion("min-tls");
  if (!tls) {
    if (certs.length + keys.length === 0 && clientCa === undefined && minVersion === undefined) return {};
    throw invalid(text, `certificates are for TLS; put "+tls" behind the scheme`);
  }
  if (certs.length === 0 || certs.length !== keys.length) {
    throw invalid(text, `give a certificate and its key, as in "?cert=FILE&key=FILE"`);
  }
  return {
    tls: {
      certificates: certs.map((cert, i) => ({ cert, key: keys[i] })),
      ...clientCa !== undefined && { clientCa },
      ...minVersion && { minVersion },
    },
  };
}

function isScheme(scheme: string): scheme is ListenerScheme {
  return LISTENER_SCHEMES.includes(scheme);
}

function parseAddress(text: string, whole: string): Address {
  if (text.startsWith("unix:")) return parsePath(text.slice("unix:".length), whole);
  if (text.includes("@")) throw invalid(whole, "users are not part of a listener");
  // The port may stand alone. The host keeps its brackets, for messages.
  const colon = text.lastIndexOf(":");
  const port = parsePort(text.slice(colon + 1));
  // Checked first, because the last group of an IPv6 address without brackets may look like a port.
  if (parseIpv6(text)) throw invalid(whole, `an IPv6 address goes into brackets, as in "[::1]:8899"`);
  if (port === undefined) {
    throw invalid(whole, `give an address and a port from 0 to 65535, such as "${DEFAULT_ENDPOINT}"`);
  }
  return { host: parseListenHost(text.slice(0, Math.max(colon, 0)), whole), port };
}

function parseListenHost(host: string, whole: string): string {
  if (host === "") return LOOPBACK;
  if (/^localhost$/i.test(host)) return "localhost";
  if (parseIpv4(host)) return host;
  const ipv6 = /^\[(.*)\]$/s.exec(host)?.[1];
  const bytes = ipv6 === undefined ? undefined : parseIpv6(ipv6);
  if (bytes) return formatIpv6(bytes);
  if (host === "*") throw invalid(whole, `write "0.0.0.0" or "[::]" for every address`);
  throw invalid(whole, `"${host}" is no IP address of this machine, nor "localhost"`);
}

function parsePath(path: string, whole: string): Address {
  if (path === "" || path.includes("\0")) throw invalid(whole, `give a path, as in "unix:/run/sluice.sock"`);
  const length = new TextEncoder().encode(path).length;
  if (length > MAX_PATH_BYTES) {
    throw invalid(
      whole,
      `the path has ${length} bytes and Unix sockets allow ${MAX_PATH_BYTES}; use a shorter one`,
    );
  }
  return { path };
}

function invalid(text: string, why: string): UsageError {
  return new UsageError(`Invalid listener "${redact(text)}": ${why}`);
}

/** Leaves out what may be a password. The path of a Unix socket may have an at sign, but no password. */
function redact(text: string): string {
  return text.includes("unix:") ? text : text.replace(/^(.*?:\/\/)?.*@/s, "$1...@");
}
