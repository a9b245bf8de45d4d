/**
 * What the dashboard does in a browser.
 *
 * {@linkcode dashboard} is never called here: the page gets its text. So the compiler checks it like all else, and it may
 * use nothing from outside itself. Texts of strangers become text on the page, never HTML.
 *
 * @module
 */

import type { PageElement, PageWindow } from "./browser.ts";
import type { RecentView } from "../observe/recent.ts";
import type { Totals } from "../observe/metrics.ts";

/** A connection as the events tell it: see `liveJson`. */
interface Row {
  readonly id: string;
  readonly time: string;
  readonly client: string;
  readonly user?: string;
  readonly state: string;
  readonly protocol?: string;
  readonly method?: string;
  readonly target?: string;
  readonly route?: string;
  readonly dialed?: string;
  readonly bytes_sent: number;
  readonly bytes_received: number;
  readonly send_speed: number;
  readonly receive_speed: number;
  readonly duration_ms: number;
}

/** The event `state`. */
interface State extends RecentView {
  readonly version: string;
  readonly name: string;
  readonly draining: boolean;
  /** The paths of what may be done. */
  readonly actions: readonly string[];
  readonly listeners: readonly { readonly address: string; readonly scheme: string; readonly tls: boolean }[];
  readonly certificates: readonly {
    readonly address: string;
    readonly name: string;
    readonly expires: string;
  }[];
}

