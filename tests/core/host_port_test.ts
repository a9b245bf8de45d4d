import { assertEquals } from "@std/assert";
import { parsePort, splitHostPort } from "../../src/addresses/host_port.ts";

const SPLIT: [text: string, host: string | undefined, bracketed?: boolean, port?: string][] = [
  ["a.test:80", "a.test", false, "80"],
  ["a.test", "a.test", false],
  ["a.test:", "a.test", false, ""],
  [":80", "", false, "80"],
  ["", "", false],
  ["[::1]:80", "::1", true, "80"],
  ["[::1]", "::1", true],
  ["::1:80", "::1", false, "80"],
  ["[::1", undefined],
  ["[::1]80", undefined],
  ["a.test:x y", "a.test", false, "x y"],
];

Deno.test("splitHostPort() takes a host and a port apart, and judges neither", () => {
  for (const [text, host, bracketed, port] of SPLIT) {
    assertEquals(
      splitHostPort(text),
      host === undefined ? undefined : { host, bracketed: bracketed!, port },
      text,
    );
  }
});

Deno.test("parsePort() reads 0 to 65535 in up to five digits", () => {
  for (const [text, port] of [["0", 0], ["65535", 65535], ["00080", 80]] as const) {
    assertEquals(parsePort(text), port);
  }
  for (const text of ["", "65536", "000080", "-1", "1e3", " 80", "0x50", "8.0"]) {
    assertEquals(parsePort(text), undefined, text);
  }
});
