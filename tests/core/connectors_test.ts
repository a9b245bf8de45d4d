import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertNotInstanceOf,
  assertStringIncludes,
} from "@std/assert";
import type { FaultCode } from "../../src/faults.ts";
import { FAULTS } from "../../src/fault_table.ts";
import { ByteBuffer } from "../../src/streams/byte_buffer.ts";
import { type Connector, type ConnectorEvent, UpstreamFault } from "../../src/protocols/common/connector.ts";
import { basicAuthorization, HttpConnector } from "../../src/protocols/http1/connector.ts";
import { toOctets } from "../../src/protocols/http/syntax.ts";
import { LineConnector } from "../../src/protocols/line/line_connector.ts";
import { Socks4Connector } from "../../src/protocols/socks/socks4_connector.ts";
import { Socks5Connector } from "../../src/protocols/socks/socks5_connector.ts";
import type { TcpAddress } from "../../src/runtime/contract.ts";
import { assertFaults, assertReads, assertWaits, fuzz, octets } from "../support/codec.ts";
import { SEED } from "../support/random.ts";
import { settingsWith } from "../support/settings.ts";

const TARGET = { host: "example.com", port: 443 };
const ANN = { user: "ann", password: "sécret" };
const ESTABLISHED: ConnectorEvent = { type: "established" };

function send(notation: string): ConnectorEvent {
  return { type: "send", bytes: octets(notation) };
}

interface Refusal {
  readonly code: FaultCode;
  /** Whether it is the upstream that has failed, so that another one may be asked. */
  readonly upstream: boolean;
  readonly status?: number;
  readonly socks5?: number;
  readonly says?: string;
}

function assertRefuses(
  make: () => Connector,
  bytes: Uint8Array,
  expected: Refusal,
  events: readonly ConnectorEvent[] = [],
): void {
  for (const { fault } of assertFaults<Connector>({ make }, bytes, events)) {
    assertEquals(fault.code, expected.code);
    if (expected.upstream) assertInstanceOf(fault, UpstreamFault);
    else assertNotInstanceOf(fault, UpstreamFault);
    assertEquals(fault.status, expected.status ?? FAULTS[expected.code].status);
    assertEquals(fault.socks5, expected.upstream ? 1 : expected.socks5 ?? FAULTS[expected.code].socks5);
    assertStringIncludes(fault.message, expected.says ?? "");
    assert(!/ann|sécret|YW5u/.test(fault.message), fault.message);
  }
}

// -- HTTP --

function http(options: Partial<ConstructorParameters<typeof HttpConnector>[0]> = {}): HttpConnector {
  return new HttpConnector({
    target: TARGET,
    settings: settingsWith({ limits: { headerSize: 256 } }),
    ...options,
  });
}

function text(lines: string): Uint8Array {
  return toOctets(lines.replaceAll("\n", "\r\n"));
}

Deno.test("http connector: asks for the target, and for nothing else", () => {
  assertEquals(http().start(), text("CONNECT example.com:443 HTTP/1.1\nHost: example.com:443\n\n"));
});

Deno.test("http connector: says who we are, and which way the request has come", () => {
  const connector = http({
    target: { host: "2001:db8::1", port: 22 },
    authorization: basicAuthorization(ANN),
    via: "1.1 a, 1.1 b",
  });
  assertEquals(
    connector.start(),
    text(
      "CONNECT [2001:db8::1]:22 HTTP/1.1\nHost: [2001:db8::1]:22\n" +
        "Proxy-Authorization: Basic YW5uOnPDqWNyZXQ=\nVia: 1.1 a, 1.1 b\n\n",
    ),
  );
});

for (
  const [name, answer] of [
    ["200", "HTTP/1.1 200 Connection established\n\n"],
    ["200 of HTTP/1.0, as Squid has it", "HTTP/1.0 200 Connection established\nProxy-Agent: x\n\n"],
    ["any 2xx", "HTTP/1.1 299 Whatever\n\n"],
    [
      "2xx with fields that mean nothing there",
      "HTTP/1.1 200 OK\nContent-Length: 5\nTransfer-Encoding: chunked\n\n",
    ],
    [
      "2xx behind interim responses",
      "HTTP/1.1 100 Continue\n\nHTTP/1.1 103 Early\nLink: x\n\nHTTP/1.1 200 OK\n\n",
    ],
  ]
) {
  Deno.test(`http connector: ${name} opens the tunnel`, () => {
    assertReads({ make: () => http() }, text(answer), [ESTABLISHED]);
  });
}

