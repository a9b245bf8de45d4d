/**
 * `sluice top`: what is under way at a running proxy, in a terminal.
 *
 * @module
 */

import { writeSync } from "node:fs";
import process from "node:process";
import { DEFAULT_ENDPOINT } from "../../listeners/endpoint.ts";
import type { Totals } from "../../observe/metrics.ts";
import type { Runtime } from "../../runtime/contract.ts";
import type { CommandLine } from "../flags/options.ts";
import { EXIT_CODES, FailedError, type Shell } from "../program/shell.ts";
import { STOP_SIGNALS, watchSignals } from "../program/signals.ts";
import { Admin, eventsIn } from "./admin.ts";
import { arrange, type Order, ORDERS, render, type Row, type Summary } from "./screen.ts";

const STDOUT = 1;

/** Another screen, without cursor and wrapped lines; and back (xterm's control sequences). */
const ENTER = "\x1b[?1049h\x1b[?25l\x1b[?7l";
const LEAVE = "\x1b[?7h\x1b[?25h\x1b[?1049l";

/** A key: an arrow, as terminals send it, or a character. */
const KEY = new RegExp("\x1b\\[[A-D]|[^]", "gu");

/** The width of a snapshot, where there is no terminal. */
const SNAPSHOT_COLUMNS = 132;

/** Runs the command until a key, a signal or the end of the proxy. */
export async function top(
  { words: [place = DEFAULT_ENDPOINT], options }: CommandLine,
  shell: Shell,
  runtime: Runtime,
): Promise<number> {
  const admin = new Admin(place, runtime);
  const events = await follow(admin);
  const terminal = shell.terminal(runtime);
  if (!terminal || process.stdin.isTTY !== true) {
    const live = new Live(admin.name);
    for await (const event of events) if (live.take(event) && live.summary.speeds) break;
    const view = { ...live.view({ order: "speed", filter: "" }), selected: undefined, said: undefined };
    for (const line of render(view, { columns: SNAPSHOT_COLUMNS, lines: Infinity, style: false })) {
      shell.print(line.trimEnd());
    }
    return EXIT_CODES.done;
  }
  return await new Screen(admin, { style: terminal.color, token: options["admin-token"] }).run(events);
}

type Events = ReturnType<typeof eventsIn>;

async function follow(admin: Admin): Promise<Events> {
  let answer;
  try {
    answer = await admin.ask("GET", "/events");
  } catch (cause) {
    throw new FailedError(`Cannot ask the proxy at ${admin.name}: ${(cause as Error).message}`, { cause });
  }
  if (answer.status === 200 && answer.type.startsWith("text/event-stream")) return eventsIn(answer.text);
  throw new FailedError(
    `${admin.name} does not show what is under way (${answer.status}): give the address of --admin, or the proxy's own ` +
      "port on this machine",
  );
}

/** What the events have told so far. */
class Live {
  summary: Summary;
  rows: readonly Row[] = [];
  #last: { readonly at: number; readonly totals: Totals } | undefined;

  constructor(name: string) {
    this.summary = { name, uptime: 0, open: 0, speeds: undefined };
  }

  /** Takes an event. Returns whether all of this second have come. */
  take({ type, data }: { readonly type: string; readonly data: string }): boolean {
    if (type === "totals") this.#sum(JSON.parse(data));
    if (type === "state") this.summary = { ...this.summary, name: JSON.parse(data).name };
    if (type !== "connections") return false;
    this.rows = JSON.parse(data).connections;
    return true;
  }

  #sum(totals: Totals): void {
    const { uptime, open } = totals;
    const [now, last] = [performance.now(), this.#last];
    const rate = (count: (totals: Totals) => number): number =>
      Math.max(0, (count(totals) - count(last!.totals)) * 1_000 / Math.max(1, now - last!.at));
    const speeds = last && {
      received: rate(({ received }) => received),
      sent: rate(({ sent }) => sent),
      requests: rate(({ requests }) => Object.values(requests).reduce((sum, n) => sum + n, 0)),
    };
    this.#last = { at: now, totals };
    this.summary = { ...this.summary, uptime, open, speeds };
  }

  view({ order, filter }: { readonly order: Order; readonly filter: string }) {
    return {
      summary: this.summary,
      rows: arrange(this.rows, { order, filter }),
      all: this.rows.length,
      order,
      filter,
    };
  }
}

/** What the keys mean now. */
type Mode =
  | { readonly kind: "rows" }
  | { readonly kind: "filter" }
  | { readonly kind: "confirm"; readonly row: Row }
  | { readonly kind: "token"; readonly row: Row; readonly typed: string };

/** The screen, and the keys. */
class Screen {
  readonly #admin: Admin;
  readonly #style: boolean;
  readonly #live: Live;
  #token: string | undefined;
  #order: Order = "speed";
  #filter = "";
  #selected: string | undefined;
  #said: string | undefined;
  #mode: Mode = { kind: "rows" };
  #quit: (code: number) => void = () => {};

  constructor(
    admin: Admin,
    { style, token }: { readonly style: boolean; readonly token: string | undefined },
  ) {
    this.#admin = admin;
    this.#style = style;
    this.#token = token;
    this.#live = new Live(admin.name);
  }

