/**
 * Connecting to a target through a chain: other proxies, one behind the other.
 *
 * Where this proxy resolves (`socks4`, `socks5`), it judges each address before it asks the last upstream for it. Where
 * the last upstream resolves, this proxy judges the addresses that the host itself spells, before it dials anything.
 * What any other name resolves to is for the rules of that upstream. The upstreams themselves may have any address,
 * since the operator chose them.
 *
 * @module
 */

import type { Settings } from "../settings/settings.ts";
import { Channel } from "../streams/channel.ts";
import { channelStream } from "../streams/channel_stream.ts";
import { Fault, toFault } from "../faults.ts";
import { type Connector, UpstreamFault } from "../protocols/common/connector.ts";
import type { ProxyRequest } from "../protocols/common/handshake.ts";
import { parseIp, parseIpv4 } from "../addresses/host.ts";
import type { HopOptions } from "../protocols/common/upstream_protocol.ts";
import { basicAuthorization, type KnownProxy } from "../protocols/http1/connector.ts";
import { writeProxyHeader } from "../protocols/proxy_protocol.ts";
import type { Address, Runtime, TcpAddress, TlsClientOptions } from "../runtime/contract.ts";
import { dialDirect, type DirectConnection, type DirectOptions } from "./direct.ts";
import type { Reserve, Spare } from "./reserve.ts";
import { type Chain, formatUpstream, type Upstream, type UpstreamTls } from "./upstream.ts";
import { isTarget, protocolOf, takesRequests } from "./upstream_schemes.ts";

/** What a chain should connect to. */
export interface ChainRequest {
  /** A tunnel, or a channel on which one HTTP request is sent. */
  readonly kind: Exclude<ProxyRequest["kind"], "own">;
  /** A name or an IP address, and a port. */
  readonly target: TcpAddress;
  /** The value of Via for the next proxy: the hops behind us and our own name. Undefined: no Via is sent. */
  readonly via?: string;
  /** The value of traceparent for the next proxy. Undefined: none is sent. */
  readonly trace?: string;
  /** The two addresses of the client's connection, for upstreams that get them in the PROXY protocol. */
  readonly client: Pick<Channel, "local" | "remote">;
}

/** What a dial through upstreams uses. */
export interface ChainOptions extends DirectOptions {
  /** Dials, and speaks TLS to upstreams that want it. */
  readonly runtime: DirectOptions["runtime"] & Pick<Runtime, "connectTls">;
  /** Throws a `Fault` for an upstream's address that must not be dialed: our own. */
  readonly judgeUpstream: DirectOptions["judge"];
  /** Reads the text of a file that an upstream's parameters name. */
  readonly readFile: (path: string) => Promise<string>;
  /** Connections to upstreams that were opened in advance. Undefined: there are none. */
  readonly reserve?: Reserve;
  /** The settings in force for this dial. */
  readonly settings: Settings;
  /**
   * Called before an upstream is asked for an address. The function that it returns is called once the upstream has
   * reached the address.
   */
  readonly onAsk?: (hop: Upstream, address: TcpAddress) => () => void;
}

/** A connection to the target, or to the proxy that the request will be sent to. */
export interface ChainConnection extends Omit<DirectConnection, "address"> {
  /** The address that was dialed: that of the first upstream, or of the target itself. */
  readonly address: Address;
  /** Set if an HTTP proxy is at the other end. It gets the request in absolute-form, with these credentials. */
  readonly proxy?: KnownProxy;
  /** The address that the last upstream was asked for, if this proxy has resolved the target's name. */
  readonly resolved?: TcpAddress;
}

/**
 * Judges the target before anything is dialed through a chain, if it is an IP address. The rules alone judge a name;
 * if this proxy resolves the name, it judges the addresses later.
 */
export function judgeNamed(chain: Chain, target: TcpAddress, judge: (address: TcpAddress) => void): void {
  // The operator chose the server at the end of a Unix socket.
  if (!isTarget(chain[0]) && parseIp(target.host)) judge(target);
}

