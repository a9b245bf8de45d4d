import { assertEquals } from "@std/assert";
import { halfSipHash } from "../../src/policy/half_sip_hash.ts";

/** Vectors of the reference implementation: the text is the octets 0, 1, 2 and so on, and the key 0 to 7. */
const VECTORS = [
  "218d1f59b9b83cc8",
  "be552412f8387315",
  "064f39ef7c50eb57",
  "ce0f1a45f7060679",
  "d5e78a175be52ea1",
  "cb9d7c3f2f3db580",
  "ce3e91358aa2bc25",
  "ff202728b07bc684",
  "edfee820bce4858c",
  "5b51cccc13888307",
];

Deno.test("halfSipHash() gives the digests of the reference implementation", () => {
  for (const [length, digest] of VECTORS.entries()) {
    const text = String.fromCharCode(...Array.from({ length }, (_, i) => i));
    const octets = new Uint8Array(Int32Array.from(halfSipHash([0x0302_0100, 0x0706_0504], text)).buffer);
    assertEquals(octets.toHex(), digest, `${length} octets`);
  }
});

Deno.test("halfSipHash() depends on every octet, on the length and on the key", () => {
  const text = "Basic YW5uOnNlY3JldHBhc3N3b3Jk";
  const texts = Array.from(text, (_, i) => [text.slice(0, i), `${text.slice(0, i)}\xFF${text.slice(i + 1)}`])
    .flat();
  const digests = [text, ...texts].map((text) => halfSipHash([1, 2], text).join());
  assertEquals(new Set([...digests, halfSipHash([1, 3], text).join()]).size, texts.length + 2);
});
