import { assertEquals, assertLess, assertMatch, assertStringIncludes } from "@std/assert";
import { formatRecord, LOG_FORMAT_NAMES } from "../../src/observe/access_log.ts";
import { formatEcs, formatJson } from "../../src/observe/json_format.ts";
import { type AccessRecord, RECORD_FIELDS } from "../../src/observe/record.ts";
import { formatCombined, formatSquid } from "../../src/observe/squid_format.ts";
import { formatForTerminal } from "../../src/observe/terminal_format.ts";
import { formatText } from "../../src/observe/text_format.ts";

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
  from: undefined,
  trace: undefined,
  status: 0,
  fault: "connection_terminated",
  reason: 'The target said "no"',
  limit: undefined,
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
  const terminal = { color: false };
  assertEquals(formatRecord(FULL, { terminal }), formatForTerminal(FULL, terminal));
  assertEquals(formatRecord(FULL, { format: "json", terminal }), formatJson(FULL));
});

Deno.test("formatRecord() leaves queries out unless it is asked for them", () => {
  const record = { ...EMPTY, method: "GET", target: "http://a.test/path?token=secret" };
  for (const format of LOG_FORMAT_NAMES) {
    assertMatch(formatRecord(record, { format }), /http:\/\/a\.test\/path\?[ "]/);
    assertMatch(formatRecord(record, { format, query: true }), /path\?token=secret[ "]/);
  }
});

Deno.test("formatRecord() keeps a line below 4,096 bytes, whatever it is told", () => {
  for (const text of ["a", '"', "\\", " ", "\0", "\u2028", "\u{1F600}"].map((unit) => unit.repeat(60_000))) {
    const record: AccessRecord = {
      ...FULL,
      ...{ user: text, method: text, target: text, route: text, reason: text },
      client: "[2001:db8:1111:2222:3333:4444:5555:6666]:65535",
      dialed: "[2001:db8:1111:2222:3333:4444:5555:6666]:65535",
      fault: "http_response_header_section_size",
      datagrams: { targets: 1e9, sent: 1e9, received: 1e9, dropped: 1e9 },
    };
    for (const format of LOG_FORMAT_NAMES) {
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
  assertEquals(new Set(fields.map(({ ecs }) => ecs)).size, fields.length);
  const words = fields.filter(({ text }) => text === undefined);
  assertEquals(words.length, Math.max(...words.map(({ place }) => place)));
});

Deno.test("formatEcs() has the schema's names, and each of them once", () => {
  const line = formatEcs({
    ...FULL,
    protocol: "http",
    status: 200,
    client: "[2001:db8::1]:5",
    fault: undefined,
    reason: undefined,
  });
  assertEquals(JSON.parse(line), {
    "@timestamp": "2026-01-31T12:00:00.000Z",
    "ecs.version": "8.11.0",
    "event.dataset": "sluice.access",
    "event.action": "timed_out",
    "event.outcome": "success",
    "event.duration": 153199510,
    "log.level": "info",
    "message": "CONNECT example.com:443 200",
    "client.address": "[2001:db8::1]:5",
    "client.ip": "2001:db8::1",
    "client.port": 5,
    "client.bytes": 517,
    "user.name": "ann",
    "network.protocol": "http",
    "http.request.method": "CONNECT",
    "http.response.status_code": 200,
    "url.original": "example.com:443",
    "destination.address": "192.0.2.7:443",
    "destination.ip": "192.0.2.7",
    "destination.port": 443,
    "destination.bytes": 4120,
    "sluice.connection": "7",
    "sluice.route": "direct",
    "sluice.status": 200,
    "sluice.dns_ms": 1.877,
    "sluice.dial_ms": 10.4,
    "sluice.first_byte_ms": 25,
    "sluice.duration_ms": 153.2,
  });
  assertEquals(line.match(/"[\w.@]+":/g)?.length, Object.keys(JSON.parse(line)).length);
  const {
    "error.code": code,
    "log.level": level,
    "sluice.status": reply,
    "http.response.status_code": status,
  } = JSON
    .parse(formatEcs(FULL));
  assertEquals([code, level, reply, status], ["connection_terminated", "warn", 0, undefined]);
  assertEquals(Object.hasOwn(JSON.parse(formatEcs({ ...FULL, client: "unix:" })), "client.ip"), false);
});

const UNAUTHENTICATED = {
  ...EMPTY,
  protocol: "http",
  method: "GET",
  target: "http://a.test/",
  triedUser: "b ob",
  status: 407,
  fault: "proxy_authentication_required",
  reason: "Wrong password",
  ending: "refused",
} as const;

Deno.test("formatSquid() writes what Squid's native format has", () => {
  assertEquals(
    formatSquid({ ...FULL, fault: undefined, reason: undefined, ending: "completed" }),
    "1769860800.153    153 127.0.0.1 TCP_TUNNEL/200 4120 CONNECT example.com:443 ann HIER_DIRECT/192.0.2.7 -",
  );
  assertEquals(
    formatSquid({ ...FULL, client: "[::1]:5", route: "http://p.test:3128", dialed: "[2001:db8::1]:3128" }),
    "1769860800.153    153 ::1 TCP_TUNNEL_TIMEDOUT/200 4120 CONNECT example.com:443 ann FIRSTUP_PARENT/2001:db8::1 -",
  );
  assertEquals(
    formatSquid(UNAUTHENTICATED),
    "1769860800.000      0 127.0.0.1 TCP_DENIED/407 0 GET http://a.test/ b\\x20ob HIER_NONE/- -",
  );
  assertEquals(
    formatSquid({ ...EMPTY, client: "unix:", fault: "client_disconnected", reason: "It left" }),
    "1769860800.000      0 127.0.0.1 NONE_NONE/499 0 NONE error:invalid-request - HIER_NONE/- -",
  );
});

Deno.test("formatCombined() writes what Apache's combined format has", () => {
  assertEquals(
    formatCombined(FULL),
    '127.0.0.1 - ann [31/Jan/2026:12:00:00 +0000] "CONNECT example.com:443 HTTP/1.0" 200 4120 "-" "-"',
  );
  assertEquals(
    formatCombined(UNAUTHENTICATED),
    '127.0.0.1 - b\\x20ob [31/Jan/2026:12:00:00 +0000] "GET http://a.test/ HTTP/1.1" 407 0 "-" "-"',
  );
  assertEquals(
    formatCombined({ ...EMPTY, fault: "client_timeout", status: 408 }),
    '127.0.0.1 - - [31/Jan/2026:12:00:00 +0000] "-" 408 0 "-" "-"',
  );
});

Deno.test("formats of other programs: a reply of SOCKS is the HTTP status of the same meaning", () => {
  const socks = { ...FULL, dialed: undefined, route: undefined } as const;
  for (
    const [record, status] of [
      [{ ...socks, protocol: "socks4", status: 0x5A, fault: undefined }, 200],
      [{ ...socks, status: 2, fault: "destination_ip_prohibited" }, 403],
      [{ ...socks, status: 4, fault: "dns_error" }, 502],
    ] as const
  ) {
    assertMatch(formatCombined(record), new RegExp(`" ${status} 4120 `));
    assertMatch(formatSquid(record), new RegExp(`/${status} 4120 `));
  }
});

Deno.test("no format gives anybody another column, line or name", () => {
  for (const text of HOSTILE) {
    const record = { ...EMPTY, client: "127.0.0.1:5", user: text, method: text, target: text };
    assertMatch(formatSquid(record), /^(?:[!-~]+ +){9}-$/);
    assertMatch(
      formatCombined(record),
      /^[!-~]+ - [!-~]+ \[[^\]]+\] "[!#-~]+ [!#-~]+ HTTP\/1\.0" \d+ 0 "-" "-"$/,
    );
    assertMatch(formatForTerminal({ ...record, route: text, reason: text }, { color: false }), /^[ -~]*$/);
    assertMatch(formatEcs(record), /^[ -~]*$/);
    assertEquals(JSON.parse(formatEcs(record))["user.name"], text);
  }
});

Deno.test("formatForTerminal() shows what matters, and colours only where they are wanted", () => {
  const plain = { color: false };
  const noon = { ...FULL, time: new Date(2026, 0, 31, 12) };
  const good = { ...noon, fault: undefined, reason: undefined, user: undefined };
  assertEquals(
    formatForTerminal(good, plain),
    "12:00:00 200 CONNECT example.com:443  4.0k down 517 up  153 ms",
  );
  assertEquals(
    formatForTerminal(
      { ...noon, client: "192.0.2.1:5", route: "http://p.test:3128", duration: 185_000 },
      plain,
    ),
    "12:00:00 200 CONNECT example.com:443  4.0k down 517 up  3m05s  ann@192.0.2.1  via http://p.test:3128  " +
      'connection_terminated: The target said "no"',
  );
  assertEquals(
    formatForTerminal({ ...UNAUTHENTICATED, time: noon.time }, plain),
    "12:00:00 407 GET http://a.test/  0 ms  login failed as b\\x20ob  proxy_authentication_required: Wrong password",
  );
  assertEquals(
    formatForTerminal({ ...good, sent: 0, received: 0 }, { color: true }),
    "\x1b[2m12:00:00\x1b[0m \x1b[32m200\x1b[0m CONNECT example.com:443  \x1b[2m153 ms\x1b[0m",
  );
});
