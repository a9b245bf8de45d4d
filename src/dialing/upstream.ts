/**
 * Upstreams, the proxies that this one goes through, in the form in which people write them.
 *
 * @module
 */

import { lowerScheme } from "../text/scheme.ts";
import { formatAddress, isLoopback, parseHost, parseIpv6 } from "../addresses/host.ts";
import { splitHostPort } from "../addresses/host_port.ts";
import { Parameters, placePaths } from "../text/parameters.ts";
import { type FileContext, MASK } from "../settings/option.ts";
import type { Credentials } from "../protocols/common/handshake.ts";
import type { UpstreamProtocol } from "../protocols/common/upstream_protocol.ts";
import type { Address, TlsClientOptions } from "../runtime/contract.ts";
import {
  isTarget,
  isUpstreamScheme,
  protocolOf,
  UPSTREAM_PROTOCOLS,
  type UpstreamScheme,
} from "./upstream_schemes.ts";
import { UsageError } from "../text/usage_error.ts";

/** The TLS of an upstream. `ca`, `cert` and `key` are names of files in PEM. */
export interface UpstreamTls extends Pick<TlsClientOptions, "serverName" | "pin" | "minVersion"> {
  /** The authorities to trust instead of the usual ones. */
  readonly ca?: string;
  /** The certificate that we show to a server that asks for one. */
  readonly cert?: string;
  /** The private key of that certificate. */
  readonly key?: string;
}

/** One upstream. */
export interface Upstream {
  /** The protocol that it speaks. */
  readonly scheme: UpstreamScheme;
  /** A host name or IP address with a port, or a Unix socket. */
  readonly address: Address;
  /** The user that we log in as. SOCKS4 sends only the user name. */
  readonly credentials?: Credentials;
  /** The name of a file with a bearer token (RFC 6750), which is sent instead of credentials. */
  readonly token?: string;
  /** Undefined: it is not spoken to over TLS. */
  readonly tls?: UpstreamTls;
  /** The version of the PROXY protocol that tells it of the client. Undefined: it is not told. */
  readonly proxyProtocol?: 1 | 2;
}

/** Upstreams one behind the other, the nearest first. An empty chain is a direct connection. */
export type Chain = readonly Upstream[];

const TLS_PARAMETERS = ["pin", "ca", "cert", "key", "name", "min-tls"] as const;
const PARAMETERS = ["proxy-protocol", "token", ...TLS_PARAMETERS] as const;

/** The parameters that name files. */
const FILES = ["token", "ca", "cert", "key"] as const satisfies readonly (typeof PARAMETERS[number])[];

/** RFC 7469 section 2.4, as in `TlsClientOptions`. */
const PIN = /^sha256\/[A-Za-z0-9+/]{43}=$/;

type Invalid = (why: string) => UsageError;

/**
 * Reads a chain: upstreams with commas between them, or `direct` for none. A comma in a user name, a password or a file
 * name is written `%2C`.
 *
 * An upstream is `[SCHEME://][USER[:PASSWORD]@]HOST[:PORT]`. SCHEME is an {@linkcode UpstreamScheme}, by default
 * `http`. User and password are percent-encoded. A proxy on a Unix socket is `SCHEME://unix:PATH`, and has to be the
 * nearest. A target on a Unix socket is `unix:PATH`, and stands alone. Parameters:
 *
 * - `proxy-protocol=v1` or `v2` tells it of the client.
 * - With `http` and `https`, `token=FILE` names a file with a bearer token; without TLS only on loopback.
 * - With `https`, `pin=sha256/…` trusts only this public key, `ca=FILE` trusts only these authorities, and `name=HOST`
 *   expects this name. `cert=FILE&key=FILE` is the certificate that we show. `min-tls=1.3` refuses older versions.
 *
 * @throws {UsageError} If the text is not a chain. The message quotes no password.
 *
 * @example
 * ```ts
 * parseChain("socks5h://ann:secret@127.0.0.1:1080"); // one upstream
 * parseChain("http://first.example:3128,https://second.example"); // the second through the first
 * parseChain("direct"); // []
 * ```
 */
export function parseChain(text: string): Chain {
  if (isDirect(text)) return [];
  const invalid = (why: string) => new UsageError(`Invalid upstream "${redact(text)}": ${why}`);
  const chain = text.split(",").map((part) => parseUpstream(part, invalid));
  if (chain.length > 1 && chain.some(isTarget)) {
    throw invalid("a target on a Unix socket is no proxy; it stands alone");
  }
  if (chain.slice(1).some(({ address }) => "path" in address)) {
    throw invalid("only the first proxy of a chain can be on a Unix socket of this machine");
  }
  return chain;
}

