/**
 * Requests that change something, on the admin listener alone.
 *
 * Each needs the token of the option `adminToken`. Other sites' pages cannot make a browser send one: it would ask us first
 * (CORS), and we say no. What a browser says of the page that asks is checked all the same.
 *
 * @module
 */

import { type Selection, SELECTION_KEYS } from "../observe/live.ts";
import type { Fields } from "../protocols/http/fields.ts";
import type { Page } from "../protocols/http/own_answer.ts";
import type { PageFacts } from "./facts.ts";

/** A request that may be for an action. */
export interface ActionRequest {
  readonly method: string;
  /** The path and the query. */
  readonly path: string;
  readonly fields: Pick<Fields, "get">;
}

/** Does something, and tells what came of it. Undefined: it cannot be done here. */
type Action = (query: URLSearchParams, facts: PageFacts) => Promise<Page> | undefined;

/** Path → what a POST there does. */
const ACTIONS: ReadonlyMap<string, Action> = new Map([
  ["/connections/close", close],
  ["/reload", (_query, { reload }) => reload && renew(reload)],
]);

/** The paths of what may be done. Empty if there is no token. */
export function actionsOf(
  { adminToken, reload }: Pick<PageFacts, "adminToken" | "reload">,
): readonly string[] {
  if (!adminToken) return [];
  return [...ACTIONS.keys()].filter((path) => path !== "/reload" || reload);
}

/** Answers a request for an action. Undefined: the path has none. */
export function act(
  { method, path, fields }: ActionRequest,
  facts: PageFacts,
): Page | Promise<Page> | undefined {
  const [name, query] = path.split("?", 2);
  const action = ACTIONS.get(name);
  if (!action) return undefined;
  if (method !== "POST") return methodNotAllowed("POST");
  return refusalOf(fields, facts) ?? action(new URLSearchParams(query), facts);
}

/** The answer to a method that a path does not know. */
export function methodNotAllowed(allowed: string): Page {
  return plain(405, `Use ${allowed} here.\n`, [["Allow", allowed]]);
}

function plain(status: number, body: string, fields?: Page["fields"]): Page {
  return { status, type: "text/plain", body, fields };
}

/** Why an action is not done; undefined if it is. */
function refusalOf(fields: Pick<Fields, "get">, { adminToken }: PageFacts): Page | undefined {
  if (!comesFromHere(fields)) return plain(403, "Pages of other sites may change nothing here.\n");
  if (!adminToken) {
    return plain(
      403,
      "Nothing can be changed here: the proxy has no --admin-token. SLUICE_ADMIN_TOKEN sets one, or " +
        "--admin-token-file, or admin-token in the config file.\n",
    );
  }
  const [, token] = /^bearer +(\S+)$/i.exec(fields.get("authorization") ?? "") ?? [];
  if (token !== undefined && adminToken.verify(token)) return undefined;
  return plain(401, "Give the token of --admin-token: Authorization: Bearer TOKEN\n", [
    ["WWW-Authenticate", 'Bearer realm="admin"'],
  ]);
}

/** Whether a request comes from a page of this host, or from no page. No page can forge these fields. */
function comesFromHere(fields: Pick<Fields, "get">): boolean {
  const site = fields.get("sec-fetch-site");
  if (site !== undefined) return site === "same-origin" || site === "none";
  const origin = fields.get("origin");
  const host = fields.get("host")?.toLowerCase();
  return origin === undefined || origin === `http://${host}` || origin === `https://${host}`;
}

/** Reads everything anew that can be, in all workers. All faults are told where nothing was changed. */
async function renew(reload: () => Promise<void>): Promise<Page> {
  try {
    await reload();
    return plain(200, "Everything was read anew.\n");
  } catch (error) {
    return plain(422, `Everything stays as it was:\n${(error as Error).message}\n`);
  }
}

/** Closes the connections that a query names, over all workers. */
async function close(query: URLSearchParams, { cut }: PageFacts): Promise<Page> {
  const keys = [...query.keys()];
  const known = keys.every((key) => SELECTION_KEYS.some((name) => name === key));
  if (keys.length === 0 || !known || new Set(keys).size < keys.length) {
    return plain(400, `Say once each what to close: ${SELECTION_KEYS.map((key) => `${key}=`).join(", ")}\n`);
  }
  const closed = await cut(Object.fromEntries(query) as Selection);
  return { status: 200, type: "application/json", body: `${JSON.stringify({ closed })}\n` };
}
