/**
 * Keeps the counts of limits in Redis or Valkey, for several machines.
 *
 * While the store is gone, each machine goes on with its share: so much of each limit, and of what is left of each quota, as
 * falls to one of the machines that were there last. Back again, it tells what it has used of the quotas meanwhile.
 *
 * @module
 */

import type { Log } from "../observe/log.ts";
import type { Allowance } from "../policy/limit_amount.ts";
import type { Clock } from "../runtime/clock.ts";
import type { ReadText } from "../text/text_file.ts";
import { UsageError } from "../text/usage_error.ts";
import { windowEnd, windowStart } from "./calendar.ts";
import { catchUp, MemoryStore } from "./memory_store.ts";
import type { Client } from "./redis.d.ts";
import { ASKERS, MACHINES, PREFIX, SCRIPT } from "./redis_script.ts";
import type { Ask, Grant, LimitStore } from "./store.ts";

/** How long an answer may take, in milliseconds. A lost one costs a lease at most. */
const PATIENCE = 1_000;

/** How often a machine that asks nothing is heard of, in milliseconds. */
const HEARTBEAT = 2_000;

/** The longest pause between two attempts to connect, in milliseconds. */
const LONGEST_PAUSE = 1_000;

/** How many quotas and connections are remembered for the time when the store is gone. */
const MAX_REMEMBERED = 100_000;

/** What a store works with. */
export interface RedisStoreOptions {
  readonly clock: Clock;
  readonly log: Log;
}

/** What was last known of a quota: all that was used, in the window that began then. */
interface Seen {
  readonly ask: Ask;
  readonly start: number;
  readonly used: number;
}

/** Connections that an asker holds. */
interface Holds {
  readonly ask: Ask;
  readonly asker: string;
}

/** The store that takes over meanwhile. */
interface Meanwhile {
  readonly store: MemoryStore;
  /** How many machines share what there is. */
  readonly machines: number;
  /** Names what is told afterwards, so that it counts once. */
  readonly report: string;
}

/** See `LimitStore`. */
export class RedisStore implements LimitStore {
  readonly #options: RedisStoreOptions;
  readonly #client: Client;
  /** The address for the log, without a password. */
  readonly #name: string;
  readonly #machine = crypto.randomUUID();
  readonly #seen = new Map<string, Seen>();
  readonly #holds = new Map<string, Holds>();
  readonly #askers = new Set<string>();
  #sha = "";
  #machines = 1;
  /** Set while the store is gone. */
  #meanwhile: Meanwhile | undefined;
  #outages = 0;
  #returning: Promise<void> | undefined;
  /** Set while it is told what was used meanwhile. Nobody may use more until that is done. */
  #reporting: Promise<void> | undefined;
  #closed = false;
  #cancelBeat: () => void = () => {};

  private constructor(client: Client, name: string, options: RedisStoreOptions) {
    this.#client = client;
    this.#name = name;
    this.#options = options;
  }

  /**
   * Connects. A store that is not there yet is waited for while the limits are in force already. Rejects with a `UsageError`
   * if the client is not installed, or if a secret cannot be read.
   */
  static async open(
    url: string,
    { read, ...options }: RedisStoreOptions & { readonly read: ReadText },
  ): Promise<RedisStore> {
    const { createClient } = await loadClient();
    const { address, name } = await readAddress(url, read);
    const client = createClient({
      url: address,
      disableOfflineQueue: true,
      maintNotifications: "disabled",
      socket: {
        connectTimeout: PATIENCE,
        reconnectStrategy: (retries) => Math.min(50 * 2 ** retries, LONGEST_PAUSE),
      },
    });
    const store = new RedisStore(client, name, options);
    await store.#connect();
    return store;
  }

