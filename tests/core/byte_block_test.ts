import { assertEquals } from "@std/assert";
import { BlockWriter } from "../../src/streams/byte_block.ts";
import { fromLatin1, latin1 } from "../support/http1.ts";

Deno.test("BlockWriter writes texts and octets one behind the other, of whatever length", () => {
  const out = new BlockWriter();
  const octets = latin1("x\xE4".repeat(50_000));
  const taken: [bytes: Uint8Array, expected: string][] = [];
  for (const length of [0, 1, 31, 32, 100, 1000, 16_000, 17_000, 90_000, 5]) {
    out.begin();
    out.text("a\xFF");
    out.copy(octets, 1, 1 + length);
    out.text("b".repeat(length));
    taken.push([out.take(), `a\xFF${fromLatin1(octets.subarray(1, 1 + length))}${"b".repeat(length)}`]);
  }
  // What was taken stays as it was, whatever is written behind it.
  for (const [bytes, expected] of taken) assertEquals(fromLatin1(bytes), expected);
});

Deno.test("BlockWriter forgets what was written and not taken", () => {
  const out = new BlockWriter();
  for (const begun of ["GET /", "x".repeat(40_000)]) {
    out.begin();
    out.text(begun);
    out.begin();
    out.text("HEAD /");
    assertEquals(fromLatin1(out.take()), "HEAD /");
  }
});
