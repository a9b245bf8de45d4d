import { assert, assertEquals, assertThrows } from "@std/assert";
import { Fault, type FaultCode } from "../../src/faults.ts";
import { FAULTS } from "../../src/fault_table.ts";
import type { HandshakeEvent } from "../../src/protocols/common/handshake.ts";
import { Socks5Handshake } from "../../src/protocols/socks/socks5.ts";
import {
  assertFaults,
  assertReads,
  assertWaits,
  concat,
  fuzz,
  octets,
  transcribe,
} from "../support/codec.ts";
import { SEED } from "../support/random.ts";
import { settingsWith } from "../support/settings.ts";

const OPTIONS = { settings: settingsWith(), reference: "7-1", date: () => new Date(0) };

/** A proxy without users. */
const OPEN = { make: () => new Socks5Handshake({ ...OPTIONS, credentialsRequired: false }) };

/** A proxy with users, whoever calls on it being one. */
const TRUSTING = {
  make: () => new Socks5Handshake({ ...OPTIONS, credentialsRequired: true }),
  answer(codec: Socks5Handshake, event: HandshakeEvent) {
    if (event.type === "credentials") codec.accepted();
  },
};

/** A proxy with users that never comes to a judgement. */
const GUARDED = { make: TRUSTING.make };

const SUBJECTS = { OPEN, TRUSTING, GUARDED };

function method(code: number): HandshakeEvent {
  return { type: "reply", bytes: Uint8Array.of(5, code) };
}

function login(user: string, password: string): HandshakeEvent {
  return { type: "credentials", credentials: { user, password } };
}

const NO_LOGIN: HandshakeEvent = { type: "credentials", credentials: undefined };

function tunnel(host: string, port: number): HandshakeEvent {
  return { type: "request", request: { kind: "tunnel", target: { host, port } } };
}

function association(host: string, port: number): HandshakeEvent {
  return { type: "request", request: { kind: "association", target: { host, port } } };
}