  async #connect(): Promise<void> {
    let first: (() => void) | undefined;
    const decided = new Promise<void>((resolve) => first = resolve);
    this.#client.on("ready", () => {
      this.#return().finally(first);
    });
    this.#client.on("error", (error) => {
      this.#lose(error);
      first?.();
    });
    this.#client.connect().catch((error) => this.#lose(error));
    await decided;
    this.#beat();
  }

  async ask(asks: readonly Ask[], asker: string): Promise<readonly Grant[]> {
    this.#askers.add(asker);
    await this.#reporting?.catch(() => {});
    if (!this.#meanwhile) {
      try {
        return await this.#run(asks, this.#named(asker));
      } catch (error) {
        this.#lose(error as Error);
      }
    }
    return this.#askMeanwhile(asks, asker);
  }

  forget(asker: string): void {
    this.#askers.delete(asker);
    this.#meanwhile?.store.forget(asker);
    for (const [id, holds] of this.#holds) {
      if (holds.asker !== asker) continue;
      this.#holds.delete(id);
      const none = { ...holds.ask, want: 0 };
      if (!this.#meanwhile) this.#run([none], this.#named(asker)).catch(() => {});
    }
  }

  /** The name of a process of this machine among those of all machines. */
  #named(asker: string): string {
    return `${this.#machine}/${asker}`;
  }

  /** Runs the script for some questions. */
  async #run(asks: readonly (Ask & Reported)[], asker: string): Promise<Grant[]> {
    const now = this.#options.clock.date().getTime();
    const questions = asks.map((ask) => ({
      ...ask.allowance,
      catchUp: catchUp(ask),
      want: ask.want,
      back: ask.back ?? 0,
      key: keyOf(ask, now),
      asker,
      life: lifeOf(ask.allowance, now),
      seen: this.#seenOf(ask, now),
      spent: ask.spent ?? 0,
      report: ask.report ?? "",
      force: ask.force ?? false,
    }));
    const answer = await this.#inTime(
      this.#client.evalSha(this.#sha, {
        keys: [MACHINES, ASKERS],
        arguments: [this.#machine, asker, JSON.stringify(questions)],
      }),
    ) as number[];
    this.#machines = Math.max(1, answer[0]);
    return asks.map((ask, i) => {
      const [granted, wait, used] = answer.slice(1 + 3 * i);
      this.#remember(ask, { granted, used, now, asker: asker.slice(this.#machine.length + 1) });
      const { allowance } = ask;
      return {
        granted,
        wait: allowance.kind === "quota" ? windowEnd(allowance.unit, now) - now : wait / 1_000,
      };
    });
  }

  #inTime<T>(answer: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const cancel = this.#options.clock.schedule(
        PATIENCE,
        () => reject(new Error(`No answer within ${PATIENCE} ms`)),
      );
      answer.then(resolve, reject).finally(cancel);
    });
  }

  /** What was last known of a quota in this window. */
  #seenOf({ limit, key, allowance }: Ask, now: number): number {
    if (allowance.kind !== "quota") return 0;
    const seen = this.#seen.get(idOf(limit, key));
    return seen?.start === windowStart(allowance.unit, now) ? seen.used : 0;
  }

  #remember(
    ask: Ask,
    { granted, used, now, asker }: { granted: number; used: number; now: number; asker: string },
  ): void {
    const { limit, key, allowance } = ask;
    if (allowance.kind === "quota") {
      put(this.#seen, idOf(limit, key), { ask, start: windowStart(allowance.unit, now), used });
    } else if (allowance.kind === "connections") {
      const id = `${asker} ${idOf(limit, key)}`;
      if (granted > 0) put(this.#holds, id, { ask: { ...ask, want: granted }, asker });
      else this.#holds.delete(id);
    }
  }

  /** The store is gone. */
  #lose(error: Error): void {
    if (this.#meanwhile || this.#closed) return;
    const { clock, log } = this.#options;
    const machines = this.#machines;
    const store = new MemoryStore(clock);
    this.#meanwhile = { store, machines, report: `:${this.#machine}:${++this.#outages}` };
    for (const { ask, asker } of this.#holds.values()) store.one(this.#share({ ...ask }), asker);
    const share = machines > 1 ? `its share of the limits, one of ${machines}` : "the limits by itself";
    this.#tryLater();
    log.warn(
      `The store ${this.#name} cannot be reached (${error.message}): this machine goes on with ${share}`,
    );
  }

  /** A store that was only slow keeps its connection, and no event tells that it answers again. */
  #tryLater(): void {
    this.#options.clock.schedule(LONGEST_PAUSE, () => {
      if (this.#meanwhile && !this.#closed) this.#return();
    });
  }

  #askMeanwhile(asks: readonly Ask[], asker: string): Grant[] {
    const { store } = this.#meanwhile!;
    const now = this.#options.clock.date().getTime();
    return asks.map((ask) => {
      // What is used of a quota that nobody has asked the store about will be told, too.
      if (ask.allowance.kind === "quota" && !this.#seen.has(idOf(ask.limit, ask.key))) {
        this.#remember(ask, { granted: 0, used: 0, now, asker });
      }
      const grant = store.one(this.#share(ask), asker);
      if (ask.allowance.kind === "connections") {
        this.#remember(ask, { granted: grant.granted, used: 0, now: 0, asker });
      }
      return grant;
    });
  }

  /** The question with the share that this machine has of the allowance. */
  #share(ask: Ask): Ask {
    const { machines } = this.#meanwhile!;
    const left = ask.allowance.most - this.#seenOf(ask, this.#options.clock.date().getTime());
    const most = Math.max(Math.floor(left / machines), ask.allowance.kind === "quota" ? 0 : 1);
    return { ...ask, allowance: { ...ask.allowance, most } };
  }

  /** The store is there, perhaps again. */
  #return(): Promise<void> {
    return this.#returning ??= this.#comeBack();
  }

  async #comeBack(): Promise<void> {
    const meanwhile = this.#meanwhile;
    try {
      this.#sha = await this.#inTime(this.#client.scriptLoad(SCRIPT));
      if (meanwhile) await (this.#reporting = this.#report(meanwhile));
      this.#meanwhile = undefined;
      if (meanwhile && this.#outages > 0) this.#options.log.warn(`The store ${this.#name} is back`);
    } catch (error) {
      if (meanwhile) this.#tryLater();
      else this.#lose(error as Error);
    } finally {
      this.#returning = this.#reporting = undefined;
    }
  }

  /** Tells the store what this machine holds and what it has used meanwhile. Told twice, it counts once. */
  async #report({ store, report }: Meanwhile): Promise<void> {
    const spent = [...store.quotas()].flatMap(({ limit, key, used }) => {
      const ask = this.#seen.get(idOf(limit, key))?.ask;
      return ask ? [{ ...ask, want: 0, back: 0, spent: used, report }] : [];
    });
    if (spent.length > 0) await this.#run(spent, this.#named(""));
    for (const asker of this.#askers) {
      const held = [...this.#holds.values()].filter((holds) => holds.asker === asker);
      await this.#run(held.map(({ ask }) => ({ ...ask, force: true })), this.#named(asker));
    }
  }

  /** Is heard of, so that its connections count, and so that others know how many machines there are. */
  #beat(): void {
    this.#cancelBeat = this.#options.clock.schedule(HEARTBEAT, () => {
      if (!this.#meanwhile) {
        for (const asker of ["", ...this.#askers]) {
          this.#run([], this.#named(asker)).catch((error) => this.#lose(error));
        }
      }
      this.#beat();
    });
  }

  /** Leaves. The connections of this machine count no more. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#cancelBeat();
    for (const asker of this.#askers) this.forget(asker);
    await this.#inTime(this.#client.close()).catch(() => this.#client.destroy());
  }
}

/** What a question may have when the store is back. */
interface Reported {
  readonly spent?: number;
  readonly report?: string;
  readonly force?: boolean;
}

