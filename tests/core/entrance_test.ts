import { assertEquals, assertRejects } from "@std/assert";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseEndpoint } from "../../src/endpoint.ts";
import { Entrance, PLAIN_ENTRANCE } from "../../src/entrance.ts";
import { UsageError } from "../../src/usage_error.ts";

Deno.test("Entrance: a scheme restricts what is detected, and an admin listener speaks HTTP alone", () => {
  assertEquals(PLAIN_ENTRANCE.accepts, undefined);
  assertEquals(new Entrance(parseEndpoint("socks5://127.0.0.1:1")).accepts, ["socks5"]);
  const admin = new Entrance(parseEndpoint("127.0.0.1:1"), "admin");
  assertEquals([admin.accepts, admin.role, admin.tls], [["http"], "admin", undefined]);
});

Deno.test("Entrance: certificates are read by load(), and those read before stay where that fails", async () => {
  const folder = await mkdtemp(join(tmpdir(), "sluice-"));
  try {
    const [cert, key] = [join(folder, "cert"), join(folder, "key")];
    const entrance = new Entrance(parseEndpoint(`http+tls://127.0.0.1:1?cert=${cert}&key=${key}`));
    assertEquals(entrance.tls, undefined);
    await assertRejects(() => entrance.load(), UsageError, "the certificate");
    for (const text of ["one", "two"]) {
      await writeFile(cert, `${text} cert`);
      await writeFile(key, `${text} key`);
      await entrance.load();
      assertEquals(entrance.tls?.certificates, [{ cert: `${text} cert`, key: `${text} key` }]);
    }
    await writeFile(cert, "three cert");
    await rm(key);
    await assertRejects(() => entrance.load(), UsageError, "the key");
    assertEquals(entrance.tls?.certificates, [{ cert: "two cert", key: "two key" }]);
  } finally {
    await rm(folder, { recursive: true });
  }
});
