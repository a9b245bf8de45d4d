/**
 * Makes one HTTP request as a client does, directly or through upstreams, and times every step.
 *
 * It dials with the proxy's own code. The runtime and the resolver that it passes report each step.
 *
 * @module
 */

import { Channel } from "../../streams/channel.ts";
import { channelStream } from "../../streams/channel_stream.ts";
import type { Clock } from "../../runtime/clock.ts";
import { Deadlines, type Timed } from "../../runtime/deadlines.ts";
import { formatDuration } from "../../text/duration.ts";
import { formatAddress, formatAuthority } from "../../addresses/host.ts";
import { Fault, type FaultCode, toFault } from "../../faults.ts";
import { UpstreamFault } from "../../protocols/common/connector.ts";
import { bodyReader } from "../../protocols/http1/body.ts";
import { responseFraming } from "../../protocols/http1/framing.ts";
import type { Framing, ResponseHead } from "../../protocols/http/message.ts";
import type { Runtime } from "../../runtime/contract.ts";
import { type ChainConnection, type ChainOptions, dialChain } from "../../dialing/chain.ts";
import { type Chain, formatUpstream } from "../../dialing/upstream.ts";
import { isTarget, takesRequests } from "../../dialing/upstream_schemes.ts";
import { type ClientRequest, requestHead, requestTarget } from "./request.ts";
import { proxyFault, readBodyEvent, readFinalHead } from "./response.ts";
import { type Step, Timeline } from "./timeline.ts";

/** The request, and the chains to try. */
export interface ProbeRequest extends ClientRequest {
  /** The chains, in the order in which they are tried. If there are none, the probe connects directly. */
  readonly alternatives: readonly Chain[];
  /** The authorities that may sign the target's certificate, in PEM; undefined for the usual ones. */
  readonly ca?: string;
}

/** How the request is made. */
export interface ProbeOptions extends Pick<ChainOptions, "resolver" | "readFile" | "settings"> {
  readonly runtime: Pick<Runtime, "dial" | "connectTls">;
  readonly clock: Clock;
  /** Ends the probe at once. Abort it with a `Fault`. */
  readonly signal: AbortSignal;
  /** How long nothing may happen before the probe fails, in milliseconds. */
  readonly timeout: number;
  /** Called at the end of each step. */
  readonly onStep: (step: Step) => void;
  /**
   * Takes bytes of the body, which are valid until the promise settles. The next bytes wait for that. `total` is the
   * length of the body if it is known.
   */
  readonly onData?: (bytes: Uint8Array, total: number | undefined) => Promise<void> | undefined;
}

/** The outcome of a probe. */
export interface ProbeResult {
  /** The head of the response; undefined if none came. */
  readonly head?: ResponseHead;
  /** Bytes of the response's content. */
  readonly size: number;
  /** How long the whole probe took, in milliseconds. */
  readonly time: number;
  /** What went wrong. Undefined if the target itself sent a complete response, whatever its status. */
  readonly fault?: Fault;
  /** The names of the steps that were not reached. */
  readonly missed: readonly string[];
}

/** The fault if nothing happens in a step, by the step's name. */
const SILENCE: Readonly<Record<string, FaultCode>> = {
  resolve: "dns_timeout",
  request: "http_response_timeout",
  response: "http_response_timeout",
  body: "connection_read_timeout",
};

const DONE = new Fault("connection_terminated", "The response is complete");

/** Makes the request. Never rejects: the result has the `Fault`. */
export function probe(request: ProbeRequest, options: ProbeOptions): Promise<ProbeResult> {
  return new Probe(request, options).run();
}

class Probe implements Timed {
  readonly #request: ProbeRequest;
  readonly #options: ProbeOptions;
  readonly #timeline: Timeline;
  readonly #deadlines: Deadlines;
  readonly #started: number;
  /** Aborts the current attempt: dialing one of the alternatives, then the request on it. */
  #controller = new AbortController();
  #channel: Channel | undefined;
  #missed: string[] = [];
  #dialing: Chain | undefined;
  #head: ResponseHead | undefined;
  #size = 0;
  expiresAt = Infinity;