/** Complete conversations; each part is one message. */
const UNDERSTOOD: {
  readonly name: string;
  readonly to: keyof typeof SUBJECTS;
  readonly bytes: string;
  readonly events: HandshakeEvent[];
}[] = [
  {
    name: "an IPv4 address",
    to: "OPEN",
    bytes: "05 01 00 / 05 01 00 01 7f000001 01bb",
    events: [method(0), tunnel("127.0.0.1", 443)],
  },
  {
    name: "a host name",
    to: "OPEN",
    bytes: '05 01 00 / 05 01 00 03 0b "example.com" 0050',
    events: [method(0), tunnel("example.com", 80)],
  },
  {
    name: "an IPv6 address, in its canonical text",
    to: "OPEN",
    bytes: "05 01 00 / 05 01 00 04 20010db8000000000001000000000001 ffff",
    events: [method(0), tunnel("2001:db8::1:0:0:1", 65535)],
  },
  {
    name: "an IPv4 address mapped into IPv6",
    to: "OPEN",
    bytes: "05 01 00 / 05 01 00 04 00000000000000000000ffff7f000001 0050",
    events: [method(0), tunnel("::ffff:127.0.0.1", 80)],
  },
  {
    name: "an IPv4 address sent as a name",
    to: "OPEN",
    bytes: '05 01 00 / 05 01 00 03 07 "1.2.3.4" 0050',
    events: [method(0), tunnel("1.2.3.4", 80)],
  },
  {
    name: "an IPv6 address sent as a name",
    to: "OPEN",
    bytes: '05 01 00 / 05 01 00 03 07 "0:0::01" 0050',
    events: [method(0), tunnel("::1", 80)],
  },
  {
    name: "a numeric form that is no address, as the name that it is",
    to: "OPEN",
    bytes: '05 01 00 / 05 01 00 03 06 "0x7f.1" 0050',
    events: [method(0), tunnel("0x7f.1", 80)],
  },
  {
    name: "a name of one byte",
    to: "OPEN",
    bytes: '05 01 00 / 05 01 00 03 01 "a" 0050',
    events: [method(0), tunnel("a", 80)],
  },
  {
    name: "a name of 255 bytes",
    to: "OPEN",
    bytes: `05 01 00 / 05 01 00 03 ff "${"a.".repeat(127)}b" 0050`,
    events: [method(0), tunnel("a.".repeat(127) + "b", 80)],
  },
  {
    name: "no authentication among other methods",
    to: "OPEN",
    bytes: "05 04 01 02 80 00 / 05 01 00 01 7f000001 0050",
    events: [method(0), tunnel("127.0.0.1", 80)],
  },
  {
    name: "255 methods",
    to: "OPEN",
    bytes: `05 ff ${"80".repeat(254)} 00 / 05 01 00 01 7f000001 0050`,
    events: [method(0), tunnel("127.0.0.1", 80)],
  },
  {
    name: "a user name and password",
    to: "TRUSTING",
    bytes: '05 02 00 02 / 01 05 "alice" 06 "secret" / 05 01 00 01 7f000001 0050',
    events: [method(2), login("alice", "secret"), tunnel("127.0.0.1", 80)],
  },
  {
    name: "a password that is not ASCII, as UTF-8",
    to: "TRUSTING",
    bytes: '05 01 02 / 01 06 "Zoë: " 0b "naïve 🔑" / 05 01 00 01 7f000001 0050',
    events: [method(2), login("Zoë: ", "naïve 🔑"), tunnel("127.0.0.1", 80)],
  },
  {
    name: "a password that begins with a byte order mark, unchanged",
    to: "TRUSTING",
    bytes: '05 01 02 / 01 01 "a" 04 efbbbf "b" / 05 01 00 01 7f000001 0050',
    events: [method(2), login("a", "\uFEFFb"), tunnel("127.0.0.1", 80)],
  },
  {
    name: "a user name and password of 255 bytes each",
    to: "TRUSTING",
    bytes: `05 01 02 / 01 ff "${"u".repeat(255)}" ff "${"p".repeat(255)}" / 05 01 00 01 7f000001 0050`,
    events: [method(2), login("u".repeat(255), "p".repeat(255)), tunnel("127.0.0.1", 80)],
  },
  {
    name: "an empty user name and password, for others to judge",
    to: "TRUSTING",
    bytes: "05 01 02 / 01 00 00 / 05 01 00 01 7f000001 0050",
    events: [method(2), login("", ""), tunnel("127.0.0.1", 80)],
  },
  {
    name: "a password that is not UTF-8, as no credentials",
    to: "TRUSTING",
    bytes: '05 01 02 / 01 01 "a" 01 e9 / 05 01 00 01 7f000001 0050',
    events: [method(2), NO_LOGIN, tunnel("127.0.0.1", 80)],
  },
  {
    name: "a user name with a line end, as no credentials",
    to: "TRUSTING",
    bytes: '05 01 02 / 01 04 "a" 0d0a "b" 01 "p" / 05 01 00 01 7f000001 0050',
    events: [method(2), NO_LOGIN, tunnel("127.0.0.1", 80)],
  },
  {
    name: "a password with NUL, as no credentials",
    to: "TRUSTING",
    bytes: '05 01 02 / 01 01 "a" 02 "p" 00 / 05 01 00 01 7f000001 0050',
    events: [method(2), NO_LOGIN, tunnel("127.0.0.1", 80)],
  },
  {
    name: "UDP ASSOCIATE of a client that does not know its port",
    to: "OPEN",
    bytes: "05 01 00 / 05 03 00 01 00000000 0000",
    events: [method(0), association("0.0.0.0", 0)],
  },
  {
    name: "UDP ASSOCIATE of a client that does, behind a login",
    to: "TRUSTING",
    bytes: '05 01 02 / 01 01 "a" 01 "b" / 05 03 00 04 20010db8000000000000000000000001 1234',
    events: [method(2), login("a", "b"), association("2001:db8::1", 0x1234)],
  },
];

for (const { name, to, bytes, events } of UNDERSTOOD) {
  Deno.test(`socks5: reads ${name}`, () => assertReads(SUBJECTS[to], octets(bytes), events));
}

const REFUSED_REQUEST = "0001 00000000 0000";

