/**
 * Checks the answers of callbacks that users of the library give. The error for a wrong answer names the callback.
 *
 * @module
 */

import type { Route } from "../dialing/router.ts";
import type { Log } from "../observe/log.ts";
import type { AccessRecord } from "../observe/record.ts";
import type { Authenticate } from "../policy/authentication.ts";
import type { ReadText } from "../text/text_file.ts";
import { UsageError } from "../text/usage_error.ts";

/** Asks `authenticate`. */
export function checkedAuthenticate(authenticate: Authenticate): Authenticate {
  return (request, signal) => {
    const answer = authenticate(request, signal);
    return typeof answer === "boolean" ? answer : Promise.resolve(answer).then(needBoolean);
  };
}

function needBoolean(answer: unknown): boolean {
  if (typeof answer === "boolean") return answer;
  throw new TypeError(`The callback authenticate returned ${nameOf(answer)}: return true or false`);
}

/** Asks `route`. */
export function checkedRoute(route: Route): Route {
  return async (request) => {
    const answer: unknown = await route(request);
    if (isRouteAnswer(answer)) return answer as Awaited<ReturnType<Route>>;
    throw new TypeError(
      `The callback route returned ${
        nameOf(answer)
      }: return an endpoint, several in an array, { deny: TEXT }, ` +
        "{ handle: FUNCTION } or undefined",
    );
  };
}

function isRouteAnswer(answer: unknown): boolean {
  if (Array.isArray(answer)) return answer.every((endpoint) => typeof endpoint === "string");
  if (typeof answer !== "object" || answer === null) {
    return answer === undefined || typeof answer === "string";
  }
  if ("handle" in answer) return typeof answer.handle === "function";
  return "deny" in answer && typeof answer.deny === "string";
}

/** Asks `readText`. */
export function checkedReadText(readText: ReadText): ReadText {
  return async (path, what) => {
    const text: unknown = await readText(path, what);
    if (typeof text === "string") return text;
    throw new UsageError(
      `Cannot read ${what} "${path}": the callback readText returned ${nameOf(text)}, and not a text`,
    );
  };
}

/** Calls `onRecord`. If it returns a promise, the proxy does not wait for it, and logs its rejection. */
export function tellRecord(
  onRecord: (record: AccessRecord) => unknown,
  log: Log,
): (record: AccessRecord) => void {
  return (record) => {
    const result = onRecord(record);
    if (!(result instanceof Promise)) return;
    result.catch((error) => log.error("The callback onRecord failed", error));
  };
}

/** Names the kind of an answer. The answer is not quoted: it may hold a secret. */
function nameOf(answer: unknown): string {
  if (answer === null || answer === undefined) return String(answer);
  if (Array.isArray(answer)) return "an array of something else";
  return typeof answer === "object" ? "an object of another kind" : `a ${typeof answer}`;
}
