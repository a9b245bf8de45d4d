import { assertEquals, assertLess, assertMatch, assertStringIncludes } from "@std/assert";
import { formatJson, formatRecord, formatText } from "../../src/observe/access_log.ts";
import { type AccessRecord, RECORD_FIELDS } from "../../src/observe/record.ts";

const FULL: AccessRecord = {
  time: new Date(Date.UTC(2026, 0, 31, 12)),
  id: "7",
  client: "127.0.0.1:50312",
  user: "ann",
  triedUser: undefined,
  protocol: "socks5",
  method: "CONNECT",
  target: "example.com:443",
  route: "direct",
  dialed: "192.0.2.7:443",
  status: 0,
  fault: "connection_terminated",
  reason: 'The target said "no"',
  sent: 517,
  received: 4120,
  datagrams: undefined,
  dnsTime: 1.87654,
  dialTime: 10.4,
  firstByteTime: 25,
  duration: 153.19951,
  ending: "timed out",
};

const EMPTY: AccessRecord = {
  ...FULL,
  user: undefined,
  protocol: undefined,
  method: undefined,
  target: undefined,
  route: undefined,
  dialed: undefined,
  status: undefined,
  fault: undefined,
  reason: undefined,
  sent: 0,
  received: 0,
  dnsTime: undefined,
  dialTime: undefined,
  firstByteTime: undefined,
  duration: 0,
  ending: "aborted",
};

/** What a client may put into its request to forge a line, a field or a terminal's command. */
const HOSTILE = [
  "a b",
  "a\nb",
  "a\r\nb",
  'a"b',
  "a\\b",
  "a\0b",
  "a\x1b[2Jb",
  "a\x7fb",
  "a\x85b",
  "a\x9bb",
  "a\u2028b",
  "a\u202eb",
  "a\u{1f600}b",
  "a\ud800b",
  "-",
  "x=y",
];

Deno.test("formatText() writes all that is known on one line", () => {
  assertEquals(
    formatText(FULL),
    "2026-01-31T12:00:00.000Z 7 127.0.0.1:50312 ann socks5 CONNECT example.com:443 0 timed_out " +
      "sent=517 received=4120 duration=153.2ms dns=1.877ms dial=10.4ms first_byte=25ms " +
      "route=direct dialed=192.0.2.7:443 fault=connection_terminated " +
      'reason="The target said \\x22no\\x22"',
  );
});

Deno.test("a failed login and an association have figures of their own", () => {
  const record = {
    ...EMPTY,
    triedUser: "an n",
    datagrams: { targets: 3, sent: 5, received: 4, dropped: 1 },
  };
  assertEquals(
    formatText(record),
    "2026-01-31T12:00:00.000Z 7 127.0.0.1:50312 - - - - - aborted sent=0 received=0 targets=3 datagrams_sent=5 " +
      "datagrams_received=4 datagrams_dropped=1 duration=0ms tried_user=an\\x20n",
  );
  assertEquals(
    formatJson(record),
    '{"time":"2026-01-31T12:00:00.000Z","id":"7","client":"127.0.0.1:50312","tried_user":"an n","bytes_sent":0,' +
      '"bytes_received":0,"targets":3,"datagrams_sent":5,"datagrams_received":4,"datagrams_dropped":1,' +
      '"duration_ms":0,"ending":"aborted"}',
  );
});

Deno.test("formatText() keeps the places of what is not known", () => {
  assertEquals(
    formatText(EMPTY),
    "2026-01-31T12:00:00.000Z 7 127.0.0.1:50312 - - - - - aborted sent=0 received=0 duration=0ms",
  );
});

Deno.test("formatText() gives nobody another column, line or name", () => {
  for (const text of HOSTILE) {
    const line = formatText({
      ...EMPTY,
      client: text,
      user: text,
      triedUser: text,
      method: text,
      target: text,
      route: text,
    });
    const words = line.split(" ");
    assertEquals(words.length, 14, line);
    assertMatch(line, /^[\x20-\x7E]*$/);
    assertEquals(words[3] === text, text === "x=y", line);
  }
});

