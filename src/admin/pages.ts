/**
 * The proxy's own pages: what it answers to requests that name no other host.
 *
 * They are for the operator and for browsers of this machine: on the proxy's own port they are shown to clients on
 * loopback alone, and on an admin listener to whoever reaches it. Nobody gets to them through the proxy, since it
 * never dials its own listeners.
 *
 * @module
 */

import type { Channel } from "../streams/channel.ts";
import { formatAddress, formatAuthority, isLoopback, parseIp } from "../addresses/host.ts";
import type { ListenerScheme } from "../listeners/endpoint.ts";
import type { Role } from "../listeners/entrance.ts";
import type { Totals } from "../observe/metrics.ts";
import { PROTOCOLS } from "../protocols/client_protocols.ts";
import { escapeHtml, type Page } from "../protocols/http1/answer.ts";
import type { Address, TcpAddress } from "../runtime/contract.ts";

/** What the pages tell. */
export interface PageFacts {
  readonly version: string;
  /** The token that names this deployment. */
  readonly name: string;
  readonly totals: Totals;
  readonly draining: boolean;
  /** Where clients of the proxy connect. */
  readonly listeners: readonly Listening[];
}

/** A listener as the pages show it. */
export interface Listening {
  readonly address: Address;
  readonly tls: boolean;
  readonly scheme: ListenerScheme;
}

/** The page at a path. `host` is what the client called us, its Host field. */
export function pageAt(path: string, host: string, facts: PageFacts): Page {
  switch (path.split("?")[0]) {
    case "/":
      return { status: 200, type: "text/html", body: statusPage(facts) };
    case "/healthz":
      return facts.draining ? text(503, "draining\n") : text(200, "ok\n");
    case "/metrics":
      return text(200, metricsText(facts));
    case "/proxy.pac":
      return {
        status: 200,
        type: "application/x-ns-proxy-autoconfig",
        body: proxyAutoConfig(hostName(host) ?? "", facts),
      };
    default:
      return text(404, "There is no such page. See / for what there is.\n");
  }
}

/** The port of `http` where none is given (RFC 9110 section 4.2.1). */
const HTTP_PORT = 80;

function text(status: number, body: string): Page {
  return { status, type: "text/plain", body };
}

/** The host of a Host field, where it is one that cannot be made to lead elsewhere. */
function hostName(field: string): string | undefined {
  const host = /^(\[.*\]|[^:]*)(?::\d*)?$/.exec(field.toLowerCase())?.[1];
  const bare = host?.replace(/^\[(.*)\]$/, "$1");
  return bare === "" || bare === "localhost" || parseIp(bare ?? "") ? bare : undefined;
}

// --- proxy auto-configuration ---

/**
 * The de facto standard of Netscape 2.0: everything through the proxy, but this machine itself. There is no way around
 * it when it is down: a browser that then went directly would tell more than its user wants.
 */
function proxyAutoConfig(host: string, { listeners }: PageFacts): string {
  const roads = listeners.flatMap(({ address, tls, scheme }) => {
    if ("path" in address) return [];
    const to = formatAuthority(reachableBy(host, address));
    // A listener for all that can be told apart is an HTTP proxy to browsers.
    const words = PROTOCOLS[scheme === "auto" ? "http" : scheme].browserWords;
    return words ? [`${tls ? words.tls : words.plain} ${to}`] : [];
  });
  return `function FindProxyForURL(url, host) {
  if (/^(?:(?:.*\\.)?localhost|\\[?::1\\]?|127(?:\\.[0-9]{1,3}){3})\\.?$/i.test(host)) return "DIRECT";
  return ${JSON.stringify(roads.join("; ") || "DIRECT")};
}
`;
}

/** A wildcard is no address to go to: whoever got here by a name gets to the proxy by it, too. */
function reachableBy(host: string, { host: bound, port }: TcpAddress): TcpAddress {
  const wildcard = bound === "0.0.0.0" || bound === "::";
  return { host: wildcard ? host || "127.0.0.1" : bound, port };
}

// --- status ---

