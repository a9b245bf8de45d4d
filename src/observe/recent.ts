/**
 * What an operator asks for first: the last refusals, the slowest targets, and how upstreams do. All of it is bounded.
 *
 * A request that was served quickly costs two comparisons.
 *
 * @module
 */

import type { FaultCode } from "../faults.ts";
import type { Recording } from "./record.ts";

/** A request that was refused. */
export interface Refusal {
  /** When the request came, in ISO 8601. */
  readonly time: string;
  /** The client's address, `HOST:PORT`. */
  readonly client: string;
  /** The user, or the name of a failed login. */
  readonly user: string | undefined;
  /** The target without its query. */
  readonly target: string | undefined;
  /** What went wrong. */
  readonly fault: FaultCode;
  /** Why, with the rule that decided. */
  readonly reason: string;
}

/** The slowest connect or answer of a target. */
export interface SlowTarget {
  /** The host and the port. */
  readonly target: string;
  /** When the request came, in ISO 8601. */
  readonly time: string;
  /** Milliseconds. */
  readonly took: number;
  /** What took so long. */
  readonly what: "connect" | "answer";
}

/** How an upstream does. */
export interface UpstreamState {
  /** The route, as records name it. */
  readonly route: string;
  /** How long a dial through it takes, in milliseconds, the last ones most; undefined if none has succeeded. */
  readonly dialTime: number | undefined;
  /** Whether it has failed, and is tried only now and then. */
  readonly failing: boolean;
}

/** What has happened lately. */
export interface RecentView {
  /** The newest first. */
  readonly refusals: readonly Refusal[];
  /** The slowest first. */
  readonly slow: readonly SlowTarget[];
  /** Those of the routes that were taken. */
  readonly upstreams: readonly UpstreamState[];
}

/** How many of each are kept. */
const MOST_REFUSALS = 100;
const MOST_SLOW = 20;
const MOST_UPSTREAMS = 200;

/** What took less is not slow, in milliseconds. */
const SLOW = 100;

/** The slowest targets are those of this time, in milliseconds, and of as much before it. */
const PERIOD = 300_000;

/** The weight of the last dial in the average. */
const WEIGHT = 0.2;

/** A text of strangers is cut to so many characters. */
const MAX_TEXT = 300;

/** Keeps what has happened lately. */
export class Recent {
  /** A ring: `#next` is the place of the next one. */
  readonly #refusals: Refusal[] = [];
  #next = 0;
  #slow = new Map<string, SlowTarget>();
  #slowBefore: ReadonlyMap<string, SlowTarget> = new Map();
  /** What took no longer is none of the slowest. */
  #floor = SLOW;
  #periodEnds = PERIOD;
  readonly #dials = new Map<string, number>();

  /** Takes note of a request that has ended. */
  add(client: { readonly clientName: string }, recording: Recording): void {
    const { fault, dialTime, route, began } = recording;
    if (fault) {
      const { blame, code } = fault;
      const login = code === "proxy_authentication_required";
      // The operator knows what he has closed.
      if (code === "connection_closed") return;
      // Clients begin without credentials, and are challenged: that is no refusal.
      if (login ? (recording.triedUser ?? recording.user) !== undefined : blame === "policy") {
        this.#refuse(client.clientName, recording, fault);
      }
      return;
    }
    const tunnel = recording.method === "CONNECT";
    const took = tunnel
      ? dialTime === undefined ? 0 : dialTime + (recording.dnsTime ?? 0)
      : recording.firstByteTime;
    if (began >= this.#periodEnds) this.#turn(began);
    if (took !== undefined && took > this.#floor) {
      this.#slowed(recording, took, tunnel ? "connect" : "answer");
    }
    if (dialTime !== undefined && route !== undefined && route !== "direct") this.#dialed(route, dialTime);
  }

  #refuse(
    client: string,
    recording: Recording,
    { code: fault, message: reason }: NonNullable<Recording["fault"]>,
  ) {
    const { time, user = recording.triedUser, target } = recording;
    this.#refusals[this.#next] = {
      time: time.toISOString(),
      client,
      user: cut(user),
      target: cut(target?.split("?")[0]),
      fault,
      reason: cut(reason)!,
    };
    this.#next = (this.#next + 1) % MOST_REFUSALS;
  }

  #turn(now: number): void {
    this.#slowBefore = now < this.#periodEnds + PERIOD ? this.#slow : new Map();
    this.#slow = new Map();
    this.#floor = SLOW;
    this.#periodEnds = now + PERIOD;
  }

  #slowed({ target: text = "", time }: Recording, took: number, what: SlowTarget["what"]): void {
    const target = cut(placeOf(text));
    const known = this.#slow.get(target);
    if (known && known.took >= took) return;
    this.#slow.set(target, { target, time: time.toISOString(), took: Math.round(took), what });
    if (this.#slow.size <= MOST_SLOW) return;
    const [fastest, second] = [...this.#slow.values()].sort((a, b) => a.took - b.took);
    this.#slow.delete(fastest.target);
    this.#floor = second.took;
  }

  #dialed(route: string, took: number): void {
    const before = this.#dials.get(route);
    if (before === undefined && this.#dials.size >= MOST_UPSTREAMS) return;
    this.#dials.set(route, before === undefined ? took : before + WEIGHT * (took - before));
  }

  /** What has happened lately. `failing` are the routes that have failed. */
  view(failing: readonly string[]): RecentView {
    const routes = new Set([...this.#dials.keys(), ...failing]);
    return {
      refusals: [...this.#refusals.slice(this.#next), ...this.#refusals.slice(0, this.#next)].reverse(),
      slow: slowestOf([...this.#slow.values(), ...this.#slowBefore.values()]),
      upstreams: [...routes].map((route) => {
        const took = this.#dials.get(route);
        return { route, dialTime: took && Math.round(took * 10) / 10, failing: failing.includes(route) };
      }),
    };
  }
}

/** What has happened lately at several proxies together. */
export function mergeRecent(views: readonly RecentView[]): RecentView {
  const upstreams = new Map<string, UpstreamState>();
  for (const one of views.flatMap(({ upstreams }) => upstreams)) {
    const known = upstreams.get(one.route);
    upstreams.set(one.route, {
      route: one.route,
      dialTime: one.dialTime ?? known?.dialTime,
      failing: one.failing || known?.failing === true,
    });
  }
  return {
    refusals: views.flatMap(({ refusals }) => refusals)
      .sort((a, b) => a.time < b.time ? 1 : -1).slice(0, MOST_REFUSALS),
    slow: slowestOf(views.flatMap(({ slow }) => slow)),
    upstreams: [...upstreams.values()].sort((a, b) => a.route < b.route ? -1 : 1),
  };
}

/** The host and the port of a target that may be a URI. */
function placeOf(target: string): string {
  const scheme = target.indexOf("://");
  if (scheme < 0) return target;
  const end = target.indexOf("/", scheme + 3);
  return target.slice(scheme + 3, end < 0 ? undefined : end).split("?", 1)[0];
}

/** The slowest, each target once. */
function slowestOf(all: readonly SlowTarget[]): SlowTarget[] {
  const slowest = new Map<string, SlowTarget>();
  for (const one of all.toSorted((a, b) => b.took - a.took)) {
    if (!slowest.has(one.target)) slowest.set(one.target, one);
  }
  return [...slowest.values()].slice(0, MOST_SLOW);
}

function cut<Text extends string | undefined>(text: Text): Text {
  return text?.slice(0, MAX_TEXT) as Text;
}