  constructor(request: ProbeRequest, options: ProbeOptions) {
    const { clock, onStep } = options;
    this.#request = request;
    this.#options = options;
    this.#deadlines = new Deadlines(clock);
    this.#started = clock.now();
    this.#timeline = new Timeline({
      clock,
      onBegin: (name) => {
        this.#moved();
        const index = this.#missed.indexOf(name);
        if (index >= 0) this.#missed.splice(index, 1);
      },
      onStep: (step) => {
        this.#moved();
        onStep(step);
      },
    });
  }

  async run(): Promise<ProbeResult> {
    const { signal, clock } = this.#options;
    const stop = () => this.#stop(toFault(signal.reason));
    signal.addEventListener("abort", stop);
    if (signal.aborted) stop();
    this.#moved();
    this.#deadlines.watch(this);
    let fault: Fault | undefined;
    try {
      const { channel, proxy, by } = await this.#reach();
      this.#channel = channel;
      if (this.#request.url.secure) await this.#secure(channel);
      fault = await this.#ask(proxy, by);
    } catch (error) {
      // An error of a cut connection does not say why it was cut; the signal's reason does. While dialing, the error
      // itself says why, and which upstream failed.
      const { aborted, reason } = this.#controller.signal;
      fault = toFault(aborted && !this.#dialing ? reason : error);
      this.#timeline.abandon(fault);
    } finally {
      signal.removeEventListener("abort", stop);
      this.#deadlines.forget(this);
      this.#channel?.drop(fault ?? DONE);
    }
    const time = clock.now() - this.#started;
    return { head: this.#head, size: this.#size, time, missed: this.#missed, ...fault && { fault } };
  }

  // --- time ---

  #moved(): void {
    this.expiresAt = this.#options.clock.now() + this.#options.timeout;
  }

  /** Called when nothing has happened for too long; see `Timed`. */
  expire(): void {
    const code = SILENCE[this.#timeline.current ?? ""] ?? "connection_timeout";
    const message = `Nothing happened for ${formatDuration(this.#options.timeout)}`;
    this.#stop(this.#dialing?.length ? new UpstreamFault(code, message) : new Fault(code, message));
  }

  /** Waits until `onData` has taken the bytes. This time does not count as silence of the target. */
  async #pause(taken: Promise<void>): Promise<void> {
    this.expiresAt = Infinity;
    await unlessAborted(taken, this.#controller.signal);
    this.#moved();
    this.#deadlines.watch(this);
  }

  #stop(fault: Fault): void {
    this.#timeline.abandon(fault);
    this.#controller.abort(fault);
    this.#channel?.cut(fault);
  }

  // --- the connection ---

  /** Connects by the first alternative whose upstreams do not fail. */
  async #reach(): Promise<ChainConnection & { readonly by?: string }> {
    const { alternatives } = this.#request;
    const chains = alternatives.length > 0 ? alternatives : [[]];
    for (const [i, chain] of chains.entries()) {
      try {
        this.#options.signal.throwIfAborted();
        if (i > 0) this.#controller = new AbortController();
        const routed = await this.#dial(chain);
        const last = chain.at(-1);
        return { ...routed, ...last && { by: formatUpstream(last) } };
      } catch (error) {
        const fault = toFault(error);
        this.#timeline.abandon(fault);
        const another = fault instanceof UpstreamFault && i < chains.length - 1;
        if (!another || this.#options.signal.aborted) throw fault;
      }
    }
    throw new TypeError("There is one chain at least");
  }

  async #dial(chain: Chain): Promise<ChainConnection> {
    const { url } = this.#request;
    this.#dialing = chain;
    this.#missed = stepsOf(chain, url.secure);
    const routed = await dialChain(chain, {
      kind: url.secure ? "tunnel" : "exchange",
      target: url.address,
      // A probe has no client: an upstream that takes the PROXY protocol gets a header without addresses.
      client: { local: { path: "" }, remote: { path: "" } },
    }, this.#chainOptions());
    this.#dialing = undefined;
    return routed;
  }

  #chainOptions(): ChainOptions {
    const { runtime, resolver, clock, readFile, settings } = this.#options;
    const timeline = this.#timeline;
    return {
      clock,
      readFile,
      settings,
      signal: this.#controller.signal,
      // The user chose the target, so nothing judges it.
      judge: () => {},
      judgeUpstream: () => {},
      resolver: {
        resolve: (host, signal) =>
          timeline.watch("resolve", host, {
            work: async () => await resolver.resolve(host, signal),
            outcome: (addresses) => addresses.join(", "),
          }),
      },
      runtime: {
        dial: async (to, options) => {
          const work = () => runtime.dial(to, options);
          const stream = await timeline.watch("connect", formatAddress(to), { work });
          // The name's other addresses lost the race: their attempts are not shown.
          timeline.forget("connect");
          return stream;
        },
        connectTls: (stream, options) => {
          const work = () => runtime.connectTls(stream, options);
          return timeline.watch("tls", options.serverName, { work });
        },
      },
      onAsk: (hop, address) => {
        const what = formatAuthority(address);
        const running = timeline.begin(hop.scheme, takesRequests(hop) ? `CONNECT ${what}` : what);
        return () => running.end(`by ${formatUpstream(hop)}`);
      },
    };
  }

  async #secure(channel: Channel): Promise<void> {
    const { url: { address }, ca } = this.#request;
    const { signal } = this.#controller;
    const options = { serverName: address.host, signal, ...ca !== undefined && { ca } };
    // For messages: through a tunnel the other end is the target, not the proxy.
    const carrier = { ...channelStream(channel), remote: address };
    const work = () => this.#options.runtime.connectTls(carrier, options);
    const stream = await this.#timeline.watch("tls", address.host, { work });
    this.#channel = new Channel(stream, "target");
    signal.throwIfAborted();
  }

  // --- the request ---

  async #ask(proxy: ChainConnection["proxy"], by: string | undefined): Promise<Fault | undefined> {
    const { method, url } = this.#request;
    const { reader, writer } = this.#channel!;
    const asking = this.#timeline.begin("request", `${method} ${requestTarget(url, proxy !== undefined)}`);
    // If the write fails, a response that has already come may say why. So only an abort is thrown.
    await writer.write(requestHead(this.#request, proxy)).catch((error) => {
      if (this.#controller.signal.aborted) throw error;
    });
    if (reader.buffer.length === 0 && !await reader.fill()) {
      throw new Fault("connection_terminated", "The connection was closed without a response");
    }
    asking.end();
    const answering = this.#timeline.begin("response", "");
    const head = this.#head = await readFinalHead(reader, {
      limit: this.#options.settings.limits.headerSize,
      onBytes: () => this.#moved(),
      onHead: ({ version, status, reason }) => {
        answering.what = `HTTP/${version} ${status} ${reason}`.trimEnd();
      },
    });
    const framing = responseFraming(head, method);
    answering.end();
    await this.#readBody(framing);
    return proxyFault(head, proxy && by);
  }

  async #readBody(framing: Framing): Promise<void> {
    const { onData, settings } = this.#options;
    const { reader } = this.#channel!;
    const total = framing.kind === "length" ? framing.length : framing.kind === "none" ? 0 : undefined;
    const running = this.#timeline.begin("body", formatSize(0, total));
    const body = bodyReader(framing, { maxTrailerSize: settings.limits.headerSize, mend: true });
    while (true) {
      const event = readBodyEvent(body, reader.buffer);
      if (event?.type === "end") break;
      if (event) {
        this.#size += event.bytes.length;
        running.what = formatSize(this.#size, total);
        this.#moved();
        const taken = onData?.(event.bytes, total);
        if (taken) await this.#pause(taken);
      } else if (!await reader.fill()) {
        if (body.endsAtClose) break;
        throw new Fault("http_response_incomplete", "The connection was closed before the body's end");
      }
    }
    running.end(FRAMINGS[framing.kind]);
  }
}

const FRAMINGS: Readonly<Record<Framing["kind"], string>> = {
  none: "",
  length: "Content-Length",
  chunked: "chunked",
  close: "until the close",
};

function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    signal.addEventListener("abort", abort);
    if (signal.aborted) abort();
    promise.then(resolve, reject).then(() => signal.removeEventListener("abort", abort));
  });
}

function formatSize(size: number, total: number | undefined): string {
  if (total === undefined || total === size) return `${size.toLocaleString("en")} bytes`;
  return `${size.toLocaleString("en")} of ${total.toLocaleString("en")} bytes`;
}

/** The names of the steps through a chain, in order. Steps that resolve a name are not among them. */
function stepsOf(chain: Chain, secure: boolean): string[] {
  const names = ["connect"];
  for (const [i, hop] of chain.entries()) {
    if (hop.tls) names.push("tls");
    const asked = !isTarget(hop) && (secure || i < chain.length - 1 || !takesRequests(hop));
    if (asked) names.push(hop.scheme);
  }
  return [...names, ...secure ? ["tls"] : [], "request", "response", "body"];
}