/** Conversations that end in a fault; `refusal` is what the client is told last. */
const REFUSED: {
  readonly name: string;
  readonly to?: keyof typeof SUBJECTS;
  readonly bytes: string;
  readonly events?: HandshakeEvent[];
  readonly code?: FaultCode;
  readonly refusal: string;
}[] = [
  { name: "another version in the greeting, without a word", bytes: "06 01 00", refusal: "" },
  { name: "no method at all", bytes: "05 00", refusal: "05 ff" },
  { name: "a greeting that offers a password where there are no users", bytes: "05 01 02", refusal: "05 ff" },
  { name: "a greeting that offers GSSAPI alone", bytes: "05 01 01", refusal: "05 ff" },
  {
    name: "a greeting without a password where it is required",
    to: "TRUSTING",
    bytes: "05 01 00 / 05 01 00 01 7f000001 0050",
    code: "proxy_authentication_required",
    refusal: "05 ff",
  },
  {
    name: "no method at all where a password is required",
    to: "TRUSTING",
    bytes: "05 00 / 05 01 00 01 7f000001 0050",
    code: "proxy_authentication_required",
    refusal: "05 ff",
  },
  {
    name: "a request before authentication",
    to: "TRUSTING",
    bytes: "05 01 02 / 05 01 00 01 7f000001 0050",
    events: [method(2)],
    refusal: "01 01",
  },
  {
    name: "a second greeting in place of authentication",
    to: "TRUSTING",
    bytes: "05 02 00 02 / 05 01 00 / 05 01 00 01 7f000001 0050",
    events: [method(2)],
    refusal: "01 01",
  },
  {
    name: "version 0 of the authentication",
    to: "TRUSTING",
    bytes: '05 01 02 / 00 01 "a" 01 "b"',
    events: [method(2)],
    refusal: "01 01",
  },
  {
    name: "a password where none was asked for",
    bytes: '05 02 00 02 / 01 01 "a" 01 "b"',
    events: [method(0)],
    refusal: `05 01 ${REFUSED_REQUEST}`,
  },
  ...requests([
    ["another version in the request", "04 01 00 01 7f000001 0050", "01"],
    ["the command 0", "05 00 00 01 7f000001 0050", "07"],
    ["BIND", "05 02 00 01 7f000001 0050", "07"],
    ["UDP ASSOCIATE of a type that is not known", "05 03 00 02 00000000 0000", "08"],
    ["the commands that Tor has made up", '05 f0 00 03 0b "example.com" 0000', "07"],
    ["a reserved octet that is not 0", "05 01 01 01 7f000001 0050", "01"],
    ["the address type 0", "05 01 00 00 7f000001 0050", "08"],
    ["the address type 2", "05 01 00 02 7f000001 0050", "08"],
    ["the address type 5", "05 01 00 05 7f000001 0050", "08"],
    ["an unknown address type before its address has arrived", "05 01 00 ff", "08"],
    ["port 0 of an IPv4 address", "05 01 00 01 7f000001 0000", "01"],
    ["port 0 of a name", '05 01 00 03 01 "a" 0000', "01"],
    ["an empty name", "05 01 00 03 00 0050", "01"],
    ["a name with NUL in it", '05 01 00 03 05 "go" 00 "od" 0050', "01"],
    ["a name that ends in NUL", '05 01 00 03 02 "a" 00 0050', "01"],
    ["a name with a line end", '05 01 00 03 05 "a" 0d0a "bc" 0050', "01"],
    ["a name with a space", '05 01 00 03 03 "a b" 0050', "01"],
    ["a name with a percent sign", '05 01 00 03 05 "a%2eb" 0050', "01"],
    ["a name with user information", '05 01 00 03 03 "a@b" 0050', "01"],
    ["a name with a port", '05 01 00 03 04 "a:80" 0050', "01"],
    ["a name with a backslash", '05 01 00 03 03 "a\\b" 0050', "01"],
    ["a name that is not ASCII", '05 01 00 03 03 "zö" 0050', "01"],
    ["an IPv6 address in brackets, sent as a name", '05 01 00 03 05 "[::1]" 0050', "01"],
    ["an IPv6 address with a zone, sent as a name", '05 01 00 03 09 "fe80::1%0" 0050', "01"],
  ]),
];

function requests(rows: [name: string, bytes: string, rep: string][]): typeof REFUSED {
  return rows.map(([name, bytes, rep]) => ({
    name,
    bytes: `05 01 00 / ${bytes}`,
    events: [method(0)],
    refusal: `05 ${rep} ${REFUSED_REQUEST}`,
  }));
}

for (const { name, to = "OPEN", bytes, events = [], code = "http_request_error", refusal } of REFUSED) {
  Deno.test(`socks5: refuses ${name}`, () => {
    for (const { codec, fault } of assertFaults(SUBJECTS[to], octets(bytes), events)) {
      assertEquals(fault.code, code);
      assertEquals(codec.refused(fault), { bytes: octets(refusal), retryable: false });
    }
  });
}

const LOGIN = '01 05 "alice" 06 "secret"';
const REQUEST = "05 01 00 01 7f000001 0050";

Deno.test("socks5: nothing is read beyond the credentials until they are accepted", () => {
  const bytes = octets(`05 01 02 / ${LOGIN} / ${REQUEST} / ${REQUEST}`);
  for (const { rest } of assertWaits(GUARDED, bytes, [method(2), login("alice", "secret")])) {
    assertEquals(rest, octets(`${REQUEST} ${REQUEST}`));
  }
});

Deno.test("socks5: a second login does not take the place of a judgement", () => {
  const bytes = octets(`05 01 02 / ${LOGIN} / ${LOGIN} / ${REQUEST}`);
  assertWaits(GUARDED, bytes, [method(2), login("alice", "secret")]);
});

Deno.test("socks5: denied credentials are answered with a status that is not 0, and end it", () => {
  const { codec, rest } = transcribe(GUARDED, [octets(`05 01 02 / ${LOGIN} / ${REQUEST}`)]);
  const denied = codec.refused(new Fault("proxy_authentication_required"));
  assertEquals(denied, { bytes: octets("01 01"), retryable: false });
  assertEquals(rest, octets(REQUEST));
});