function parseUpstream(text: string, invalid: Invalid): Upstream {
  if (isDirect(text)) throw invalid(`"direct" stands alone`);
  const [, given, rest, query] = /^(?:([^:/?@]*):\/\/)?([^?]*)(?:\?(.*))?$/s.exec(lowerScheme(text))!;
  const parameters = new Parameters(query, PARAMETERS, invalid);
  const bare = given === undefined && rest.startsWith("unix:");
  const scheme = bare ? "unix" : given ?? "http";
  if (!isUpstreamScheme(scheme)) {
    const known = UPSTREAM_PROTOCOLS.map(({ name }) => name);
    throw invalid(`the scheme is unknown; use one of ${known.join(", ")}, direct`);
  }
  const protocol = protocolOf({ scheme });
  const at = rest.startsWith("unix:") || isTarget({ scheme }) ? -1 : userEnd(rest);
  const credentials = at < 0 ? undefined : readCredentials(rest.slice(0, at), protocol, invalid);
  const place = bare ? rest.slice("unix:".length) : rest.slice(at + 1);
  const address = isTarget({ scheme })
    ? readPath(place, invalid)
    : readAddress(place, given === undefined ? undefined : protocol.port, invalid);
  return {
    scheme,
    address,
    ...credentials && { credentials },
    ...readToken(parameters, { protocol, address, credentials }, invalid),
    ...readTls(parameters, { protocol, address }, invalid),
    ...readProxyProtocol(parameters, invalid),
  };
}

function isDirect(text: string): boolean {
  return text.toLowerCase() === "direct";
}

/** Where the user and password end. The path of a Unix socket behind them may contain at signs, too. */
function userEnd(rest: string): number {
  const unix = rest.search(/@unix:/i);
  return unix < 0 ? rest.lastIndexOf("@") : unix;
}

function readCredentials(text: string, { name, users }: UpstreamProtocol, invalid: Invalid): Credentials {
  const [user, ...more] = text.split(":");
  if (more.length > 1) throw invalid("a colon in a password is written %3A");
  const credentials = { user: decode(user, invalid), password: decode(more[0] ?? "", invalid) };
  if (!users) throw invalid(`the ${name} protocol has no users`);
  const { noPassword, noColon, limit } = users;
  if (noPassword !== undefined && credentials.password !== "") throw invalid(noPassword);
  if (credentials.user === "") throw invalid("give a user name before the password");
  if (noColon !== undefined && credentials.user.includes(":")) throw invalid(noColon);
  const both = credentials.user + credentials.password;
  if (/\p{Cc}/u.test(both)) throw invalid("leave control characters out of user names and passwords");
  const octets = Object.values(credentials).map((one) => new TextEncoder().encode(one).length);
  if (limit && Math.max(...octets) > limit.bytes) throw invalid(limit.why);
  return credentials;
}

function decode(text: string, invalid: Invalid): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw invalid("a percent sign in a user name or password is written %25");
  }
}

function readAddress(text: string, defaultPort: number | undefined, invalid: Invalid): Address {
  if (/^unix:/i.test(text)) return readPath(text.slice("unix:".length), invalid);
  if (parseIpv6(text)) throw invalid(`an IPv6 address goes into brackets, as in "http://[::1]:8080"`);
  const { host: given = "", bracketed, port } = splitHostPort(text.replace(/\/$/, "")) ?? {};
  const isWhole = given.includes(":") === bracketed && (port === undefined || /^[0-9]{1,5}$/.test(port));
  const host = isWhole ? parseHost(given) : undefined;
  if (host === undefined) throw invalid(`give a host and a port, as in "http://proxy.example:8080"`);
  const number = port === undefined ? defaultPort : Number(port);
  if (number === undefined) throw invalid(`give a port, as in "proxy.example:8080"`);
  if (number < 1 || number > 65535) throw invalid("a port is from 1 to 65535");
  return { host, port: number };
}

function readPath(path: string, invalid: Invalid): Address {
  if (path === "" || path.includes("\0")) throw invalid(`give a path, as in "unix:/run/upstream.sock"`);
  return { path };
}

