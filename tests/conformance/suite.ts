/**
 * Black-box tests as functions of a row: each runs once on every runtime, as a step that bears the row's name.
 *
 * The rows of a test run side by side, each against a proxy of its own. A body never asks which row it is on; what
 * a row cannot do it lacks by name, and its step is skipped with the reason. `SLUICE_ROW="node 26"` leaves all other
 * rows out.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import process from "node:process";
import { isInstalled } from "./real_clients.ts";
import { ProxyProcess } from "../support/proxy.ts";
import { type Capability, type Row, rows } from "../support/toolchain.ts";

/** What a test asks for. */
export interface TestOptions {
  /** What a row must be able to do. */
  readonly needs?: Capability;
  /** What Deno is allowed beside `-N`. */
  readonly permissions?: readonly string[];
  /** Commands that it runs. CI has them installed; elsewhere the test is skipped where one is missing. */
  readonly programs?: readonly string[];
}

/** Why a row does not take part: what it lacks, or that somebody asks for another alone. */
function absence({ name, lacks }: Row, needs?: Capability): string | undefined {
  const only = process.env.SLUICE_ROW;
  if (only !== undefined && !`${name} `.startsWith(`${only} `)) return `SLUICE_ROW asks for "${only}"`;
  return needs && lacks[needs];
}

/** A test of the program: the body starts it as it likes. */
export function testRows(name: string, body: (row: Row) => Promise<void>, options: TestOptions = {}): void {
  const { needs, permissions = [], programs = [] } = options;
  const missing = process.env.CI ? undefined : programs.find((program) => !isInstalled(program));
  if (missing !== undefined) {
    return Deno.test({ name: `${name} (cannot: "${missing}" is not installed)`, ignore: true, fn() {} });
  }
  Deno.test(name, async (t) => {
    await Promise.all(
      rows(...permissions).map((row) => {
        const reason = absence(row, needs);
        return t.step({
          name: reason === undefined ? row.name : `${row.name} (cannot: ${reason})`,
          ignore: reason !== undefined,
          fn: () => body(row),
          // Steps that run side by side cannot be told apart by what is open.
          sanitizeOps: false,
          sanitizeResources: false,
          sanitizeExit: false,
        });
      }),
    );
  });
}

/** Tests that share one proxy per row. It is started by the first of them and stopped when the file is through. */
export class Suite {
  readonly #flags: readonly string[];
  readonly #permissions: readonly string[];
  readonly #proxies = new Map<string, Promise<ProxyProcess>>();

  /** `flags` go to every proxy. */
  constructor(
    { flags = [], permissions = [] }: { flags?: readonly string[]; permissions?: readonly string[] } = {},
  ) {
    this.#flags = flags;
    this.#permissions = permissions;
    Deno.test.afterAll(() => this.#stop());
  }

  /** A test of the shared proxies. Whatever it does, they must live on. */
  test(name: string, body: (proxy: ProxyProcess) => Promise<void>, options: TestOptions = {}): void {
    testRows(name, async (row) => {
      const proxy = await this.#start(row);
      await body(proxy);
      if (!proxy.alive) throw new Error(`The proxy has ended: ${proxy.diagnostics.all.join("\n")}`);
    }, { permissions: this.#permissions, ...options });
  }

  #start(row: Row): Promise<ProxyProcess> {
    let proxy = this.#proxies.get(row.name);
    if (!proxy) this.#proxies.set(row.name, proxy = ProxyProcess.start(row, this.#flags));
    return proxy;
  }

  async #stop(): Promise<void> {
    const ends = await Promise.all([...this.#proxies].map(async ([row, starting]) => {
      await using proxy = await starting;
      const exit = await proxy.stop();
      return { row, exit, errors: proxy.diagnostics.all.filter((line) => / (?:error|warn) /.test(line)) };
    }));
    assertEquals(ends, ends.map(({ row }) => ({ row, exit: 0, errors: [] })));
  }
}