Deno.test("formatText() keeps a reason within its quotes", () => {
  for (const text of HOSTILE) {
    assertMatch(
      formatText({ ...EMPTY, reason: text }),
      /^[\x20-\x7E]* reason="([^"\\]|\\x[0-9A-F]{2}|\\u[0-9A-F]{4})*"$/,
    );
  }
});

Deno.test("formatText() writes bytes as \\xNN and other characters as \\uNNNN", () => {
  const line = formatText({ ...EMPTY, user: "\n\x7f\xe9\u2028" });
  assertEquals(line.split(" ")[3], "\\x0A\\x7F\\xE9\\u2028");
});

Deno.test("formatJson() writes the documented keys in their order", () => {
  assertEquals(
    formatJson(FULL),
    '{"time":"2026-01-31T12:00:00.000Z","id":"7","client":"127.0.0.1:50312","user":"ann","protocol":"socks5",' +
      '"method":"CONNECT","target":"example.com:443","route":"direct","dialed":"192.0.2.7:443","status":0,' +
      '"fault":"connection_terminated","reason":"The target said \\"no\\"","bytes_sent":517,"bytes_received":4120,' +
      '"dns_ms":1.877,"dial_ms":10.4,"first_byte_ms":25,"duration_ms":153.2,"ending":"timed_out"}',
  );
});

Deno.test("formatJson() leaves out what is not known", () => {
  const keys = Object.keys(JSON.parse(formatJson(EMPTY)));
  assertEquals(keys, ["time", "id", "client", "bytes_sent", "bytes_received", "duration_ms", "ending"]);
});

Deno.test("formatJson() is one line of ASCII that reads back as it was", () => {
  for (const text of HOSTILE) {
    const line = formatJson({ ...EMPTY, user: text, target: text, reason: text });
    assertMatch(line, /^[\x20-\x7E]*$/);
    const { user, target, reason } = JSON.parse(line);
    assertEquals([user, target, reason], [text, text, text]);
  }
});

Deno.test("formatRecord() writes the format that it is asked for", () => {
  assertEquals(formatRecord(FULL, { format: "text" }), formatText(FULL));
  assertEquals(formatRecord(FULL, { format: "json" }), formatJson(FULL));
});

Deno.test("formatRecord() leaves queries out unless it is asked for them", () => {
  const record = { ...EMPTY, target: "http://a.test/path?token=secret" };
  for (const format of ["text", "json"] as const) {
    assertMatch(formatRecord(record, { format }), /http:\/\/a\.test\/path\?[ "]/);
    assertMatch(formatRecord(record, { format, query: true }), /path\?token=secret[ "]/);
  }
});

Deno.test("formatRecord() keeps a line below 4,096 bytes, whatever it is told", () => {
  for (const text of ["a", '"', "\\", " ", "\0", "\u2028", "\u{1F600}"].map((unit) => unit.repeat(60_000))) {
    const record = { ...FULL, user: text, method: text, target: text, route: text, reason: text };
    for (const format of ["text", "json"] as const) {
      const line = formatRecord(record, { format });
      assertLess(line.length, 4_096);
      assertStringIncludes(line, "...");
      if (format === "json") assertEquals(JSON.parse(line).id, FULL.id);
    }
  }
});

Deno.test("every field of a record has a name and a place of its own", () => {
  const fields = Object.values(RECORD_FIELDS);
  assertEquals(new Set(fields.map(({ json }) => json)).size, fields.length);
  assertEquals(fields.map(({ place }) => place).toSorted((a, b) => a - b), fields.map((_, i) => i + 1));
  const words = fields.filter(({ text }) => text === undefined);
  assertEquals(words.length, Math.max(...words.map(({ place }) => place)));
});
