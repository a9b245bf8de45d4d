import { assertEquals } from "@std/assert";
import { Fields } from "../../src/protocols/http/fields.ts";
import { requestFraming, responseFraming } from "../../src/protocols/http1/framing.ts";
import type { Framing, Version } from "../../src/protocols/http/message.ts";
import { faultOf, type Lines, visible } from "../support/http1.ts";

function fields(lines: Lines): Fields {
  return new Fields(lines.map(([name, value]) => ({ name, value })));
}

function ofRequest(lines: Lines, version: Version = "1.1"): Framing {
  return requestFraming({ method: "POST", target: "/", version, fields: fields(lines) });
}

interface Circumstances {
  status?: number;
  method?: string;
  version?: Version;
}

function ofResponse(
  lines: Lines,
  { status = 200, method = "GET", version = "1.1" }: Circumstances = {},
): Framing {
  return responseFraming({ version, status, reason: "", fields: fields(lines) }, method);
}

const CL = "Content-Length";
const TE = "Transfer-Encoding";

const REQUESTS: [what: string, lines: Lines, framing: Framing][] = [
  ["nothing", [], { kind: "none" }],
  ["names that only look alike", [["Content_Length", "5"], ["Transfer_Encoding", "chunked"]], {
    kind: "none",
  }],
  ["Content-Length: 0", [[CL, "0"]], { kind: "length", length: 0 }],
  ["a length", [[CL, "42"]], { kind: "length", length: 42 }],
  ["a length with leading zeros", [["content-LENGTH", "0000000000000000000000042"]], {
    kind: "length",
    length: 42,
  }],
  ["the largest safe length", [[CL, "9007199254740991"]], { kind: "length", length: 2 ** 53 - 1 }],
  ["chunked", [[TE, "chunked"]], { kind: "chunked" }],
  ["chunked in another case", [["transfer-encoding", "ChunKed"]], { kind: "chunked" }],
  // RFC 9110 section 5.6.1.2: a recipient must ignore empty list elements. What is sent on has none.
  ["chunked beside empty list elements", [[TE, ", chunked,"], [TE, ""]], { kind: "chunked" }],
];

for (const [what, lines, framing] of REQUESTS) {
  Deno.test(`a request with ${what} is of framing ${JSON.stringify(framing)}`, () => {
    assertEquals(ofRequest(lines), framing);
  });
}

Deno.test("a request without Transfer-Encoding is framed the same in HTTP/1.0", () => {
  assertEquals(ofRequest([], "1.0"), { kind: "none" });
  assertEquals(ofRequest([[CL, "5"]], "1.0"), { kind: "length", length: 5 });
});

const BAD_LENGTHS = [
  ...[
    "",
    "+5",
    "-5",
    "-0",
    "5.0",
    "5e1",
    "0x5",
    "0b1",
    "5 5",
    "5\t5",
    "5;",
    "5_0",
    "five",
    "\xA05",
    "5\xA0",
    "\xB2",
    "\x855",
  ],
  ...[" 5", "5 ", ",", "5,", ",5", "5, 5", "5, 6", "5,5,5", '"5"', "NaN", "Infinity"],
];

for (const value of BAD_LENGTHS) {
  Deno.test(`Content-Length: ${visible(value)} is refused in a request`, () => {
    assertEquals(faultOf(() => ofRequest([[CL, value]])).status, 400);
  });
}

const LARGE_LENGTHS = ["9007199254740992", "18446744073709551621", "9".repeat(400), "9".repeat(60_000)];

for (const value of LARGE_LENGTHS) {
  Deno.test(`a Content-Length of ${value.slice(0, 20)} and ${value.length} digits in all is too large`, () => {
    assertEquals(faultOf(() => ofRequest([[CL, value]])).status, 413);
  });
}

Deno.test("a second Content-Length is refused in a request, the same one too", () => {
  for (const second of ["5", "6", "", "05"]) {
    assertEquals(faultOf(() => ofRequest([[CL, "5"], [CL, second]])).status, 400);
    assertEquals(faultOf(() => ofRequest([[CL, second], ["X", "a"], ["content-length", "5"]])).status, 400);
  }
});

const BAD_CODINGS: [values: string[], status: number][] = [
  [[""], 400],
  [[","], 400],
  [["identity"], 400],
  [["gzip"], 400],
  [["chunked, gzip"], 400],
  [["chunked", "gzip"], 400],
  [["chunked, identity"], 400],
  [["chunked, chunked"], 400],
  [["chunked", "chunked"], 400],
  [["gzip, chunked, chunked"], 400],
  [["chunked, gzip, chunked"], 400],
  [["chunkedchunked"], 400],
  [["xchunked"], 400],
  [["chunked;q=1"], 400],
  [["chunked ;"], 400],
  [['"chunked"'], 400],
  [["chunked\xA0"], 400],
  [["\xA0chunked"], 400],
  [["ch\x96nked"], 400],
  [['gzip;a="b, chunked"'], 400],
  [["gzip, chunked"], 501],
  [["gzip", "chunked"], 501],
  [["identity, chunked"], 501],
  [["gzip;a=b, , Chunked"], 501],
];

for (const [values, status] of BAD_CODINGS) {
  const list = values.map(visible).join(" and ");
  Deno.test(`Transfer-Encoding: ${list} is refused with ${status} in a request`, () => {
    assertEquals(faultOf(() => ofRequest(values.map((value) => [TE, value]))).status, status);
  });
}

