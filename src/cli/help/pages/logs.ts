/**
 * The logs: a page of `sluice help`.
 *
 * @module
 */

import { LOG_FORMATS } from "../../../observe/access_log.ts";
import { RECORD_FIELDS, type RecordField } from "../../../observe/record.ts";
import type { Page, Terms } from "./page.ts";

const ROWS = Object.values<RecordField>(RECORD_FIELDS).sort((a, b) => a.place - b.place);

/** The fields of every line, in their order. */
const WORDS: Terms = ROWS.filter(({ text }) => text === undefined).map(({ json, help }) => [json, help]);

/** The fields that are written with their name, as `name=value`. */
const FIELDS: Terms = ROWS.flatMap(({ json, text, help }) =>
  text === undefined ? [] : [[text === json ? text : `${text} [${json}]`, help] as const]
);

/** The page. */
export const page: Page = {
  parts: [
    "Each request and each tunnel has one line on standard output, when it has ended (here it is broken in three):",
    {
      lines: `2026-11-20T15:30:53.165Z 7ea0-1 127.0.0.1:51072 - http GET http://example.com/
200 completed sent=0 received=1256 duration=11.67ms dns=0.4ms dial=3.3ms
first_byte=8.7ms route=direct dialed=192.0.2.7:80`,
    },
    "--access-log FILE writes to a file, and --access-log off writes nothing. On a terminal the line is shorter, and has " +
    "colours unless NO_COLOR is set. --log-format has these formats:",
    { terms: Object.entries(LOG_FORMATS).map(([name, { help }]) => [name, help] as const) },
    "The last two have no place for most of the fields. There a failed login shows the name that was tried, with the " +
    "status 407; a reply of SOCKS is the HTTP status of the same meaning; and a Unix socket is 127.0.0.1.",
    { heading: "Fields" },
    'What is unknown is "-" in text and left out in JSON. Each line of text begins with these words:',
    { terms: WORDS },
    "Then, by name, where there is anything to tell (in brackets: the key in JSON where it is another):",
    { terms: FIELDS },
    "A line has less than 4,096 bytes, so lines of several workers never mix: 2,000 bytes of the target, and what is cut " +
    'ends in "...". The query of a target is left out behind its ?, since it often holds secrets; --log-query keeps ' +
    "it. The proxy's own pages have lines only with --log-pages.",
    { heading: "Rotation" },
    "SIGUSR1 opens the file anew, and so does SIGHUP, which also reads other files. No line is lost: what is being " +
    'written ends in the old file. "sluice print logrotate" prints what logrotate needs for it.',
    "Records that nobody takes, such as those for a named pipe without a reader, are counted, and standard error tells " +
    "how many.",
    { heading: "Diagnostics" },
    "Standard error has one line for what the proxy as a whole does: --log-level says how much. At debug it has stack " +
    "traces.",
  ],
  groups: ["Logs"],
};