  async run(events: Events): Promise<number> {
    const { stdin } = process;
    const restore = (): void => void writeSync(STDOUT, LEAVE);
    process.on("exit", restore);
    process.stdout.write(ENTER);
    stdin.setRawMode(true);
    stdin.setEncoding("utf8");
    // Several keys may come at once.
    stdin.on("data", (keys) => {
      for (const key of String(keys).match(KEY) ?? []) this.#press(key);
      this.#draw();
    });
    if (process.platform !== "win32") process.on("SIGWINCH", () => this.#draw());
    const quit = new Promise<number>((resolve) => this.#quit = resolve);
    watchSignals().stop.then((signal) => this.#quit(STOP_SIGNALS[signal]));
    try {
      return await Promise.race([quit, this.#watch(events)]);
    } finally {
      stdin.setRawMode(false);
      stdin.pause();
      process.off("exit", restore);
      restore();
    }
  }

  async #watch(events: Events): Promise<never> {
    try {
      for await (const event of events) if (this.#live.take(event)) this.#draw();
    } catch (cause) {
      throw new FailedError(`The proxy at ${this.#admin.name} has gone: ${(cause as Error).message}`, {
        cause,
      });
    }
    throw new FailedError(`The proxy at ${this.#admin.name} has stopped`);
  }

  #draw(): void {
    const { columns = 80, rows: lines = 24 } = process.stdout;
    const view = {
      ...this.#live.view({ order: this.#order, filter: this.#filter }),
      selected: this.#selected,
    };
    const screen = render({ ...view, said: this.#prompt() }, { columns, lines, style: this.#style });
    // Home; behind each line, erase its rest; at the end, all below (ECMA-48, CUP, EL, ED).
    process.stdout.write(`\x1b[H${screen.map((line) => `${line}\x1b[K`).join("\r\n")}\x1b[J`);
  }

  #prompt(): string | undefined {
    switch (this.#mode.kind) {
      case "filter":
        return `filter: ${this.#filter}_`;
      case "confirm":
        return `close the connection of ${this.#mode.row.client} to ${
          this.#mode.row.target ?? "nowhere"
        }? y/n`;
      case "token":
        return `the token of --admin-token: ${"*".repeat(this.#mode.typed.length)}_`;
      case "rows":
        return this.#said;
    }
  }

  #press(key: string): void {
    if (key === "\x03") return this.#quit(EXIT_CODES.done);
    this.#said = undefined;
    const mode = this.#mode;
    if (mode.kind === "filter") return this.#typeFilter(key);
    if (mode.kind === "token") return this.#typeToken(key, mode);
    if (mode.kind === "confirm") {
      this.#mode = { kind: "rows" };
      if (key === "y") this.#close(mode.row);
      return;
    }
    switch (key) {
      case "q":
        return this.#quit(EXIT_CODES.done);
      case "s":
        this.#order = ORDERS[(ORDERS.indexOf(this.#order) + 1) % ORDERS.length];
        return;
      case "/":
        this.#mode = { kind: "filter" };
        return;
      case "\x1b":
        this.#filter = "";
        this.#selected = undefined;
        return;
      case "\x1b[A":
        return this.#move(-1);
      case "\x1b[B":
        return this.#move(1);
      case "k": {
        const row = this.#live.rows.find(({ id }) => id === this.#selected);
        if (row) this.#mode = { kind: "confirm", row };
        else this.#said = "select a connection with the arrows first";
      }
    }
  }

  #typeFilter(key: string): void {
    if (key === "\r" || key === "\x1b") this.#mode = { kind: "rows" };
    if (key === "\x1b") this.#filter = "";
    this.#filter = typed(this.#filter, key);
  }

  #typeToken(key: string, { row, typed: before }: Mode & { kind: "token" }): void {
    if (key === "\r" || key === "\x1b") this.#mode = { kind: "rows" };
    else this.#mode = { kind: "token", row, typed: typed(before, key) };
    if (key !== "\r") return;
    this.#token = before;
    this.#close(row);
  }

  #move(by: number): void {
    const { rows } = this.#live.view({ order: this.#order, filter: this.#filter });
    const place = rows.findIndex(({ id }) => id === this.#selected);
    const next = place < 0 ? 0 : Math.max(0, Math.min(rows.length - 1, place + by));
    this.#selected = rows[next]?.id;
  }

  #close(row: Row): void {
    if (this.#token === undefined) {
      this.#mode = { kind: "token", row, typed: "" };
      return;
    }
    this.#said = "closing";
    this.#ask(row, this.#token).catch((error) => (error as Error).message).then((said) => {
      this.#said = said;
      this.#draw();
    });
  }

  async #ask({ id }: Row, token: string): Promise<string> {
    const { status, text } = await this.#admin.ask(
      "POST",
      `/connections/close?id=${encodeURIComponent(id)}`,
      token,
    );
    let answer = "";
    for await (const piece of text) answer += piece;
    if (status === 401) this.#token = undefined;
    if (status === 400) return "connections are closed over the admin listener alone (--admin)";
    return status === 200 ? `closed: ${JSON.parse(answer).closed}` : answer.trim();
  }
}

/** A text with one more key, or one less. */
function typed(text: string, key: string): string {
  if (key === "\x7f" || key === "\b") return text.slice(0, -1);
  return key >= " " && !key.startsWith("\x1b") ? text + key : text;
}