/** A separator that no rule has. */
function idOf(limit: string, key: string): string {
  return `${limit}\n${key}`;
}

function keyOf({ limit, key, allowance }: Ask, now: number): string {
  const window = allowance.kind === "quota" ? `:${windowStart(allowance.unit, now)}` : "";
  return `${PREFIX}:${idOf(limit, key)}${window}`;
}

/** How long a quota is kept: a day longer than its window, since clocks differ. */
function lifeOf(allowance: Allowance, now: number): number {
  return allowance.kind === "quota" ? windowEnd(allowance.unit, now) - now + 86_400_000 : 0;
}

function put<T>(map: Map<string, T>, id: string, value: T): void {
  map.delete(id);
  map.set(id, value);
  if (map.size > MAX_REMEMBERED) map.delete(map.keys().next().value!);
}

/**
 * The client of the store. The version stands in the name because Bun installs what it names, without a lock file. It is no
 * literal in the import: Deno would fetch its 15 MB for everybody at the first start. For the npm package it is an optional peer.
 */
const CLIENT = "redis@6.3.1";

/** Loads the client, only if somebody asks for a shared store. */
async function loadClient(): Promise<typeof import("./redis.d.ts")> {
  try {
    return await import(CLIENT) as typeof import("./redis.d.ts");
  } catch (cause) {
    throw new UsageError(
      `Cannot load the client of the store: install it with "npm install redis@6.3.1" (${
        (cause as Error).message
      })`,
      { cause },
    );
  }
}

/** Splits a `?password=FILE` off. Messages name the store without user and password. */
async function readAddress(text: string, read: ReadText): Promise<{ address: string; name: string }> {
  const url = new URL(text);
  const file = url.searchParams.get("password");
  url.search = "";
  const name = `${url.protocol}//${url.host}${url.pathname}`;
  if (file !== null) url.password = (await read(file, "the store's password")).trim();
  return { address: url.href, name };
}