/** The names of the schemes with a feature, for messages. */
function namesOf(has: (protocol: UpstreamProtocol) => boolean): string {
  return UPSTREAM_PROTOCOLS.filter(has).map(({ name }) => name).join(" and ");
}

function readToken(
  parameters: Parameters<typeof PARAMETERS[number]>,
  { protocol, address, credentials }: Pick<Upstream, "address" | "credentials"> & {
    readonly protocol: UpstreamProtocol;
  },
  invalid: Invalid,
): Pick<Upstream, "token"> {
  const token = parameters.one("token");
  if (token === undefined) return {};
  if (!protocol.token) throw invalid(`a token is for ${namesOf(({ token }) => token)}`);
  if (credentials) throw invalid("give a user or a token, not both");
  if (!protocol.tls && "host" in address && !isLoopback(address.host)) {
    throw invalid("whoever reads a token on its way can use it; take https");
  }
  return { token };
}

function readTls(
  parameters: Parameters<typeof PARAMETERS[number]>,
  { protocol, address }: Pick<Upstream, "address"> & { readonly protocol: UpstreamProtocol },
  invalid: Invalid,
): Pick<Upstream, "tls"> {
  if (!protocol.tls) {
    const name = TLS_PARAMETERS.find((name) => parameters.one(name) !== undefined);
    if (name !== undefined) throw invalid(`the parameter "${name}" is for ${namesOf(({ tls }) => tls)}`);
    return {};
  }
  const [pin, ca, cert, key, name] = (["pin", "ca", "cert", "key", "name"] as const).map((name) =>
    parameters.one(name)
  );
  const minVersion = parameters.tlsVersion("min-tls");
  if (pin !== undefined && !PIN.test(pin)) {
    throw invalid(`a pin is "sha256/" and the base64 of the SHA-256 of a public key`);
  }
  if (pin !== undefined && ca !== undefined) throw invalid("a pin needs no authority; leave pin or ca out");
  if ((cert === undefined) !== (key === undefined)) {
    throw invalid("a certificate and its key come together, as in cert=FILE&key=FILE");
  }
  const serverName = name === undefined ? ("host" in address ? address.host : undefined) : parseHost(name);
  if (serverName === undefined) throw invalid("name=HOST has to be the name in the proxy's certificate");
  return {
    tls: {
      serverName,
      ...pin !== undefined && { pin },
      ...ca !== undefined && { ca },
      ...cert !== undefined && { cert, key },
      ...minVersion && { minVersion },
    },
  };
}

function readProxyProtocol(
  parameters: Parameters<typeof PARAMETERS[number]>,
  invalid: Invalid,
): Pick<Upstream, "proxyProtocol"> {
  const version = parameters.one("proxy-protocol");
  if (version === undefined) return {};
  if (version !== "v1" && version !== "v2") throw invalid("proxy-protocol is v1 or v2");
  return { proxyProtocol: version === "v1" ? 1 : 2 };
}

/**
 * Leaves out what may be a password: everything before the last at sign and, if somebody forgot the host, the text in
 * the place of the port.
 */
function redact(text: string): string {
  const hidden = text.startsWith("unix:") ? text : text.replace(/^([^:/]*:\/\/)?.*@/s, "$1...@");
  return hidden.replace(
    /(\[[^\]]*\]|unix:[^,?]*|:\/\/|:[0-9]{1,5}(?=[/?,]|$))|:[^/?,]*/g,
    (_, kept) => kept ?? ":...",
  );
}

/** The chain of a text in a config file: its names are those of the file, and its paths are relative to it. */
export function placeChain(text: string, { chain, path }: FileContext): string {
  return chain(text).split(",").map((hop) => placePaths(hop, { names: FILES, end: "&,", path })).join(",");
}

/** The text of a chain without users and passwords. */
export function maskChain(text: string): string {
  return text.replace(/(^|,)([^:/?@,]*:\/\/)?(?!unix:)[^,]*@/g, `$1$2${MASK}@`);
}

/** An upstream without user, password and parameters, for logs and records. */
export function formatUpstream(hop: Upstream): string {
  const address = formatAddress(hop.address);
  return isTarget(hop) ? address : `${hop.scheme}://${address}`;
}

/** A chain without users, passwords and parameters; `direct` for none. */
export function formatRoute(chain: Chain): string {
  return chain.length === 0 ? "direct" : chain.map(formatUpstream).join(",");
}