/** Runs in the page. */
export function dashboard(
  { document, sessionStorage, EventSource, matchMedia, addEventListener }: PageWindow,
): void {
  const SAMPLES = 120;
  const CLOSE = "/connections/close";
  const TOKEN = "sluice.token";

  const element = (id: string): PageElement => document.getElementById(id)!;
  const [search, order, scroll, body] = ["search", "order", "scroll", "body"].map(element);
  const narrow = matchMedia("(max-width: 40rem)");

  let rows: readonly Row[] = [];
  let shown: readonly Row[] = [];
  let totals: Totals | undefined;
  let state: State | undefined;
  let sort = { key: "speed", down: true };
  let group: "user" | "client" | "target" = "client";

  // --- words ---

  function put(node: PageElement, text: string): void {
    if (node.textContent !== text) node.textContent = text;
  }

  function scaled(count: number): [number: string, unit: string] {
    const units = ["B", "kB", "MB", "GB", "TB", "PB"];
    let unit = 0;
    for (; unit < units.length - 1 && count >= (unit === 0 ? 1_000 : 999.95); unit++) count /= 1_000;
    return [unit === 0 ? String(Math.round(count)) : count.toFixed(count < 99.95 ? 1 : 0), units[unit]];
  }

  function bytes(count: number): string {
    return scaled(count).join(" ");
  }

  function speed(count: number): string {
    return count > 0 ? `${bytes(count)}/s` : "–";
  }

  function count(n: number): string {
    return Math.round(n).toLocaleString("en");
  }

  function time(ms: number): string {
    const s = Math.floor(ms / 1_000);
    const [d, h, m] = [s / 86_400, s / 3_600 % 24, s / 60 % 60].map(Math.floor);
    if (d > 0) return `${d} d ${h} h`;
    if (h > 0) return `${h} h ${m} min`;
    return m > 0 ? `${m} min ${s % 60} s` : `${s} s`;
  }

  function took(ms: number): string {
    return ms < 1_000 ? `${Math.round(ms)} ms` : `${(ms / 1_000).toFixed(1)} s`;
  }

  function clock(iso: string): string {
    const date = new Date(iso);
    const today = date.toDateString() === new Date().toDateString();
    return today
      ? date.toLocaleTimeString([], { hour12: false })
      : date.toLocaleString([], { hour12: false });
  }

  function sum(counts: object): number {
    return Object.values(counts).reduce((sum: number, n: number) => sum + n, 0);
  }

  function hostOf(address: string): string {
    return address.replace(/:\d+$/, "");
  }

  /** The host and the port of a target that may be a URI. */
  function placeOf(target: string): string {
    return /^[a-z]+:\/\/([^/?#]*)/i.exec(target)?.[1] ?? target;
  }

  function whoOf({ user, client }: { readonly user?: string; readonly client: string }): string {
    return user === undefined ? hostOf(client) : `${user} · ${hostOf(client)}`;
  }

  function make(name: string, className?: string, text?: string): PageElement {
    const made = document.createElement(name);
    if (className) made.className = className;
    if (text !== undefined) made.textContent = text;
    return made;
  }

  // --- tiles ---

  const series: Record<string, number[]> = { down: [], up: [], requests: [], connections: [] };
  let last: { at: number; sent: number; received: number; requests: number } | undefined;

  function draw(name: string, value: number, text: readonly [string, string], all: string): void {
    const points = series[name];
    points.push(value);
    if (points.length > SAMPLES) points.shift();
    const most = Math.max(...points, 1);
    const line = points.map((value, i) =>
      `${(SAMPLES - points.length + i).toFixed(0)},${(50 - 46 * value / most).toFixed(1)}`
    ).join("L");
    element(`${name}-line`).setAttribute("d", `M${line}`);
    element(`${name}-area`).setAttribute("d", `M${SAMPLES - points.length},52L${line}L${SAMPLES - 1},52Z`);
    put(element(`${name}-now`), text[0]);
    put(element(`${name}-unit`), text[1]);
    put(element(`${name}-all`), all);
  }

  function showTotals(): void {
    if (!totals) return;
    const { sent, received, open, connections, uptime } = totals;
    const now = { at: performance.now(), sent, received, requests: sum(totals.requests) };
    put(element("up"), `up ${time(uptime * 1_000)}`);
    if (last) {
      const { at, sent, received, requests } = last;
      const rate = (now: number, before: number, ms: number) => Math.max(0, (now - before) * 1_000 / ms);
      const past = Math.max(now.at - at, 1);
      const [down, up] = [rate(now.received, received, past), rate(now.sent, sent, past)];
      const asked = rate(now.requests, requests, past);
      const perSecond = ([n, unit]: [string, string]): [string, string] => [n, `${unit}/s`];
      draw("down", down, perSecond(scaled(down)), `${bytes(now.received)} in all`);
      draw("up", up, perSecond(scaled(up)), `${bytes(now.sent)} in all`);
      const shown = asked < 9.95 ? asked.toFixed(1) : count(asked);
      draw("requests", asked, [shown, "/s"], `${count(now.requests)} ended`);
      draw("connections", open, [count(open), "open"], `${count(connections)} accepted`);
    }
    last = now;
  }

  // --- connections ---

  const values: Record<string, (row: Row) => string | number> = {
    target: (row) => row.target ?? "",
    via: (row) => row.route ?? "",
    user: (row) => row.user ?? "",
    client: (row) => row.client,
    speed: (row) => row.receive_speed + row.send_speed,
    down: (row) => row.receive_speed,
    up: (row) => row.send_speed,
    received: (row) => row.bytes_received,
    sent: (row) => row.bytes_sent,
    age: (row) => row.duration_ms,
  };

  /** Searches and sorts. `still`: rows stay in their places, and new ones come behind them. */
  function select(still = false): void {
    const words = search.value.toLowerCase().split(/\s+/).filter((word) => word !== "");
    const fits = ({ target, user, client, route, method, protocol, state, id }: Row): boolean => {
      const text = [target, user, client, route, method, protocol, state, id].join(" ").toLowerCase();
      return words.every((word) => text.includes(word));
    };
    const value = values[sort.key];
    const sign = sort.down ? -1 : 1;
    const places = new Map(still ? shown.map(({ id }, place) => [id, place]) : []);
    shown = (words.length > 0 ? rows.filter(fits) : [...rows]).sort((one, other) => {
      const [here, there] = [places.get(one.id) ?? Infinity, places.get(other.id) ?? Infinity];
      if (here !== there) return here - there;
      const [a, b] = [value(one), value(other)];
      if (a !== b) return a < b ? -sign : sign;
      if (one.bytes_received !== other.bytes_received) return other.bytes_received - one.bytes_received;
      return one.id < other.id ? -1 : 1;
    });
    put(
      element("count"),
      words.length > 0 ? `${count(shown.length)} of ${count(rows.length)}` : count(rows.length),
    );
    const none = element("none");
    none.hidden = shown.length > 0;
    put(none, rows.length === 0 ? "Nothing is under way." : "Nothing fits the search.");
    renderRows();
  }

  /** The rows that are on the page: those that can be seen, and a few around them. */
  const rendered = new Map<string, PageElement>();
  const pads = [0, 1].map(() => {
    const pad = make("tr", "pad");
    pad.ariaHidden = "true";
    pad.append(make("td"));
    return pad;
  });

  const CELLS = [
    "target",
    "via",
    "user",
    "client",
    "who",
    "n down",
    "n up",
    "n sum",
    "n sum",
    "n age",
    "act",
  ];

  function makeRow(row: Row): PageElement {
    const tr = make("tr");
    tr.tabIndex = 0;
    tr.dataset.id = row.id;
    for (const name of CELLS) tr.append(make("td", name));
    const close = make("button", "x", "×");
    close.tabIndex = -1;
    close.title = "Close this connection";
    close.ariaLabel = close.title;
    tr.lastElementChild!.append(close);
    return tr;
  }

  function fill(tr: PageElement, row: Row): void {
    const { target, route, user, client, receive_speed, send_speed, bytes_received, bytes_sent } = row;
    const texts = [
      target ?? (row.state === "idle" ? "idle" : "…"),
      route === undefined || route === "direct" ? "" : route,
      user ?? "",
      client,
      `${whoOf(row)} · ${time(row.duration_ms)}`,
      speed(receive_speed),
      speed(send_speed),
      bytes(bytes_received),
      bytes(bytes_sent),
      time(row.duration_ms),
    ];
    const cells = tr.cells;
    texts.forEach((text, i) => put(cells[i], text));
    cells[0].title = target ?? "";
    cells[0].classList.toggle("dim", target === undefined);
    cells[1].title = texts[1];
    cells[5].classList.toggle("still", receive_speed === 0);
    cells[6].classList.toggle("still", send_speed === 0);
    cells[10].firstElementChild!.hidden = !may(CLOSE);
  }

  function rowHeight(): number {
    return narrow.matches ? 60 : 36;
  }

  function renderRows(): void {
    const height = rowHeight();
    const first = Math.max(0, Math.floor(scroll.scrollTop / height) - 6);
    const end = Math.min(shown.length, Math.ceil((scroll.scrollTop + scroll.clientHeight) / height) + 6);
    const slice = shown.slice(first, Math.max(end, first));
    const focused = document.activeElement?.dataset?.id;
    const wanted = new Set(slice.map(({ id }) => id));
    for (const [id, tr] of rendered) {
      if (wanted.has(id)) continue;
      tr.remove();
      rendered.delete(id);
    }
    pads[0].firstElementChild!.style.height = `${first * height}px`;
    pads[1].firstElementChild!.style.height = `${(shown.length - first - slice.length) * height}px`;
    if (!pads[0].isConnected) body.append(...pads);
    let before = pads[0];
    for (const row of slice) {
      let tr = rendered.get(row.id);
      if (!tr) rendered.set(row.id, tr = makeRow(row));
      fill(tr, row);
      if (before.nextElementSibling !== tr) before.after(tr);
      before = tr;
    }
    if (focused !== undefined && document.activeElement === document.body) {
      rendered.get(focused)?.focus({ preventScroll: true });
    }
  }

  function rowAt(node: PageElement): Row | undefined {
    const id = node.closest("tr[data-id]")?.dataset.id;
    return id === undefined ? undefined : shown.find((row) => row.id === id);
  }

  function focusRow(index: number): void {
    const row = shown[Math.max(0, Math.min(index, shown.length - 1))];
    if (!row) return;
    const [height, at] = [rowHeight(), shown.indexOf(row) * rowHeight()];
    const head = narrow.matches ? 0 : height;
    if (at < scroll.scrollTop) scroll.scrollTop = at;
    else if (at + height > scroll.scrollTop + scroll.clientHeight - head) {
      scroll.scrollTop = at + height + head - scroll.clientHeight;
    }
    renderRows();
    rendered.get(row.id)?.focus({ preventScroll: true });
  }

  function sortBy(
    key: string,
    down = key === sort.key ? !sort.down : typeof values[key](EMPTY) === "number",
  ): void {
    sort = { key, down };
    order.value = key;
    for (const th of document.querySelectorAll("#rows th")) {
      const { key: name } = th.dataset;
      if (name === key) th.setAttribute("aria-sort", down ? "descending" : "ascending");
      else th.removeAttribute("aria-sort");
    }
    select();
  }

  const EMPTY: Row = {
    id: "",
    time: "",
    client: "",
    state: "",
    bytes_sent: 0,
    bytes_received: 0,
    send_speed: 0,
    receive_speed: 0,
    duration_ms: 0,
  };

  // --- panels ---

  /** Replaces the rows of a panel. A panel without rows is hidden. */
  function panel(
    id: string,
    lines: readonly (readonly (string | PageElement)[])[],
    classes: readonly string[],
  ): void {
    element(id).hidden = lines.length === 0;
    const table = document.querySelector(`#${id} tbody`)!;
    table.replaceChildren(...lines.map((line) => {
      const tr = make("tr");
      line.forEach((cell, i) => {
        const td = make("td", classes[i]);
        td.append(cell);
        if (typeof cell === "string") td.title = cell;
        tr.append(td);
      });
      return tr;
    }));
  }

  interface Use {
    count: number;
    speed: number;
    bytes: number;
  }

  function showUsers(): void {
    const uses = new Map<string, Use>();
    for (const row of rows) {
      const { user, client, target } = row;
      const name = group === "user" ? user : group === "client" ? hostOf(client) : target && placeOf(target);
      if (name === undefined) continue;
      const use = uses.get(name) ?? { count: 0, speed: 0, bytes: 0 };
      use.count++;
      use.speed += row.receive_speed + row.send_speed;
      use.bytes += row.bytes_received + row.bytes_sent;
      uses.set(name, use);
    }
    if (group === "user" && totals) {
      const { userSent, userReceived } = totals;
      for (const name of Object.keys(userReceived)) {
        const use = uses.get(name) ?? { count: 0, speed: 0, bytes: 0 };
        uses.set(name, { ...use, bytes: (userSent[name] ?? 0) + userReceived[name] });
      }
    }
    const most = [...uses].sort(([, a], [, b]) => b.speed - a.speed || b.bytes - a.bytes).slice(0, 8);
    const all = Math.max(...most.map(([, { bytes }]) => bytes), 1);
    const lines = most.map(([name, use]) => {
      const close = make("button", "x", "×");
      close.hidden = !may(CLOSE) || use.count === 0;
      close.title = `Close all of ${name}`;
      close.ariaLabel = close.title;
      close.addEventListener("click", () => closeAll({ [group]: name }, `all connections of ${name}`));
      return [name, `${count(use.count)} open`, speed(use.speed), bytes(use.bytes), close];
    });
    const listed = lines.length > 0 || rows.length > 0 ? lines : [];
    panel("most", listed, ["share wide", "n dim", "n", "n", "n act"]);
    element("most").hidden = false;
    element("most-none").hidden = lines.length > 0;
    const cells = [...document.querySelectorAll("#most tbody td:first-child")];
    most.forEach(([, { bytes }], i) => cells[i]?.style.setProperty("--part", `${100 * bytes / all}%`));
  }

  function showState(): void {
    if (!state) return;
    const { name, version, draining, refusals, slow, upstreams, listeners, certificates } = state;
    put(element("title"), draining ? "sluice is shutting down" : "sluice is running");
    document.documentElement.style.setProperty("--state", draining ? "var(--warn)" : "var(--good)");
    put(element("name"), `${name} · ${version}`);
    document.title = `sluice: ${name}`;
    element("reload").hidden = !may("/reload");
    panel(
      "refusals",
      refusals.slice(0, 12).map(({ time, client, user, target, reason }) => [
        clock(time),
        whoOf({ user, client }),
        target ?? "",
        reason,
      ]),
      ["dim stamp", "who", "target", "wrap dim"],
    );
    panel(
      "slow",
      slow.slice(0, 8).map(({ target, took: ms, what, time }) => [target, what, took(ms), clock(time)]),
      ["wide", "dim", "n", "n dim"],
    );
    panel(
      "listeners",
      [
        ...listeners.map(({ address, scheme, tls }) => [address, tls ? `${scheme}, TLS` : scheme, ""]),
        ...certificates.map((
          { address, name, expires },
        ) => [`${name} (${address})`, "certificate", left(expires)]),
      ],
      ["wide", "dim", "n"],
    );
    showUpstreams(upstreams);
    renderRows();
  }

  function left(expires: string): PageElement {
    const days = Math.floor((Date.parse(expires) - Date.now()) / 86_400_000);
    const text = days < 0 ? "expired" : days === 1 ? "1 day left" : `${count(days)} days left`;
    const shown = make("span", days < 7 ? "bad" : days < 30 ? "warn" : "", text);
    shown.title = expires;
    return shown;
  }

  function showUpstreams(upstreams: State["upstreams"]): void {
    const { routeRequests = {}, routeFailures = {} } = totals ?? {};
    const known = new Map(upstreams.map((one) => [one.route, one]));
    const routes = [...new Set([...Object.keys(routeRequests), ...known.keys()])];
    if (routes.every((route) => route === "direct")) return panel("upstreams", [], []);
    panel(
      "upstreams",
      routes.map((route) => {
        const { failing = false, dialTime } = known.get(route) ?? {};
        const name = make("span");
        const mark = make("span", failing ? "mark bad" : "mark");
        mark.title = failing ? "It has failed, and is tried now and then" : "It works";
        name.append(mark, route);
        const failures = routeFailures[route] ?? 0;
        return [
          name,
          dialTime === undefined ? "" : took(dialTime),
          count(routeRequests[route] ?? 0),
          make(
            "span",
            failing || failures > 0 ? "bad" : "dim",
            failing ? "failing" : `${count(failures)} failed`,
          ),
        ];
      }),
      ["wide", "n dim", "n", "n"],
    );
  }

  function showCounts(): void {
    if (!totals) return;
    const highest = (counts: object) =>
      (Object.entries(counts) as [string, number][]).sort((a, b) => b[1] - a[1]);
    const lines = ([name, n]: [string, number]) => [name.replaceAll("_", " "), count(n)];
    panel("faults", highest(totals.faults).slice(0, 10).map(lines), ["wide", "n"]);
    panel("limits", highest(totals.limits).slice(0, 10).map(([text, n]) => [text, `${count(n)} times`]), [
      "wide",
      "n",
    ]);
    if (state) showUpstreams(state.upstreams);
  }

  // --- actions ---

  function may(path: string): boolean {
    return state?.actions.includes(path) ?? false;
  }

  let saying: ReturnType<typeof setTimeout> | undefined;
  function say(text: string): void {
    const said = element("said");
    put(said, text);
    said.hidden = false;
    clearTimeout(saying);
    saying = setTimeout(() => said.hidden = true, 5_000);
  }

  const confirming = element("confirm");
  const token = element("token");
  const yes = element("yes");
  let agreed: (() => Promise<void>) | undefined;

  /** Asks first, for the token too if it is not known; then asks the proxy. */
  function act(path: string, verb: string, what: string, done: (answer: string) => string): void {
    put(element("question"), `${verb} ${what}?`);
    put(yes, verb);
    put(element("wrong"), "");
    token.value = "";
    element("token-asked").hidden = sessionStorage.getItem(TOKEN) !== null;
    agreed = async () => {
      const given = token.value.trim() || (sessionStorage.getItem(TOKEN) ?? "");
      yes.disabled = true;
      try {
        const answer = await fetch(path, { method: "POST", headers: { Authorization: `Bearer ${given}` } });
        const text = await answer.text();
        if (answer.status === 401) {
          sessionStorage.removeItem(TOKEN);
          element("token-asked").hidden = false;
          put(element("wrong"), "That is not the token.");
          token.select();
          return;
        }
        if (answer.ok) sessionStorage.setItem(TOKEN, given);
        confirming.close();
        say(answer.ok ? done(text) : text.trim());
      } catch {
        put(element("wrong"), "The proxy did not answer.");
      } finally {
        yes.disabled = false;
      }
    };
    confirming.showModal();
    (element("token-asked").hidden ? yes : token).focus();
  }

  function closeAll(selection: Record<string, string>, what: string): void {
    if (!may(CLOSE)) return;
    act(`${CLOSE}?${new URLSearchParams(selection)}`, "Close", what, (text) => {
      const { closed } = JSON.parse(text);
      return closed === 1 ? "Closed 1 connection." : `Closed ${count(closed)} connections.`;
    });
  }

  function closeOne({ id, target, client }: Row): void {
    closeAll({ id }, `the connection of ${client}${target === undefined ? "" : ` to ${target}`}`);
  }

  const details = element("details");

  function showDetails(row: Row): void {
    const { user, client, target } = row;
    const facts: [string, string | undefined][] = [
      ["Target", target],
      ["User", user],
      ["Client", client],
      ["Asked by", [row.protocol, row.method].filter((word) => word !== undefined).join(" ")],
      ["Route", row.route],
      ["Dialed", row.dialed],
      ["State", row.state],
      ["Since", `${clock(row.time)}, ${time(row.duration_ms)}`],
      ["To the client", `${bytes(row.bytes_received)}, ${speed(row.receive_speed)}`],
      ["To the target", `${bytes(row.bytes_sent)}, ${speed(row.send_speed)}`],
      ["Id", row.id],
    ];
    element("facts").replaceChildren(
      ...facts.filter(([, text]) => text).flatMap((
        [name, text],
      ) => [make("dt", "", name), make("dd", "", text)]),
    );
    const choices = element("choices");
    choices.replaceChildren();
    const choice = (text: string, act: () => void) => {
      const button = make("button", "danger", text);
      button.addEventListener("click", () => {
        details.close();
        act();
      });
      choices.append(button);
    };
    const all = (selection: Record<string, string>, name: string) =>
      choice(`Close all of ${name}`, () => closeAll(selection, `all connections of ${name}`));
    if (may(CLOSE)) {
      if (user !== undefined) all({ user }, user);
      all({ client: hostOf(client) }, hostOf(client));
      if (target !== undefined) all({ target: placeOf(target) }, placeOf(target));
      choice("Close this one", () => closeOne(row));
    }
    const cancel = make("button", "", "Back");
    cancel.addEventListener("click", () => details.close());
    choices.append(cancel);
    details.showModal();
    cancel.focus();
  }

  // --- events of the page ---

  if (narrow.matches) search.placeholder = "Search";
  yes.addEventListener("click", () => agreed?.());
  element("no").addEventListener("click", () => confirming.close());
  token.addEventListener("keydown", ({ key }) => key === "Enter" && agreed?.());
  element("reload").addEventListener(
    "click",
    () => act("/reload", "Reload", "the configuration", () => "Reloaded."),
  );
  search.addEventListener("input", () => {
    scroll.scrollTop = 0;
    select();
  });
  order.addEventListener("change", () => sortBy(order.value, typeof values[order.value](EMPTY) === "number"));
  scroll.addEventListener("scroll", renderRows, { passive: true });
  addEventListener("resize", renderRows);
  for (const button of document.querySelectorAll("#rows th button")) {
    button.addEventListener("click", () => sortBy(button.parentElement!.dataset.key!));
  }
  for (const button of document.querySelectorAll(".tabs button")) {
    button.addEventListener("click", () => {
      group = button.dataset.group as typeof group;
      for (const other of document.querySelectorAll(".tabs button")) {
        other.setAttribute("aria-pressed", String(other === button));
      }
      showUsers();
    });
  }
  body.addEventListener("click", ({ target }) => {
    const row = rowAt(target);
    if (!row) return;
    if (target.closest("button")) closeOne(row);
    else showDetails(row);
  });
  body.addEventListener("keydown", (event) => {
    const row = rowAt(event.target);
    if (!row) return;
    const index = shown.indexOf(row);
    const page = Math.max(1, Math.floor(scroll.clientHeight / rowHeight()) - 2);
    const moves: Record<string, number> = {
      ArrowDown: index + 1,
      ArrowUp: index - 1,
      PageDown: index + page,
      PageUp: index - page,
      Home: 0,
      End: shown.length - 1,
    };
    if (event.key in moves) focusRow(moves[event.key]);
    else if (event.key === "Enter") showDetails(row);
    else if (event.key === "Delete") closeOne(row);
    else return;
    event.preventDefault();
  });
  document.addEventListener("keydown", (event) => {
    const typing = event.target.matches("input, select");
    if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      search.focus();
      search.select();
    } else if (event.key === "Escape" && event.target === search) {
      if (search.value === "") search.blur();
      search.value = "";
      select();
    } else if (event.key === "ArrowDown" && event.target === search) {
      event.preventDefault();
      focusRow(0);
    }
  });

  // --- events of the proxy ---

  const events = new EventSource("/events");
  events.addEventListener("state", ({ data }) => {
    state = JSON.parse(data);
    showState();
  });
  events.addEventListener("totals", ({ data }) => {
    totals = JSON.parse(data);
    showTotals();
    showCounts();
  });
  events.addEventListener("connections", ({ data }) => {
    rows = JSON.parse(data).connections;
    if (group === "client" && !chosen && rows.some(({ user }) => user !== undefined)) chooseUsers();
    // Nothing moves away from under a pointer or a finger.
    select(body.matches(":hover, :focus-within"));
    showUsers();
  });
  events.addEventListener("error", () => {
    put(element("title"), "sluice does not answer");
    document.documentElement.style.setProperty("--state", "var(--bad)");
    last = undefined;
  });
  events.addEventListener("open", () => showState());

  let chosen = false;
  /** Where users log in, they are what is asked for first. */
  function chooseUsers(): void {
    chosen = true;
    document.querySelector("[data-group=user]")!.click();
  }

  sortBy("speed", true);
  element("live").hidden = false;
}