const HTTP_REFUSALS: [answer: string, expected: Refusal][] = [
  ["HTTP/1.1 403 Forbidden\nContent-Length: 3\n\nNo.", { code: "http_request_denied", upstream: false }],
  ["HTTP/1.1 502 Bad Gateway\n\n", { code: "destination_unavailable", upstream: false }],
  ["HTTP/1.1 503 Service Unavailable\n\n", { code: "destination_unavailable", upstream: false }],
  ["HTTP/1.1 504 Gateway Timeout\n\n", { code: "connection_timeout", upstream: false }],
  [
    "HTTP/1.1 502 x\nProxy-Status: far; error=connection_refused\n\n",
    { code: "connection_refused", upstream: false, says: "It refused example.com:443: connection_refused" },
  ],
  [
    "HTTP/1.1 403 x\nProxy-Status: a; error=destination_ip_prohibited, b\n\n",
    { code: "destination_ip_prohibited", upstream: false },
  ],
  ["HTTP/1.1 504 x\nProxy-Status: a;error=dns_timeout\n\n", { code: "dns_timeout", upstream: false }],
  [
    'HTTP/1.1 502 x\nProxy-Status: a; details="x; error=dns_error"; error=connection_timeout\n\n',
    { code: "connection_timeout", upstream: false },
  ],
  [
    "HTTP/1.1 502 x\nProxy-Status: a; error=no_such_error\n\n",
    { code: "destination_unavailable", upstream: false },
  ],
  ["HTTP/1.1 502 x\nProxy-Status: a; error=constructor\n\n", {
    code: "destination_unavailable",
    upstream: false,
  }],
  // Not of RFC 9209: nobody but ourselves may say that a client of ours has to log in.
  [
    "HTTP/1.1 502 x\nProxy-Status: a; error=proxy_authentication_required\n\n",
    { code: "destination_unavailable", upstream: false },
  ],
  [
    "HTTP/1.1 503 x\nProxy-Status: a; error=connection_limit_reached\n\n",
    { code: "connection_limit_reached", upstream: true },
  ],
  ["HTTP/1.1 503 x\nRetry-After: 10\n\n", { code: "destination_unavailable", upstream: true }],
  [
    "HTTP/1.1 407 x\nProxy-Authenticate: Basic\n\n",
    { code: "proxy_configuration_error", upstream: true, says: "no user is configured" },
  ],
  ["HTTP/1.1 404 Not Found\n\n", { code: "http_protocol_error", upstream: true, says: "(404)" }],
  ["HTTP/1.1 302 Found\nLocation: /\n\n", { code: "http_protocol_error", upstream: true }],
  ["HTTP/1.1 101 Switching Protocols\n\n", { code: "http_protocol_error", upstream: true }],
  ["HTTP/1.1 100 Continue\n\n".repeat(17), { code: "http_protocol_error", upstream: true }],
  ["SSH-2.0-OpenSSH_9.9\n", { code: "http_protocol_error", upstream: true }],
  ["HTTP/2 200 OK\n\n", { code: "http_protocol_error", upstream: true }],
  [`HTTP/1.1 200 ${"x".repeat(300)}`, { code: "http_response_header_section_size", upstream: true }],
];

for (const [answer, expected] of HTTP_REFUSALS) {
  const name = JSON.stringify(answer.slice(0, 70));
  Deno.test(`http connector: ${name} is ${expected.code}`, () => {
    assertRefuses(() => http(), text(answer), expected);
  });
}

Deno.test("http connector: a wrong password is told without the password", () => {
  const make = () => http({ authorization: basicAuthorization(ANN) });
  assertRefuses(make, text("HTTP/1.1 407 x\n\n"), {
    code: "proxy_configuration_error",
    upstream: true,
    says: "does not accept our credentials",
  });
});

// -- SOCKS5 --

function socks5(target?: TcpAddress, credentials?: typeof ANN): Socks5Connector {
  return new Socks5Connector({ target: target ?? TARGET, credentials });
}

const NAMED = '05 01 00 03 0b "example.com" 01bb';

