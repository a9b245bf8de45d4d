/**
 * The proxy's own pages, which answer requests for the proxy itself.
 *
 * They are for the operator and for browsers of this machine. On the proxy's own port only clients on loopback see
 * them, and on an admin listener every client. No client reaches them through the proxy, because it never dials its own
 * listeners.
 *
 * @module
 */

import { isLoopback, parseIp } from "../addresses/host.ts";
import { splitHostPort } from "../addresses/host_port.ts";
import type { Role } from "../listeners/listener_settings.ts";
import type { Page } from "../protocols/http/own_answer.ts";
import type { Channel } from "../streams/channel.ts";
import { act, type ActionRequest, methodNotAllowed } from "./acting.ts";
import { dashboardPage } from "./dashboard.ts";
import type { PageFacts } from "./facts.ts";
import { connectionsPage, eventsPage } from "./live_pages.ts";
import { metricsPage } from "./metrics_page.ts";
import { proxyAutoConfig } from "./proxy_auto_config.ts";

/** A request for one of the pages. */
export interface PageRequest extends ActionRequest {
  /** The value of Host. Empty: the request has no such field. */
  readonly host: string;
  /** The media types that the client accepts, in lower case and with their parameters. */
  readonly accept: readonly string[];
  /** What the listener is for. */
  readonly role: Role;
}

/** The answer to a request for the proxy itself. On an admin listener, it may change something. */
export function answerOf(request: PageRequest, facts: PageFacts): Page | Promise<Page> {
  const acted = request.role === "admin" ? act(request, facts) : undefined;
  if (acted) return acted;
  const page = pageAt(request, facts);
  const reads = request.method === "GET" || request.method === "HEAD";
  return reads || page.status === 404 ? page : methodNotAllowed("GET, HEAD");
}

/** The page that answers a request. */
export function pageAt(request: PageRequest, facts: PageFacts): Page {
  const name = nameOfPage(request.path);
  return name in PAGES
    ? PAGES[name](facts, request)
    : text(404, "There is no such page. See / for what there is.\n");
}

/** The name under which the metrics count a page: its path. `other` stands for all paths without a page. */
export function nameOfPage(path: string): string {
  const [name] = path.split("?");
  return Object.hasOwn(PAGES, name) ? name : "other";
}

/** Path → page. */
const PAGES: Readonly<Record<string, (facts: PageFacts, request: PageRequest) => Page>> = {
  "/": dashboardPage,
  "/healthz": ({ draining }) => draining ? text(503, "draining\n") : text(200, "ok\n"),
  "/readyz": ({ draining, full }) =>
    draining ? text(503, "draining\n") : full ? text(503, "full\n") : text(200, "ready\n"),
  "/connections": connectionsPage,
  "/events": eventsPage,
  "/metrics": (facts, { accept }) => metricsPage(facts, accept),
  "/proxy.pac": (facts, { host }) => ({
    status: 200,
    type: "application/x-ns-proxy-autoconfig",
    body: proxyAutoConfig(hostName(host) ?? "", facts),
  }),
};

/** The default port of `http` (RFC 9110 section 4.2.1). */
const HTTP_PORT = 80;

function text(status: number, body: string): Page {
  return { status, type: "text/plain", body };
}

/** The host of a Host field if it is an IP address, `localhost` or empty: nobody can make these lead elsewhere. */
function hostName(field: string): string | undefined {
  const { host = "?", bracketed, port = "" } = splitHostPort(field.toLowerCase()) ?? {};
  if (!bracketed && host.includes(":") || !/^\d*$/.test(port)) return undefined;
  return host === "" || host === "localhost" || parseIp(host) ? host : undefined;
}

/**
 * Whether a client may see the pages.
 *
 * On the proxy's own port the client has to be on this machine, and its Host field has to be an IP address or
 * `localhost`, with our port. Any other name may be that of a foreign site that leads here (DNS rebinding). Any other
 * port means that somebody takes us for another server.
 *
 * On an admin listener every client may see them. If that listener is on loopback, other names are refused there, too.
 */
export function maySeePages(
  { local, remote }: Pick<Channel, "local" | "remote">,
  host: string,
  role: Role,
): boolean {
  const isNamed = hostName(host) === undefined;
  if (role === "admin") return !(isNamed && "host" in local && isLoopback(local.host));
  if ("path" in remote || "path" in local) return !isNamed;
  if (!isLoopback(remote.host) || isNamed) return false;
  return host === "" || Number(splitHostPort(host)?.port || HTTP_PORT) === local.port;
}
