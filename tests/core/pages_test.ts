import { assert, assertEquals, assertMatch } from "@std/assert";
import { maySeePages, pageAt, type PageRequest } from "../../src/admin/pages.ts";
import type { Listening, PageFacts } from "../../src/admin/facts.ts";
import { Fields } from "../../src/protocols/http/fields.ts";
import type { Page } from "../../src/protocols/http/own_answer.ts";
import { BUCKETS, Histogram } from "../../src/observe/histogram.ts";
import { VirtualClock } from "../support/virtual_clock.ts";

const BUCKET = 'sluice_request_duration_seconds_bucket{kind="exchange",';
const buckets = [...BUCKETS, "+Inf"];
const histogram = new Histogram();
histogram.add(70, "a-1", 1_500);
histogram.add(2_000_000, "a-2", 2_500);

function facts(options: Partial<PageFacts> = {}): PageFacts {
  return {
    version: "1.2.3",
    name: "proxy-1",
    totals: {
      started: 0,
      uptime: 93_784.5,
      open: 1,
      connections: 7,
      requests: { http: 2, socks5: 3 },
      endings: { "completed": 4, "timed out": 1 },
      faults: { dns_error: 1 },
      sent: 1_536,
      received: 3 * 1024 ** 3,
      userRequests: { 'a "b"\\': 1 },
      userSent: {},
      userReceived: {},
      routeRequests: { direct: 1 },
      routeFailures: {},
      durations: { exchange: histogram.counts() },
      dials: {},
      firstBytes: {},
      pages: { "/": 2 },
      limits: {},
    },
    draining: false,
    full: false,
    listeners: [listener("auto", 8899)],
    live: () => Promise.resolve([]),
    recent: () => Promise.resolve({ refusals: [], slow: [], upstreams: [] }),
    certificates: () => [],
    cut: () => Promise.resolve(0),
    adminToken: undefined,
    reload: undefined,
    clock: new VirtualClock(),
    again: () => facts(options),
    ...options,
  };
}

function get(path: string, host = ""): PageRequest {
  return { method: "GET", path, host, accept: [], fields: new Fields(), role: "proxy" };
}

/** A page whose body is whole. */
function page(path: string, host: string, facts: PageFacts): Page & { readonly body: string } {
  const { body, ...page } = pageAt(get(path, host), facts);
  assert(typeof body === "string");
  return { ...page, body };
}

function listener(scheme: Listening["scheme"], port: number, host = "127.0.0.1", tls = false): Listening {
  return { address: { host, port }, scheme, tls };
}

/** What the PAC file says of an ordinary site. */
function roads(listeners: readonly Listening[], host = ""): string | undefined {
  return /return "(.*)";\n\}/.exec(page("/proxy.pac", host, facts({ listeners })).body)?.[1];
}

Deno.test("pageAt(): paths are exact, and a query does not matter", () => {
  const statuses = [
    "/",
    "/?a=/b",
    "/healthz",
    "/metrics?",
    "/proxy.pac",
    "//",
    "/Metrics",
    "/metrics/",
    "/x",
    "",
  ]
    .map((path) => pageAt(get(path), facts()).status);
  assertEquals(statuses, [200, 200, 200, 200, 200, 404, 404, 404, 404, 404]);
});

Deno.test("pageAt(): a proxy that drains is not healthy any more", () => {
  assertEquals(page("/healthz", "", facts()), { status: 200, type: "text/plain", body: "ok\n" });
  const draining = facts({ draining: true });
  assertEquals(page("/healthz", "", draining).status, 503);
  assertMatch(page("/", "", draining).body, /<h1 id="title">sluice is shutting down<\/h1>/);
});

Deno.test("pageAt(): the status page shows what there is, and no markup of others", () => {
  const name = `<b>&"'`;
  const { body } = page("/", "", facts({ name, listeners: [listener("http", 1, "::1", true)] }));
  assert(!body.includes(name));
  const cells = Array.from(
    body.matchAll(/<th scope="row">(.*?)<\/th><td>(.*?)<\/td>/g),
    ([, a, b]) => [a, b],
  );
  const shown = Object.fromEntries(cells);
  assertEquals(shown["Name"], "&#60;b&#62;&#38;&#34;&#39;");
  assertEquals(shown["Up"], "1 d 2 h 3 min 4 s");
  assertEquals(shown["Requests and tunnels ended"], "5");
  assertEquals(shown["From clients to targets"], "1.5 KiB");
  assertEquals(shown["From targets to clients"], "3.0 GiB");
  assertEquals(shown["http over TLS"], "[::1]:1");
  assertEquals(shown["dns_error"], "1");
});

Deno.test("pageAt(): amounts of bytes have the unit that fits", () => {
  const shown = [0, 1, 1023, 1024, 1024 ** 5].map((sent) => {
    const { body } = page("/", "", facts({ totals: { ...facts().totals, sent } }));
    return /targets<\/th><td>(.*?)<\/td>/.exec(body)?.[1];
  });
  assertEquals(shown, ["0 bytes", "1 bytes", "1023 bytes", "1.0 KiB", "1024.0 TiB"]);
});