for (
  const [name, target, request] of [
    ["a name", TARGET, NAMED],
    ["an IPv4 address", { host: "192.0.2.1", port: 80 }, "05 01 00 01 c0000201 0050"],
    [
      "an IPv6 address",
      { host: "2001:db8::1", port: 1 },
      "05 01 00 04 20010db8000000000000000000000001 0001",
    ],
  ] as const
) {
  Deno.test(`socks5 connector: asks for ${name}`, () => {
    assertEquals(socks5(target).start(), octets("05 01 00"));
    const reply = "05 00 05 00 00 01 c0000201 1234";
    assertReads<Connector>({ make: () => socks5(target) }, octets(reply), [send(request), ESTABLISHED]);
  });
}

for (
  const [name, bound] of [
    ["an IPv4 address", "01 00000000 0000"],
    ["an IPv6 address", "04 20010db8000000000000000000000001 ffff"],
    ["a name", '03 03 "abc" 0050'],
    ["an empty name", "03 00 0000"],
  ]
) {
  Deno.test(`socks5 connector: takes a reply with ${name}, and nothing behind it`, () => {
    assertReads<Connector>({ make: () => socks5() }, octets(`05 00 05 00 00 ${bound}`), [
      send(NAMED),
      ESTABLISHED,
    ]);
  });
}

Deno.test("socks5 connector: says who we are where it is asked", () => {
  const make = () => socks5(TARGET, ANN);
  assertEquals(make().start(), octets("05 02 00 02"));
  const login = send('01 03 "ann" 07 "sécret"');
  const reply = "05 00 00 01 00000000 0000";
  assertReads<Connector>({ make }, octets(`05 02 01 00 ${reply}`), [login, send(NAMED), ESTABLISHED]);
  assertReads<Connector>({ make }, octets(`05 00 ${reply}`), [send(NAMED), ESTABLISHED]);
  const wrong = { code: "proxy_configuration_error", upstream: true } as const;
  assertRefuses(make, octets("05 02 01 01"), { ...wrong, says: "does not accept our user name" }, [login]);
  assertRefuses(make, octets("05 ff"), { ...wrong, says: "accepts no password" });
  assertRefuses(() => socks5(), octets("05 ff"), { ...wrong, says: "no user is configured" });
  assertRefuses(() => socks5(), octets("05 02"), { ...wrong, says: "no user is configured" });
});

const REPLIES: [rep: number, expected: Refusal][] = [
  [1, { code: "destination_unavailable", upstream: false, socks5: 1 }],
  [2, { code: "http_request_denied", upstream: false, socks5: 2 }],
  [3, { code: "destination_ip_unroutable", upstream: false, socks5: 3 }],
  [4, { code: "destination_ip_unroutable", upstream: false, socks5: 4 }],
  [5, { code: "connection_refused", upstream: false, socks5: 5 }],
  [6, { code: "connection_timeout", upstream: false, socks5: 6 }],
  [7, { code: "proxy_configuration_error", upstream: true }],
  [8, { code: "destination_unavailable", upstream: false, socks5: 8 }],
  [9, { code: "proxy_configuration_error", upstream: true }],
  [255, { code: "proxy_configuration_error", upstream: true }],
];

for (const [rep, expected] of REPLIES) {
  Deno.test(`socks5 connector: the reply ${rep} is ${expected.code}, also when it is cut short`, () => {
    const says = { ...expected, says: `(SOCKS5 reply ${rep})` };
    const start = `05 00 05 ${rep.toString(16).padStart(2, "0")}`;
    assertRefuses(() => socks5(), octets(start), says, [send(NAMED)]);
    assertRefuses(() => socks5(), octets(`${start} 00 01 00000000 0000`), says, [send(NAMED)]);
  });
}

Deno.test("socks5 connector: what does not speak SOCKS5 is the upstream's failure", () => {
  const garbage = { code: "proxy_configuration_error", upstream: true } as const;
  assertRefuses(() => socks5(), octets('"HTTP/1.1 400 Bad Request"'), { ...garbage, says: "begins with 72" });
  assertRefuses(() => socks5(), octets("00"), garbage);
  assertRefuses(() => socks5(), octets("05 01"), garbage);
  assertRefuses(() => socks5(), octets("05 00 04"), garbage, [send(NAMED)]);
  assertRefuses(() => socks5(), octets("05 00 05 00 00 02"), garbage, [send(NAMED)]);
});

// -- SOCKS4 --

function socks4(target: TcpAddress, user?: string): Socks4Connector {
  return new Socks4Connector({
    target,
    credentials: user === undefined ? undefined : { user, password: "" },
  });
}

