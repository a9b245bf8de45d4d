/**
 * The dashboard: the page for people.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { formatAddress } from "../addresses/host.ts";
import { metricsOf, type MetricUnit, type MetricValue } from "../observe/metric_table.ts";
import type { Page } from "../protocols/http/own_answer.ts";
import { escapeHtml } from "../text/html.ts";
import { dashboard } from "./dashboard_script.ts";
import { DASHBOARD_STYLE } from "./dashboard_style.ts";
import type { PageFacts } from "./facts.ts";

/** The script of the page, and how the policy of the page names it: by its digest (CSP level 3, section 2.3.1). */
interface Script {
  readonly text: string;
  readonly source: string;
}

let made: Script | undefined;

/** Makes the script for the first page, and not at the start of the program. */
function script(): Script {
  if (!made) {
    const text = `(${dashboard})(window);`;
    made = { text, source: `'sha256-${createHash("sha256").update(text).digest("base64")}'` };
  }
  return made;
}

/** The dashboard. A browser without scripts shows the numbers, and loads them again every five seconds. */
export function dashboardPage(facts: PageFacts): Page {
  return { status: 200, type: "text/html", body: html(facts), scriptSource: script().source };
}

function html(facts: PageFacts): string {
  const { name, draining } = facts;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<noscript><meta http-equiv="refresh" content="5"></noscript>
<title>sluice: ${escapeHtml(name)}</title>
<style>
${DASHBOARD_STYLE}</style>
</head>
<body>
<header>
<h1 id="title">${draining ? "sluice is shutting down" : "sluice is running"}</h1>
<p id="name"></p>
<p id="up"></p>
<div class="end"><button id="reload" hidden>Reload</button></div>
</header>
<noscript><main>
${numbers(facts)}
</main></noscript>
<main id="live" hidden>
<section class="tiles">
${tile("down", "To clients", "--down")}
${tile("up", "To targets", "--up")}
${tile("requests", "Requests", "--ink")}
${tile("connections", "Connections", "--ink")}
</section>
${CONNECTIONS}
<div class="panels">
<section class="card" id="most">
<div class="bar"><h2>Who uses most</h2><div class="tabs">
<button data-group="user" aria-pressed="false">Users</button>
<button data-group="client" aria-pressed="true">Addresses</button>
<button data-group="target" aria-pressed="false">Targets</button>
</div></div>
<table><tbody></tbody></table>
<p class="none" id="most-none">Nobody is here.</p>
</section>
${panel("slow", "Slowest targets, last ten minutes")}
${panel("upstreams", "Upstreams")}
${panel("limits", "Limits that were reached")}
${panel("faults", "Faults")}
${panel("listeners", "Listeners")}
</div>
${panel("refusals", "Last refusals", "refusals")}
</main>
${DIALOGS}
<footer>For programs: <a href="/metrics">/metrics</a> for Prometheus, <a href="/connections">/connections</a> in JSON,
<a href="/healthz">/healthz</a> and <a href="/readyz">/readyz</a> for balancers, <a href="/proxy.pac">/proxy.pac</a> for
browsers.</footer>
<script>${script().text}</script>
</body>
</html>
`;
}

/** A number with its graph. */
function tile(id: string, title: string, tone: string): string {
  return `<article class="card tile" style="--tone: var(${tone})">
<h2>${title}</h2>
<p class="big"><span id="${id}-now">0</span> <small id="${id}-unit"></small></p>
<p class="all" id="${id}-all">&nbsp;</p>
<svg viewBox="0 0 119 52" preserveAspectRatio="none" aria-hidden="true"><path class="area" id="${id}-area"/><path
id="${id}-line"/></svg>
</article>`;
}

function panel(id: string, title: string, name = ""): string {
  return `<section class="card ${name}" id="${id}" hidden>
<div class="bar"><h2>${title}</h2></div>
<table><tbody></tbody></table>
</section>`;
}

/** Key of the order, class of the column, heading. */
const COLUMNS = [
  ["target", "target", "Target"],
  ["via", "via", "Via"],
  ["user", "user", "User"],
  ["client", "client", "Client"],
  ["", "who", ""],
  ["down", "n", "To client"],
  ["up", "n", "To target"],
  ["received", "n sum", "Received"],
  ["sent", "n sum", "Sent"],
  ["age", "n", "Age"],
  ["", "act", ""],
] as const;

const HEADINGS = COLUMNS.map(([key, name, text]) =>
  key === ""
    ? `<th class="${name}"></th>`
    : `<th class="${name}" data-key="${key}" scope="col"><button>${text}</button></th>`
).join("\n");

const CONNECTIONS = `<section class="card" id="open">
<div class="bar"><h2>Connections<span id="count"></span></h2>
<select id="order" aria-label="Order">
<option value="speed">Fastest first</option>
<option value="received">Most received</option>
<option value="sent">Most sent</option>
<option value="age">Oldest first</option>
<option value="target">By target</option>
<option value="user">By user</option>
<option value="client">By client</option>
</select>
<input type="search" id="search" placeholder="Search: press /" aria-label="Search connections" autocomplete="off"
spellcheck="false">
</div>
<div id="scroll"><table id="rows"><thead><tr>
${HEADINGS}
</tr></thead><tbody id="body"></tbody></table></div>
<p class="none" id="none" hidden></p>
</section>`;

const DIALOGS =
  `<dialog id="details"><h2>Connection</h2><dl id="facts"></dl><div class="row" id="choices"></div></dialog>
<dialog id="confirm"><h2 id="question"></h2>
<label id="token-asked">The token of --admin-token
<input type="password" id="token" autocomplete="off"></label>
<p class="bad" id="wrong" role="alert"></p>
<div class="row"><button id="no">Cancel</button><button id="yes" class="danger">Yes</button></div>
</dialog>
<div id="said" role="status" hidden></div>`;

// --- without scripts ---

function numbers({ version, name, totals, listeners }: PageFacts): string {
  return `${
    table([
      ["Name", name],
      ["Version", version],
      ...metricsOf(totals).flatMap(({ metric: { title, unit }, value }) =>
        title === undefined ? [] : [[title, SHOWN[unit](sum(value))] as const]
      ),
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
${metricsOf(totals).flatMap(({ metric, value }) => section(metric.section, value)).join("\n")}`;
}

/** Unit → how people read it. */
const SHOWN: Readonly<Record<MetricUnit, (value: number) => string>> = {
  date: (value) => new Date(value).toISOString(),
  seconds: upTime,
  bytes,
  times: String,
};

function sum(value: MetricValue): number {
  return typeof value === "number"
    ? value
    : Object.values(value).reduce<number>((sum, n) => sum + (typeof n === "number" ? n : 0), 0);
}

/** A table of counts, the highest first. An empty line if there are no counts. */
function section(title: string | undefined, value: MetricValue): string[] {
  if (title === undefined || typeof value === "number") return [];
  const rows = Object.entries(value).sort(([, a], [, b]) => Number(b) - Number(a));
  return [rows.length === 0 ? "" : `<h2>${title}</h2>\n${table(rows.map(([key, n]) => [key, String(n)]))}`];
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
