/**
 * Debian's Chromium without a window, driven by its own protocol (Chrome DevTools Protocol).
 *
 * @module
 */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inheritedEnvironment } from "./proxy.ts";

interface Answer {
  readonly result?: { readonly result?: { readonly value?: unknown }; readonly exceptionDetails?: unknown };
  readonly error?: unknown;
}

/** A browser with one page. */
export class Chromium implements AsyncDisposable {
  /** What the page has complained of: violations of its policy, errors of its script. */
  readonly complaints: string[] = [];
  readonly #child: ChildProcess;
  readonly #folder: string;
  readonly #socket: WebSocket;
  readonly #waiting = new Map<number, (answer: Answer) => void>();
  #asked = 0;

  private constructor(child: ChildProcess, folder: string, socket: WebSocket) {
    this.#child = child;
    this.#folder = folder;
    this.#socket = socket;
    socket.onmessage = ({ data }) => {
      const { id, method, params, ...answer } = JSON.parse(data);
      if (id !== undefined) this.#waiting.get(id)?.(answer);
      else if (method === "Runtime.exceptionThrown") this.complaints.push(JSON.stringify(params));
      else if (method === "Log.entryAdded" && params.entry.level === "error") {
        this.complaints.push(params.entry.text);
      }
    };
  }

  /** Starts one that shows a page. */
  static async open(url: string): Promise<Chromium> {
    const folder = await mkdtemp(join(tmpdir(), "sluice-"));
    const child = spawn("chromium", [
      ...["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync"],
      ...["--disable-background-networking", "--disable-component-update", "--no-proxy-server"],
      ...["--remote-debugging-port=0", `--user-data-dir=${folder}`, "about:blank"],
    ], { env: inheritedEnvironment(), stdio: ["ignore", "ignore", "pipe"] });
    let said = "";
    let port: string | undefined;
    for await (const chunk of child.stderr!) {
      said += chunk;
      port = /^DevTools listening on ws:\/\/127\.0\.0\.1:(\d+)\//m.exec(said)?.[1];
      if (port !== undefined) break;
    }
    const pages = await (await fetch(`http://127.0.0.1:${port}/json`)).json();
    const { webSocketDebuggerUrl } = pages.find(({ type }: { type: string }) => type === "page");
    const socket = new WebSocket(webSocketDebuggerUrl);
    await once(socket, "open");
    const browser = new Chromium(child, folder, socket);
    for (const domain of ["Page", "Runtime", "Log"]) await browser.#send(`${domain}.enable`);
    await browser.#send("Page.navigate", { url });
    return browser;
  }

  #send(method: string, params: object = {}): Promise<Answer> {
    const id = ++this.#asked;
    return new Promise((resolve) => {
      this.#waiting.set(id, resolve);
      this.#socket.send(JSON.stringify({ id, method, params }));
    });
  }

  /** The value of an expression in the page. */
  async evaluate(expression: string): Promise<unknown> {
    const { result } = await this.#send("Runtime.evaluate", { expression, returnByValue: true });
    if (!result || result.exceptionDetails) throw new Error(`${expression}: ${JSON.stringify(result)}`);
    return result.result?.value;
  }

  /** Waits until an expression in the page is true. */
  async until(expression: string): Promise<void> {
    const end = Date.now() + 30_000;
    while (!await this.evaluate(expression).catch(() => false)) {
      if (Date.now() > end) throw new Error(`The page never came to ${expression}: ${this.complaints}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  /** Presses a key. */
  async press(key: string): Promise<void> {
    const text = key.length === 1 ? key : undefined;
    await this.#send("Input.dispatchKeyEvent", { type: "keyDown", key, text });
    await this.#send("Input.dispatchKeyEvent", { type: "keyUp", key });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { exitCode, signalCode } = this.#child;
    const ended = exitCode ?? signalCode ?? once(this.#child, "exit");
    // Killed, it would leave children that still write to its folder.
    this.#socket.send(JSON.stringify({ id: 0, method: "Browser.close" }));
    await ended;
    this.#socket.close();
    await rm(this.#folder, { recursive: true });
  }
}
