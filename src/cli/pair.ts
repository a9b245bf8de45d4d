/**
 * `sluice remote` and `sluice local`: short names for a listener over TLS and an upstream over TLS.
 *
 * They speak no protocol of their own: the local half sends CONNECT over TLS 1.3 with a bearer token, and trusts only
 * the pinned key.
 *
 * @module
 */

import { TOKEN_VARIABLE } from "./flags/variables.ts";
import { DEFAULT_ENDPOINT } from "../listeners/endpoint.ts";
import { parseTokens, Tokens } from "../policy/tokens.ts";
import type { Runtime } from "../runtime/contract.ts";
import type { ProxyOptions } from "../proxy/options.ts";
import { DEFAULT_LIMITS } from "../settings/limits.ts";
import { refuseShared } from "../text/secret_files.ts";
import type { TextFiles } from "../text/text_file.ts";
import { UsageError } from "../text/usage_error.ts";
import { KEY_FILES } from "./flags/key_files.ts";
import type { Options } from "./flags/options.ts";

/** Where the remote half listens by default: on all addresses, since it serves other machines. */
const REMOTE_ENDPOINT = "0.0.0.0:8443";

/** The longest head that the remote half accepts, in bytes. Local halves send short ones; strangers may not. */
const REMOTE_HEADER_SIZE = 16 * 1024;

/** Where a half of a pair finds its secrets: in files, or in an environment variable. */
export interface SecretSources {
  readonly files: TextFiles;
  readonly runtime: Pick<Runtime, "environment">;
}

/** The options of the proxy that the remote half sets. */
export async function remoteOptions(options: Options, sources: SecretSources): Promise<ProxyOptions> {
  const { cert = KEY_FILES.cert, key = KEY_FILES.key, "client-ca": clientCa, "allow-private": allow } =
    options;
  if (options.user.length > 0 || options["users-file"] !== undefined) {
    throw new UsageError("Cannot use users with the remote half: it knows its local halves by their token");
  }
  if (!sources.files.has(key)) await refuseShared(key, "the key");
  const parameters = new URLSearchParams({ cert, key, "min-tls": "1.3" });
  if (clientCa !== undefined) parameters.set("client-ca", clientCa);
  const query = parameters.toString().replaceAll("+", "%20");
  const isDefault = options.listen.join() === DEFAULT_ENDPOINT;
  const listen = isDefault ? [REMOTE_ENDPOINT] : options.listen;
  const odd = listen.find((endpoint) => /:\/\/|\?/.test(endpoint));
  if (odd !== undefined) {
    throw new UsageError(
      `Invalid listener "${odd}" of the remote half: give HOST:PORT alone, it speaks TLS 1.3`,
    );
  }
  const isUsual = options["max-header-size"] === DEFAULT_LIMITS.headerSize;
  return {
    listen: listen.map((endpoint) => `http+tls://${endpoint}?${query}`),
    tokens: await readTokens(options, sources),
    disguised: true,
    privateDestinations: allow ? "allow" : "deny",
    ...isUsual && { limits: { headerSize: REMOTE_HEADER_SIZE } },
  };
}

/** The options of the proxy that the local half sets. */
export async function localOptions(options: Options, sources: SecretSources): Promise<ProxyOptions> {
  const { remote, pin, cert, key } = options;
  if (remote === undefined) throw new UsageError('The local half needs "--remote HOST:PORT"');
  if (pin === undefined) {
    throw new UsageError('The local half needs "--pin PIN", which "sluice keygen" has printed');
  }
  if (options.proxy.length > 0) {
    throw new UsageError("Cannot use --proxy with the local half: it has its remote one");
  }
  if ((cert === undefined) !== (key === undefined)) throw new UsageError("Give --cert and --key together");
  const [token, ...more] = await readTokens(options, sources);
  if (more.length > 0) {
    throw new UsageError(`The token file "${options["token-file"]}" has more than one token`);
  }
  const inVariable = token === sources.runtime.environment(TOKEN_VARIABLE);
  const parameters = new URLSearchParams({
    pin,
    "min-tls": "1.3",
    token: inVariable ? `env:${TOKEN_VARIABLE}` : options["token-file"],
  });
  if (cert !== undefined && key !== undefined) {
    parameters.set("cert", cert);
    parameters.set("key", key);
  }
  const query = parameters.toString().replaceAll("+", "%20");
  return { proxy: `https://${remote}?${query}` };
}

/** The token of the environment, or else the tokens of the file. Throws a `UsageError` if one cannot be used. */
async function readTokens(options: Options, sources: SecretSources): Promise<string[]> {
  const tokens = await findTokens(options, sources);
  new Tokens(tokens);
  return tokens;
}

async function findTokens(options: Options, { files, runtime }: SecretSources): Promise<string[]> {
  const variable = runtime.environment(TOKEN_VARIABLE);
  if (variable !== undefined && variable !== "") return [variable];
  const file = options["token-file"];
  if (!files.has(file)) await refuseShared(file, "the token file");
  return parseTokens(await files.read(file, "the token file"));
}
