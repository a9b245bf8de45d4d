import { assertEquals, assertMatch, assertThrows } from "@std/assert";
import { formatEnd, formatStep } from "../../src/cli/check/check.ts";
import { parseCommandLine } from "../../src/cli/flags/options.ts";
import { Fault, type FaultCode } from "../../src/faults.ts";
import { FAULTS } from "../../src/fault_table.ts";
import { UsageError } from "../../src/text/usage_error.ts";

Deno.test("check: a step is a line in columns, and what is too long is not cut", () => {
  assertEquals(
    [
      formatStep({ name: "resolve", what: "a.test", outcome: "192.0.2.1", time: 1.94 }),
      formatStep({ name: "connect", what: "192.0.2.1:80", time: 1234.5 }),
      formatStep({ name: "connect", what: "192.0.2.1:80", time: 0, fault: new Fault("connection_refused") }),
      formatStep({ name: "request", what: `GET /${"x".repeat(40)}`, time: 3 }),
    ],
    [
      "resolve   a.test                          192.0.2.1                       1.9 ms",
      "connect   192.0.2.1:80                                                 1234.5 ms",
      "connect   192.0.2.1:80                    connection_refused              0.0 ms",
      `request   GET /${"x".repeat(40)}                                  3.0 ms`,
    ],
  );
});

Deno.test("check: what the network says cannot leave its line or colour it", () => {
  const line = formatStep({
    name: "response",
    what: "HTTP/1.1 200 \x1b[31m\x9bA\r\n",
    outcome: "\u202E",
    time: 1,
  });
  assertMatch(line, /^[\x20-\x7E]+$/);
  const fault = new Fault("http_protocol_error", "told \x1b[31m\nx");
  for (const text of formatEnd({ size: 0, time: 1, missed: [], fault })) assertMatch(text, /^[\x20-\x7E]*$/);
});

Deno.test("check: the end is the sum, or what went wrong, what to do, and what was not reached", () => {
  assertEquals(formatEnd({ size: 1256, time: 100, missed: [] }), [
    "total     1,256 bytes                     12.6 kB/s                     100.0 ms",
  ]);
  const fault = new Fault("connection_refused", "Cannot dial it");
  assertEquals(formatEnd({ size: 0, time: 1, missed: ["request", "body"], fault }).slice(1), [
    "",
    "Cannot dial it (connection_refused)",
    "Check the port, and that the server is running.",
    "Not reached: request, body",
  ]);
});

Deno.test("check: nobody is sent to the log of a proxy that they run by -x", () => {
  for (const code of Object.keys(FAULTS) as FaultCode[]) {
    const text = formatEnd({ size: 0, time: 1, missed: [], fault: new Fault(code) }).join("\n");
    if (code.startsWith("tls_")) assertEquals(text.includes("finds more in its log"), false, code);
  }
});

Deno.test("check: methods and fields that cannot be used are told, without what a field holds", () => {
  for (const method of ["CONNECT", "", "G T", "GET\r\n"]) {
    assertThrows(() => parseCommandLine(["check", `--method=${method}`, "http://a.test/"]), UsageError);
  }
  for (
    const field of [
      "s3cr3t",
      ": s3cr3t",
      "A: s3cr3t\r\nB: x",
      "Content-Length: 7",
      "Proxy-Authorization: s3cr3t",
    ]
  ) {
    const { message } = assertThrows(
      () => parseCommandLine(["check", "--header", field, "http://a.test/"]),
      UsageError,
    );
    assertEquals(message.includes("s3cr3t"), false);
  }
  const { options } = parseCommandLine(["check", "--header", "A:  b ", "--header", "C:", "http://a.test/"]);
  assertEquals(options.header, [{ name: "A", value: "b" }, { name: "C", value: "" }]);
});