Deno.test("Transfer-Encoding and Content-Length together are refused, whatever they say", () => {
  for (const coding of ["chunked", "identity", "", "x"]) {
    for (const length of ["5", "0", "", "x"]) {
      for (const lines of [[[TE, coding], [CL, length]], [[CL, length], [TE, coding]]] as Lines[]) {
        assertEquals(faultOf(() => ofRequest(lines)).status, 400);
      }
    }
  }
});

Deno.test("Transfer-Encoding in HTTP/1.0 is refused, in a request and in a response", () => {
  for (const coding of ["chunked", "identity", ""]) {
    assertEquals(faultOf(() => ofRequest([[TE, coding]], "1.0")).status, 400);
    if (coding === "identity") continue;
    assertEquals(faultOf(() => ofResponse([[TE, coding]], { version: "1.0" })).code, "http_protocol_error");
  }
});

const RESPONSES: [what: string, lines: Lines, framing: Framing][] = [
  ["nothing", [], { kind: "close" }],
  ["a length", [[CL, "42"]], { kind: "length", length: 42 }],
  ["the same length twice", [[CL, "42"], [CL, "42"]], { kind: "length", length: 42 }],
  ["a list of one length", [[CL, "42, 42,"]], { kind: "length", length: 42 }],
  ["chunked", [[TE, "chunked"]], { kind: "chunked" }],
  ["chunked in another case, beside empty list elements", [[TE, ","], ["transfer-encoding", "CHUNKED"]], {
    kind: "chunked",
  }],
];

for (const [what, lines, framing] of RESPONSES) {
  Deno.test(`a response with ${what} is of framing ${JSON.stringify(framing)}`, () => {
    assertEquals(ofResponse(lines), framing);
  });
}

const BAD_RESPONSE_LENGTHS: string[][] = [
  ...["", ",", "+5", "-5", "5.0", "5 5", "0x5", "five", "5, 6", "5, 05", "\xA05", "9007199254740992"].map((
    value,
  ) => [value]),
  ["5", "6"],
  ["5", "five"],
];

for (const values of BAD_RESPONSE_LENGTHS) {
  Deno.test(`Content-Length: ${values.map(visible).join(" and ")} is the target's fault in a response`, () => {
    const fault = faultOf(() => ofResponse(values.map((value) => [CL, value])));
    assertEquals([fault.code, fault.status, fault.blame], ["http_protocol_error", 502, "upstream"]);
  });
}

Deno.test("Transfer-Encoding and Content-Length together are the target's fault in a response", () => {
  assertEquals(faultOf(() => ofResponse([[TE, "chunked"], [CL, "5"]])).code, "http_protocol_error");
});

Deno.test("a response of the old coding identity runs to the close, and has no length beside it", () => {
  for (const version of ["1.0", "1.1"] as const) {
    assertEquals(ofResponse([[TE, "Identity"]], { version }), { kind: "close" });
  }
  const fault = faultOf(() => ofResponse([[TE, "identity"], [CL, "5"]]));
  assertEquals(fault.code, "http_protocol_error");
});

Deno.test("a response whose last coding is not chunked, or not that alone, is refused", () => {
  for (
    const coding of [
      "",
      "identity, identity",
      "identity, chunked",
      "gzip",
      "gzip, chunked",
      "chunked, gzip",
      "chunked, chunked",
      "chunked\xA0",
    ]
  ) {
    const fault = faultOf(() => ofResponse([[TE, coding]]));
    assertEquals([fault.code, fault.status], ["http_response_transfer_coding", 502], coding);
  }
});

const ANY_FIELDS: Lines[] = [[], [[CL, "5"]], [[TE, "chunked"]], [[TE, "gzip"]]];

Deno.test("a response to HEAD has no body whatever its fields say", () => {
  for (const lines of ANY_FIELDS) {
    for (const status of [200, 206, 404, 500]) {
      assertEquals(ofResponse(lines, { status, method: "HEAD" }), { kind: "none" });
    }
  }
});

Deno.test("1xx, 204 and 304 have no body whatever their fields say", () => {
  for (const lines of ANY_FIELDS) {
    for (const status of [100, 101, 103, 199, 204, 304]) {
      assertEquals(ofResponse(lines, { status }), { kind: "none" });
    }
  }
  assertEquals(ofResponse([], { status: 205 }), { kind: "close" });
});

Deno.test("a 2xx to CONNECT has no body whatever its fields say, and any other status has one", () => {
  for (const lines of [...ANY_FIELDS, [[CL, "five"]], [[CL, "5"], [TE, "chunked"]]] as Lines[]) {
    for (const status of [200, 204, 299]) {
      assertEquals(ofResponse(lines, { status, method: "CONNECT" }), { kind: "none" });
    }
  }
  assertEquals(ofResponse([[CL, "5"]], { status: 407, method: "CONNECT" }), { kind: "length", length: 5 });
  assertEquals(ofResponse([], { status: 300, method: "CONNECT" }), { kind: "close" });
});

Deno.test("methods that are not HEAD have a body in their response, whatever their case", () => {
  for (const method of ["GET", "head", "POST", "X"]) {
    assertEquals(ofResponse([[CL, "5"]], { method }), { kind: "length", length: 5 });
  }
});
