/**
 * The live view as pages: the open connections in JSON, once or every second.
 *
 * @module
 */

import { formatAddress } from "../addresses/host.ts";
import type { Role } from "../listeners/listener_settings.ts";
import { type LiveConnection, liveJson } from "../observe/live.ts";
import type { Page } from "../protocols/http/own_answer.ts";
import type { Clock } from "../runtime/clock.ts";
import { actionsOf } from "./acting.ts";
import type { PageFacts } from "./facts.ts";

/** How often the events page tells something, in milliseconds. */
const INTERVAL = 1_000;

/** The open connections in JSON. */
export function connectionsPage({ live }: PageFacts): Page {
  return {
    status: 200,
    type: "application/json",
    async *body() {
      yield `{"connections":[${(await live()).map(rowOf).join(",\n")}]}\n`;
    },
  };
}

/**
 * Server-sent events (HTML section 9.2), every second: `totals`, then `connections` with what `/connections` shows; and
 * `state`, with all else, whenever it has changed. They end when the proxy drains.
 */
export function eventsPage({ again, clock }: PageFacts, { role }: { readonly role: Role }): Page {
  return {
    status: 200,
    type: "text/event-stream",
    async *body(gone) {
      let known: string | undefined;
      while (!gone.aborted) {
        const facts = again();
        const { draining, live, totals } = facts;
        const [connections, state] = await Promise.all([live(), stateOf(facts, role)]);
        const rows = connections.map(rowOf).join(",");
        if (state !== known) yield `event: state\ndata: ${known = state}\n\n`;
        yield `event: totals\ndata: ${JSON.stringify(totals)}\n\n` +
          `event: connections\ndata: {"connections":[${rows}]}\n\n`;
        if (draining) return;
        await pause(clock, gone);
      }
    },
  };
}

/** What changes seldom, in JSON. */
async function stateOf(facts: PageFacts, role: Role): Promise<string> {
  const { version, name, draining, listeners, certificates, recent } = facts;
  return JSON.stringify({
    version,
    name,
    ...await recent(),
    actions: role === "admin" ? actionsOf(facts) : [],
    listeners: listeners.map(({ address, scheme, tls }) => ({
      address: formatAddress(address),
      scheme,
      tls,
    })),
    certificates: certificates().map(({ address, name, expires }) => ({
      address: formatAddress(address),
      name,
      expires,
    })),
    draining,
  });
}

function rowOf(live: LiveConnection): string {
  return JSON.stringify(liveJson(live));
}

/** Waits until it is time for the next event, or until the client is gone. */
function pause(clock: Clock, gone: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const over = (): void => {
      cancel();
      gone.removeEventListener("abort", over);
      resolve();
    };
    const cancel = clock.schedule(INTERVAL, over);
    gone.addEventListener("abort", over);
    if (gone.aborted) over();
  });
}