/**
 * Connects to a target through a chain. An empty chain is a direct connection.
 *
 * Throws an `UpstreamFault` if an upstream fails, whatever the target. Throws any other `Fault` if the target is
 * refused or cannot be reached; the message names the upstream. Once the signal is aborted, throws its reason. The
 * first bytes of the target may wait in the channel's buffer.
 */
export async function dialChain(
  chain: Chain,
  request: ChainRequest,
  options: ChainOptions,
): Promise<ChainConnection> {
  const { target } = request;
  if (chain.length === 0) return await dialDirect(target, options);
  judgeNamed(chain, target, options.judge);
  const spare = spareFor(chain[0], request, options);
  try {
    return await new ChainDial(request, options, spare).go(chain);
  } catch (error) {
    // The waiting connection may have died unnoticed, and nothing has gone to the target yet.
    const isStale = spare !== undefined && error instanceof UpstreamFault &&
      error.code === "connection_terminated";
    if (!isStale || options.signal.aborted) throw error;
    return await new ChainDial(request, options).go(chain);
  }
}

/**
 * Goes through a chain to the last upstream and only greets it: with a request for HTTP, with a greeting for SOCKS5.
 * Of the others it is enough that they can be connected to. Throws an `UpstreamFault` if one of them fails.
 */
export async function greetChain(
  chain: Chain,
  client: ChainRequest["client"],
  options: ChainOptions,
): Promise<void> {
  const { channel } = await new ChainDial({ kind: "greeting", target: NOWHERE, client }, options).go(chain);
  channel.drop(GREETED);
}

/** Stands in for a target. No upstream is ever asked for it. */
const NOWHERE: TcpAddress = { host: "0.0.0.0", port: 0 };

const GREETED = new Fault("connection_terminated", "The upstream has answered");

/** Makes the TLS handshakes for tunnels in advance. HTTP requests share connections anyway. */
function spareFor(
  hop: Upstream,
  request: ChainRequest,
  { reserve, ...options }: ChainOptions,
): Spare | undefined {
  if (!reserve || options.from || !hop.tls || hop.proxyProtocol || request.kind !== "tunnel") {
    return undefined;
  }
  return reserve.take(hop, () => {
    const signal = AbortSignal.timeout(MAX_OPENING);
    return new ChainDial(request, { ...options, signal }).open(hop);
  });
}

/** How long the opening of a spare may take, in milliseconds. */
const MAX_OPENING = 10_000;

/** What is sent through a chain: a request, or a greeting that asks whether the last upstream is there. */
type ChainDialRequest = Omit<ChainRequest, "kind"> & { readonly kind: ChainRequest["kind"] | "greeting" };

/** One dial through a chain. */
class ChainDial {
  readonly #request: ChainDialRequest;
  readonly #options: ChainOptions;
  readonly #spare: Spare | undefined;
  #channel: Channel | undefined;
  #resolved: TcpAddress | undefined;

  constructor(request: ChainDialRequest, options: ChainOptions, spare?: Spare) {
    this.#request = request;
    this.#options = options;
    this.#spare = spare;
    this.#channel = spare?.channel;
  }