function statusPage({ version, name, totals, draining, listeners }: PageFacts): string {
  const requests = Object.values(totals.requests).reduce((sum, n) => sum + n, 0);
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta http-equiv="refresh" content="5">
<title>sluice: ${escapeHtml(name)}</title>
<style>
:root { color-scheme: light dark }
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 44rem; margin: 6vh auto; padding: 0 1rem }
table { border-collapse: collapse; margin: 0 0 1.5rem; width: 100% }
th, td { text-align: left; padding: .25rem .75rem .25rem 0; border-bottom: 1px solid #8884; font-weight: normal }
th { width: 16rem; opacity: .75 }
td { font-variant-numeric: tabular-nums }
h2 { font-size: 1.1rem }
</style>
</head>
<body>
<h1>${draining ? "sluice is shutting down" : "sluice is running"}</h1>
${
    table([
      ["Name", name],
      ["Version", version],
      ["Started", new Date(totals.started).toISOString()],
      ["Up", upTime(totals.uptime)],
      ["Connections open", String(totals.open)],
      ["Connections accepted", String(totals.connections)],
      ["Requests and tunnels ended", String(requests)],
      ["From clients to targets", bytes(totals.sent)],
      ["From targets to clients", bytes(totals.received)],
    ])
  }
<h2>Listeners</h2>
${
    table(
      listeners.map((
        { address, tls, scheme },
      ) => [scheme + (tls ? " over TLS" : ""), formatAddress(address)]),
    )
  }
${section("Protocols", totals.requests)}
${section("How they ended", totals.endings)}
${section("Faults", totals.faults)}
<p>Also here: <a href="/proxy.pac">/proxy.pac</a> for browsers, <a href="/healthz">/healthz</a> for balancers,
<a href="/metrics">/metrics</a> for Prometheus.</p>
</body>
</html>
`;
}

function section(title: string, counts: Readonly<Record<string, number>>): string {
  const rows = Object.entries(counts).sort(([, a], [, b]) => b - a);
  return rows.length === 0 ? "" : `<h2>${title}</h2>\n${table(rows.map(([key, n]) => [key, String(n)]))}`;
}

function table(rows: readonly (readonly [head: string, data: string])[]): string {
  const lines = rows.map(([head, data]) =>
    `<tr><th scope="row">${escapeHtml(head)}</th><td>${escapeHtml(data)}</td></tr>`
  );
  return `<table>\n${lines.join("\n")}\n</table>`;
}

function upTime(seconds: number): string {
  const [days, hours, minutes] = [seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60].map(Math.floor);
  return `${days} d ${hours} h ${minutes} min ${Math.floor(seconds % 60)} s`;
}

function bytes(count: number): string {
  const units = ["bytes", "KiB", "MiB", "GiB", "TiB"];
  const power = Math.min(Math.floor(Math.log2(Math.max(count, 1)) / 10), units.length - 1);
  return `${power === 0 ? count : (count / 1024 ** power).toFixed(1)} ${units[power]}`;
}

// --- metrics ---

/** The text format of Prometheus, version 0.0.4. */
function metricsText({ totals }: PageFacts): string {
  const families: [
    name: string,
    type: "counter" | "gauge",
    help: string,
    values: [labels: string, n: number][],
  ][] = [
    ["sluice_uptime_seconds", "gauge", "Time since the start.", [["", totals.uptime]]],
    ["sluice_connections_open", "gauge", "Client connections under way.", [["", totals.open]]],
    ["sluice_connections_total", "counter", "Client connections accepted.", [["", totals.connections]]],
    [
      "sluice_requests_total",
      "counter",
      "Requests and tunnels ended, by protocol.",
      labelled("protocol", totals.requests),
    ],
    [
      "sluice_endings_total",
      "counter",
      "Requests and tunnels ended, by how.",
      labelled("ending", totals.endings),
    ],
    [
      "sluice_faults_total",
      "counter",
      "Requests and tunnels that failed, by fault.",
      labelled("fault", totals.faults),
    ],
    ["sluice_sent_bytes_total", "counter", "Bytes from clients to targets.", [["", totals.sent]]],
    ["sluice_received_bytes_total", "counter", "Bytes from targets to clients.", [["", totals.received]]],
  ];
  return families.map(([name, type, help, values]) =>
    [
      `# HELP ${name} ${help}`,
      `# TYPE ${name} ${type}`,
      ...values.map(([labels, n]) => `${name}${labels} ${n}`),
      "",
    ]
      .join("\n")
  ).join("");
}

function labelled(label: string, counts: Readonly<Record<string, number>>): [labels: string, n: number][] {
  return Object.entries(counts).map(([value, n]) => [`{${label}="${value.replace(" ", "_")}"}`, n]);
}

/**
 * Whether a client may see the pages. On the proxy's own port: one of this machine, that calls us by an address or as
 * `localhost`, and by our own port. Any other name may be that of a foreign site, made to lead here (DNS rebinding); any
 * other port is that of a server for which somebody takes us. On an admin listener: whoever reaches it, but by no such
 * name where only browsers of this machine can reach it.
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
  return host === "" || Number(/:(\d+)$/.exec(host)?.[1] ?? HTTP_PORT) === local.port;
}