Deno.test("socks5: accepted credentials are answered with status 0", () => {
  const { codec } = transcribe(GUARDED, [octets(`05 01 02 / ${LOGIN}`)]);
  assertEquals(codec.accepted(), octets("01 00"));
});

Deno.test("socks5: credentials can be accepted only while they are judged", () => {
  for (const bytes of ["", "05 01 02", "05 01 02 / 01 05"]) {
    const { codec } = transcribe(GUARDED, [octets(bytes)]);
    assertThrows(() => codec.accepted(), Error, "Cannot accept credentials");
  }
  for (const bytes of ["05 01 00", `05 01 00 / ${REQUEST}`]) {
    const { codec } = transcribe(OPEN, [octets(bytes)]);
    assertThrows(() => codec.accepted(), Error, "Cannot accept credentials");
  }
});

Deno.test("socks5: half a message is waited for", () => {
  const whole = octets(`05 01 02 / ${LOGIN} / 05 01 00 03 0b "example.com" 0050`);
  const events = [method(2), login("alice", "secret"), tunnel("example.com", 80)];
  const ends = [3, 17, whole.length];
  for (let length = 0; length < whole.length; length++) {
    assertWaits(
      TRUSTING,
      whole.subarray(0, length),
      events.slice(0, ends.filter((end) => end <= length).length),
    );
  }
});

Deno.test("socks5: a fault from elsewhere is told as the stage demands", () => {
  const fault = new Fault("client_timeout");
  const told: [subject: keyof typeof SUBJECTS, bytes: string, refusal: string][] = [
    ["OPEN", "", ""],
    ["OPEN", "05", ""],
    ["OPEN", "05 02 00", ""],
    ["OPEN", "05 01 00", `05 01 ${REFUSED_REQUEST}`],
    ["OPEN", "05 01 00 / 05 01", `05 01 ${REFUSED_REQUEST}`],
    ["OPEN", `05 01 00 / ${REQUEST}`, `05 01 ${REFUSED_REQUEST}`],
    ["GUARDED", "05 01 02", "01 01"],
    ["GUARDED", "05 01 02 / 01 05", "01 01"],
    ["GUARDED", `05 01 02 / ${LOGIN}`, "01 01"],
    ["TRUSTING", `05 01 02 / ${LOGIN}`, `05 01 ${REFUSED_REQUEST}`],
  ];
  for (const [subject, bytes, refusal] of told) {
    const { codec } = transcribe(SUBJECTS[subject], [octets(bytes)]);
    assertEquals(codec.refused(fault), { bytes: octets(refusal), retryable: false }, bytes);
  }
});

Deno.test("socks5: every fault after the request has the reply that the table gives it", () => {
  const { codec } = transcribe(OPEN, [octets(`05 01 00 / ${REQUEST}`)]);
  for (const [code, { socks5 }] of Object.entries(FAULTS)) {
    const { bytes } = codec.refused(new Fault(code as FaultCode));
    assertEquals(bytes, concat(Uint8Array.of(5, socks5), octets(REFUSED_REQUEST)), code);
  }
  const { bytes } = codec.refused(new Fault("connection_timeout", "No route to the host", { socks5: 6 }));
  assertEquals(bytes, octets(`05 06 ${REFUSED_REQUEST}`));
});

Deno.test("socks5: the reply to a request names the bound address", () => {
  const { codec } = transcribe(OPEN, [octets(`05 01 00 / ${REQUEST}`)]);
  const replies = [
    [{ host: "192.0.2.1", port: 0xABCD }, "05 00 00 01 c0000201 abcd"],
    [{ host: "2001:db8::1", port: 80 }, "05 00 00 04 20010db8000000000000000000000001 0050"],
    [{ path: "/run/upstream.sock" }, "05 00 00 01 00000000 0000"],
  ] as const;
  for (const [bound, bytes] of replies) assertEquals(codec.established({ local: bound }), octets(bytes));
});

const SAMPLES = [...UNDERSTOOD, ...REFUSED].map(({ bytes }) => octets(bytes));

for (const subject of ["OPEN", "TRUSTING"] as const) {
  Deno.test(`socks5: no input breaks it or depends on how it is cut, ${subject} (seed ${SEED})`, () => {
    const tally = fuzz(SUBJECTS[subject], { samples: SAMPLES });
    assert(Math.min(tally.events, tally.faults, tally.waits) > 1000, JSON.stringify(tally));
  });
}

Deno.test(`socks5: no input gets a request past a judgement that is never made (seed ${SEED})`, () => {
  const tally = fuzz(GUARDED, {
    samples: SAMPLES,
    check: ({ events }) => assertEquals(events.filter(({ type }) => type === "request"), []),
  });
  assert(tally.events > 1000, JSON.stringify(tally));
});