const ADDRESS = { host: "192.0.2.1", port: 80 };

Deno.test("socks4 connector: asks for an address as SOCKS4, and for all else as SOCKS4A", () => {
  assertEquals(socks4(ADDRESS).start(), octets("04 01 0050 c0000201 00"));
  assertEquals(socks4(ADDRESS, "ann").start(), octets('04 01 0050 c0000201 "ann" 00'));
  assertEquals(socks4(TARGET, "ann").start(), octets('04 01 01bb 00000001 "ann" 00 "example.com" 00'));
  assertEquals(socks4({ host: "::1", port: 1 }).start(), octets('04 01 0001 00000001 00 "::1" 00'));
});

Deno.test("socks4 connector: 0x5A opens the tunnel, whatever address comes with it", () => {
  for (const reply of ["00 5a 0000 00000000", "00 5a 1234 c0000201", "04 5a 0000 00000000"]) {
    assertReads<Connector>({ make: () => socks4(ADDRESS) }, octets(reply), [ESTABLISHED]);
  }
});

for (
  const [reply, expected] of [
    ["00 5b 0000 00000000", {
      code: "destination_unavailable",
      upstream: false,
      says: "rejected 192.0.2.1:80",
    }],
    ["00 5b", { code: "destination_unavailable", upstream: false }],
    ["00 5c 0000 00000000", { code: "proxy_configuration_error", upstream: true }],
    ["00 5d 0000 00000000", { code: "proxy_configuration_error", upstream: true }],
    ["00 00", { code: "proxy_configuration_error", upstream: true }],
    ["05 00", { code: "proxy_configuration_error", upstream: true, says: "begins with 5" }],
    ['"HTTP/1.1 400 Bad"', { code: "proxy_configuration_error", upstream: true }],
  ] as [string, Refusal][]
) {
  Deno.test(`socks4 connector: ${reply} is ${expected.code}`, () => {
    assertRefuses(() => socks4(ADDRESS, "ann"), octets(reply), expected);
  });
}

// -- line --

Deno.test("line connector: names the target and waits for nothing", () => {
  const connector = new LineConnector({ target: { host: "2001:db8::1", port: 443 } });
  assertEquals(connector.start(), toOctets("[2001:db8::1]:443\r\n"));
  assertEquals(connector.read(), ESTABLISHED);
  assertEquals(new LineConnector({ target: TARGET }).start(), toOctets("example.com:443\r\n"));
});

// -- all --

Deno.test("connectors: half a reply is waited for", () => {
  for (let i = 0; i < 8; i++) {
    assertWaits({ make: () => socks4(ADDRESS) }, octets("00 5a 0000 00000000").subarray(0, i));
  }
  assertWaits({ make: () => http() }, text("HTTP/1.1 200 OK\n"));
  assertWaits<Connector>({ make: () => socks5() }, octets("05 00 05 00 00 03"), [send(NAMED)]);
});

Deno.test("connectors: an established tunnel is left alone", () => {
  const connector = http();
  const buffer = ByteBuffer.of(text("HTTP/1.1 200 OK\n\nHTTP/1.1 502 Bad Gateway\n\n"));
  assertEquals(connector.read(buffer), ESTABLISHED);
  assertEquals(connector.read(buffer), undefined);
  assertEquals(buffer.bytes, text("HTTP/1.1 502 Bad Gateway\n\n"));
});

const SAMPLES: [name: string, make: () => Connector, replies: Uint8Array[]][] = [
  [
    "http",
    () => http(),
    [...Array(40).fill("HTTP/1.1 200 OK\n\n"), ...HTTP_REFUSALS.map(([answer]) => answer)].map(text),
  ],
  ["socks5", () => socks5(TARGET, ANN), [
    octets("05 02 01 00 05 00 00 01 00000000 0000"),
    octets("05 00 05 05"),
  ]],
  ["socks4", () => socks4(ADDRESS), [octets("00 5a 0000 00000000"), octets("00 5b 0000 00000000")]],
];

for (const [name, make, samples] of SAMPLES) {
  Deno.test(`${name} connector: no input breaks it or depends on how it is cut (seed ${SEED})`, () => {
    const tally = fuzz<Connector>({ make }, { samples });
    assert(Math.min(tally.events, tally.faults, tally.waits) > 100, JSON.stringify(tally));
  });
}