  /** Connects to the first upstream, with TLS where it is spoken, and says nothing in the upstream's protocol yet. */
  async open(hop: Upstream): Promise<Spare> {
    try {
      const { address } = await this.#reach(hop);
      await this.#enter(hop);
      return { channel: this.#channel!, address };
    } catch (error) {
      this.#channel?.cut(toFault(error));
      throw error;
    }
  }

  async go(chain: Chain): Promise<ChainConnection> {
    const { clock, signal } = this.#options;
    const start = clock.now();
    let [hop] = chain;
    let asked: Asked = "upstream";
    const cut = () => this.#channel?.cut(toFault(signal.reason));
    signal.addEventListener("abort", cut);
    try {
      const { dnsTime, address, from } = this.#spare
        ? { dnsTime: 0, address: this.#spare.address, from: undefined }
        : await this.#reach(hop);
      let proxy: ChainConnection["proxy"];
      for (const [i, next] of chain.entries()) {
        hop = next;
        if (i > 0 || !this.#spare) await this.#enter(hop);
        const authorization = await this.#authorization(hop);
        const behind = chain[i + 1]?.address;
        asked = behind ? "upstream" : "target";
        if (asked === "target" && this.#request.kind === "greeting") await this.#greet(hop, authorization);
        else if (asked === "target" && this.#request.kind === "exchange" && takesRequests(hop)) {
          proxy = { authorization, ...isPinned(hop) && { pinned: true } };
        } else await this.#ask(hop, behind ?? this.#request.target, { asked, authorization });
      }
      signal.throwIfAborted();
      return {
        channel: this.#channel!,
        address,
        dnsTime,
        dialTime: clock.now() - start - dnsTime,
        from,
        ...proxy && { proxy },
        ...this.#resolved && { resolved: this.#resolved },
      };
    } catch (error) {
      const reason = signal.aborted ? late(signal.reason) : error;
      const own = !signal.aborted || reason instanceof UpstreamFault;
      const fault = own ? named(hop, reason, asked) : toFault(reason);
      this.#channel?.cut(fault);
      throw fault;
    } finally {
      signal.removeEventListener("abort", cut);
    }
  }

  async #reach({ address }: Upstream): Promise<Pick<ChainConnection, "address" | "dnsTime" | "from">> {
    const { runtime, signal, judgeUpstream } = this.#options;
    if ("path" in address) {
      this.#channel = new Channel(await runtime.dial(address, { signal }), "target");
      return { address, dnsTime: 0 };
    }
    const dialed = await dialDirect(address, { ...this.#options, judge: judgeUpstream });
    this.#channel = dialed.channel;
    return dialed;
  }

  /** Sends what comes before the upstream's own protocol: the PROXY header, and the TLS handshake. */
  async #enter({ proxyProtocol, tls }: Upstream): Promise<void> {
    const { runtime, signal, readFile } = this.#options;
    const { local, remote } = this.#request.client;
    if (proxyProtocol) {
      const header = writeProxyHeader({ version: proxyProtocol, source: remote, destination: local });
      await this.#channel!.writer.write(header);
    }
    if (!tls) return;
    if (!runtime.connectTls) throw new Fault("proxy_configuration_error", "This runtime speaks no TLS");
    const options = await readTls(tls, readFile);
    signal.throwIfAborted();
    const stream = await runtime.connectTls(channelStream(this.#channel!), { ...options, signal });
    this.#channel = new Channel(stream, "target");
  }

  async #authorization({ credentials, token }: Upstream): Promise<string | undefined> {
    if (token === undefined) return credentials && basicAuthorization(credentials);
    const text = (await readText(token, this.#options.readFile)).trim();
    if (/^[A-Za-z0-9._~+/-]+=*$/.test(text)) return `Bearer ${text}`;
    // RFC 6750 section 2.1. The message names the file and quotes nothing from it.
    throw new Fault("proxy_configuration_error", `The file holds no bearer token: "${token}"`);
  }

  async #ask(
    hop: Upstream,
    address: Address,
    { asked, authorization }: { asked: Asked; authorization: string | undefined },
  ): Promise<void> {
    const { connect } = protocolOf(hop);
    if (!connect || !("host" in address)) return;
    const sendable = await this.#sendable(hop, address, asked);
    const connector = connect(this.#hopOptions(hop, sendable, authorization));
    const reached = this.#options.onAsk?.(hop, sendable);
    await this.#converse(connector);
    reached?.();
  }

  async #greet(hop: Upstream, authorization: string | undefined): Promise<void> {
    const { greet } = protocolOf(hop);
    if (greet) await this.#converse(greet(this.#hopOptions(hop, NOWHERE, authorization)), "greeting");
  }

  /** Talks until the tunnel is open or, for a greeting, until the next message would name the target. */
  async #converse(connector: Connector, until: "tunnel" | "greeting" = "tunnel"): Promise<void> {
    const { reader, writer } = this.#channel!;
    await io(writer.write(connector.start()), connector);
    while (true) {
      this.#options.signal.throwIfAborted();
      const event = connector.read(reader.buffer);
      if (event?.type === "established" || until === "greeting" && connector.asked) return;
      if (event) await io(writer.write(event.bytes), connector);
      else if (!await io(reader.fill(), connector)) {
        throw new UpstreamFault("connection_terminated", "It closed the connection before it had answered", {
          doubtful: connector.asked,
        });
      }
    }
  }

  #hopOptions(hop: Upstream, target: TcpAddress, authorization: string | undefined): HopOptions {
    return {
      target,
      credentials: hop.credentials,
      authorization,
      via: this.#request.via,
      trace: this.#request.trace,
      settings: this.#options.settings,
      pinned: isPinned(hop),
    };
  }

  /** What to ask the upstream for: the name if it resolves names, otherwise the first address that is allowed. */
  async #sendable(hop: Upstream, { host, port }: TcpAddress, asked: Asked): Promise<TcpAddress> {
    const { asksFor } = protocolOf(hop);
    if (asksFor === "name") return { host, port };
    const { resolver, signal, judge } = this.#options;
    const given = parseIp(host) !== undefined;
    const hosts = given ? [host] : await resolver.resolve(host, signal);
    let fault = new Fault(
      "destination_ip_unroutable",
      `SOCKS4 leads to IPv4 addresses alone, not to ${host}`,
    );
    for (const host of asksFor === "IPv4 address" ? hosts.filter(parseIpv4) : hosts) {
      try {
        const address = { host, port };
        if (!given && asked === "target") {
          judge(address);
          this.#resolved = address;
        }
        return address;
      } catch (error) {
        fault = toFault(error);
      }
    }
    throw fault;
  }
}

/** What a hop is asked for: the next upstream of the chain, or the target. */
type Asked = "upstream" | "target";

/**
 * If the connection breaks, that is the upstream's failure. It is doubtful if the upstream was already asked for the
 * target.
 */
async function io<T>(promise: Promise<T>, { asked }: Pick<Connector, "asked">): Promise<T> {
  try {
    return await promise;
  } catch (error) {
    const fault = toFault(error);
    throw new UpstreamFault(fault.code, fault.message, { cause: fault, doubtful: asked });
  }
}

/** Running out of time is a failure of the upstream: it has not answered, for its target either. */
function late(reason: unknown): unknown {
  if (reason instanceof UpstreamFault || toFault(reason).code !== "connection_timeout") return reason;
  return new UpstreamFault("connection_timeout", undefined, { cause: reason });
}

/** The advice of an upstream's fault. That of the fault table is about targets, and does not help here. */
function adviceOf(fault: Fault): { readonly advice?: string } {
  return fault instanceof UpstreamFault ? { advice: fault.advice } : {};
}

function isPinned({ tls }: Upstream): boolean {
  return tls?.pin !== undefined;
}

/** The fault with the upstream's name in front. Only the last upstream can refuse the target. */
function named(hop: Upstream, error: unknown, asked: Asked): Fault {
  const fault = toFault(error);
  const message = `${formatUpstream(hop)}: ${fault.message}`;
  if (fault instanceof UpstreamFault || asked === "upstream") {
    const doubtful = asked === "target" && fault instanceof UpstreamFault && fault.doubtful;
    return new UpstreamFault(fault.code, message, { ...adviceOf(fault), cause: fault, doubtful });
  }
  return new Fault(fault.code, message, { status: fault.status, socks5: fault.socks5, cause: fault });
}

async function readTls(
  { ca, cert, key, ...options }: UpstreamTls,
  readFile: ChainOptions["readFile"],
): Promise<Omit<TlsClientOptions, "signal">> {
  return {
    ...options,
    ...ca !== undefined && { ca: await readText(ca, readFile) },
    ...cert !== undefined && key !== undefined && {
      certificate: { cert: await readText(cert, readFile), key: await readText(key, readFile) },
    },
  };
}

async function readText(path: string, readFile: ChainOptions["readFile"]): Promise<string> {
  try {
    return await readFile(path);
  } catch (error) {
    throw new Fault("proxy_configuration_error", `The file cannot be read: "${path}"`, { cause: error });
  }
}
