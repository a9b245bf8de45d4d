/**
 * The logs: a page of `sluice help`.
 *
 * @module
 */

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
    "--log-format json writes one object to a line, --access-log FILE writes to a file, and --access-log off writes " +
    'nothing. What is unknown is "-" in text and left out in JSON.',
    { terms: WORDS },
    "Then, by name, where there is anything to tell (in brackets: the key in JSON where it is another):",
    { terms: FIELDS },
    "A line has less than 4,096 bytes, so lines of several workers never mix: 2,000 bytes of the target, and what is cut " +
    'ends in "...". The query of a target is left out behind its ?, since it often holds secrets; --log-query keeps ' +
    "it. The proxy's own pages have lines only with --log-pages.",
    "SIGHUP opens the file anew, as logrotate needs it. Records that nobody takes, such as those for a named pipe " +
    "without a reader, are counted, and standard error tells how many.",
    "Standard error has one line for what the proxy as a whole does: --log-level says how much. At debug it has stack " +
    "traces.",
  ],
  groups: ["Logs"],
};