Deno.test("pageAt(): metrics have a line for each count, each family once with its help and type", () => {
  const { type, body } = page("/metrics", "", facts());
  assertEquals(type, "text/plain");
  assert(body.endsWith("\n") && !body.includes("\n\n"));
  const samples = body.trimEnd().split("\n").filter((line) => !line.startsWith("#"));
  assertEquals(samples, [
    "sluice_uptime_seconds 93784.5",
    "sluice_connections_open 1",
    "sluice_connections_total 7",
    'sluice_requests_total{protocol="http"} 2',
    'sluice_requests_total{protocol="socks5"} 3',
    'sluice_endings_total{ending="completed"} 4',
    'sluice_endings_total{ending="timed_out"} 1',
    'sluice_faults_total{fault="dns_error"} 1',
    "sluice_sent_bytes_total 1536",
    "sluice_received_bytes_total 3221225472",
    'sluice_user_requests_total{user="a \\"b\\"\\\\"} 1',
    'sluice_route_requests_total{route="direct"} 1',
    ...buckets.map((limit, i) => `${BUCKET}le="${limit}"} ${i < 6 ? 0 : i < buckets.length - 1 ? 1 : 2}`),
    'sluice_request_duration_seconds_sum{kind="exchange"} 2000.07',
    'sluice_request_duration_seconds_count{kind="exchange"} 2',
    'sluice_pages_total{page="/"} 2',
  ]);
  const families = [...body.matchAll(/^# TYPE (\w+) (?:counter|gauge|histogram)$/gm)].map(([, name]) => name);
  assertEquals(new Set(families).size, families.length);
  for (const sample of samples) {
    assert(families.includes(/^\w+?(?=(?:_bucket|_sum|_count)?[{ ])/.exec(sample)![0]), sample);
  }
});

Deno.test("pageAt(): who asks for OpenMetrics gets it, with the last request of each bucket", () => {
  const accept = ["application/openmetrics-text;version=1.0.0", "text/plain;q=0.5"];
  const { type, body } = pageAt({ ...get("/metrics"), accept }, facts());
  assertEquals(type, "application/openmetrics-text; version=1.0.0");
  const lines = String(body).split("\n");
  assertEquals(lines.slice(-2), ["# EOF", ""]);
  assert(lines.includes("# TYPE sluice_requests counter"));
  assert(lines.includes('sluice_requests_total{protocol="http"} 2'));
  assert(lines.includes(`${BUCKET}le="0.1"} 1 # {id="a-1"} 0.07 1.5`));
  assert(lines.includes(`${BUCKET}le="1.0"} 1`));
  assert(lines.includes(`${BUCKET}le="+Inf"} 2 # {id="a-2"} 2000 2.5`));
});

Deno.test("pageAt(): the PAC file names listeners in their order, by what they speak", () => {
  assertEquals(
    roads([
      listener("auto", 1),
      listener("http", 2, "192.0.2.1", true),
      listener("socks5", 3, "::1"),
      listener("socks4", 4),
      listener("line", 5),
      { address: { path: "/run/sluice.sock" }, scheme: "auto", tls: false },
    ]),
    "PROXY 127.0.0.1:1; HTTPS 192.0.2.1:2; SOCKS5 [::1]:3; SOCKS 127.0.0.1:4",
  );
  assertEquals(roads([{ address: { path: "/run/sluice.sock" }, scheme: "auto", tls: false }]), "DIRECT");
});

Deno.test("pageAt(): a listener on every address is named by the host that the client found it by", () => {
  const every = [listener("auto", 80, "0.0.0.0"), listener("auto", 81, "::")];
  for (
    const [host, named] of [
      ["192.0.2.7:8899", "192.0.2.7"],
      ["[2001:db8::1]:8899", "[2001:db8::1]"],
      ["LOCALHOST", "localhost"],
      ["", "127.0.0.1"],
      // A name may be anybody's, and what stands in a script is to be harmless.
      ["evil.test", "127.0.0.1"],
      [`";alert(1);"`, "127.0.0.1"],
    ]
  ) {
    assertEquals(roads(every, host), `PROXY ${named}:80; PROXY ${named}:81`, host);
  }
});

Deno.test("maySeePages(): clients of this machine that call it by an address or localhost and its port, nobody else", () => {
  const local = { host: "127.0.0.1", port: 8899 };
  const remote = { host: "127.0.0.1", port: 1 };
  const hosts: [host: string, sees: boolean][] = [
    ["localhost:8899", true],
    ["LocalHost:8899", true],
    ["127.0.0.1:8899", true],
    ["192.0.2.1:8899", true],
    ["[::1]:8899", true],
    ["", true],
    ["localhost", false],
    ["127.0.0.1:8898", false],
    ["[::1]", false],
    ["evil.test:8899", false],
    ["localhost.evil.test:8899", false],
    ["localhost.:8899", false],
    ["127.1:8899", false],
    ["a@127.0.0.1:8899", false],
    ["127.0.0.1:80:8899", false],
    ["127.0.0.1:x", false],
    ["[evil.test]:8899", false],
    ["[::1].evil.test:8899", false],
  ];
  for (const [host, sees] of hosts) assertEquals(maySeePages({ local, remote }, host, "proxy"), sees, host);
  assertEquals(maySeePages({ local: { host: "127.0.0.1", port: 80 }, remote }, "localhost", "proxy"), true);
  const clients = [{ host: "::1", port: 1 }, { host: "::ffff:127.9.9.9", port: 1 }, { path: "" }, {
    host: "192.0.2.1",
    port: 1,
  }];
  const seen = clients.map((remote) => maySeePages({ local, remote }, "localhost:8899", "proxy"));
  assertEquals(seen, [true, true, true, false]);
});

Deno.test("maySeePages(): on an admin listener whoever reaches it, but by no foreign name where that is this machine", () => {
  const near = { local: { host: "127.0.0.1", port: 9100 }, remote: { host: "127.0.0.1", port: 1 } };
  const far = { local: { host: "192.0.2.9", port: 9100 }, remote: { host: "192.0.2.20", port: 1 } };
  for (const host of ["localhost", "127.0.0.1:9100", ""]) {
    assertEquals([near, far].map((channel) => maySeePages(channel, host, "admin")), [true, true], host);
  }
  const named = [near, far].map((channel) => maySeePages(channel, "metrics.example.com", "admin"));
  assertEquals(named, [false, true]);
});
