import { assertEquals, assertNotEquals, assertRejects } from "@std/assert";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { selfSigned } from "../../src/tls/certificate.ts";
import { parseEndpoint } from "../../src/listeners/endpoint.ts";
import { ListenerSettings, PLAIN_LISTENER } from "../../src/listeners/listener_settings.ts";
import { readTextFile } from "../../src/text/text_file.ts";
import { UsageError } from "../../src/text/usage_error.ts";

Deno.test("ListenerSettings: a scheme restricts what is detected, and an admin listener speaks HTTP alone", () => {
  assertEquals(PLAIN_LISTENER.accepts, undefined);
  assertEquals(new ListenerSettings(parseEndpoint("socks5://127.0.0.1:1")).accepts, ["socks5"]);
  const admin = new ListenerSettings(parseEndpoint("127.0.0.1:1"), "admin");
  assertEquals([admin.accepts, admin.role, admin.tls], [["http"], "admin", undefined]);
});

Deno.test("ListenerSettings: what load() has read is used when it is told so, and only if it can be used", async () => {
  const folder = await mkdtemp(join(tmpdir(), "sluice-"));
  try {
    const [cert, key] = [join(folder, "cert"), join(folder, "key")];
    const settings = new ListenerSettings(parseEndpoint(`http+tls://127.0.0.1:1?cert=${cert}&key=${key}`));
    await assertRejects(() => settings.load(readTextFile), UsageError, "Cannot read the certificate");
    const made = ["a.test", "b.test"].map((host) => selfSigned(host, { now: new Date(), days: 1 }));
    for (const pair of made) {
      await writeFile(cert, pair.cert);
      await writeFile(key, pair.key);
      const use = await settings.load(readTextFile);
      assertNotEquals(settings.tls?.certificates[0].cert, pair.cert);
      use();
      assertEquals(settings.tls?.certificates, [{ cert: pair.cert, key: pair.key }]);
    }
    const [first, second] = made;
    await writeFile(key, first.key);
    await assertRejects(
      () => settings.load(readTextFile),
      UsageError,
      `it is not that of the certificate "${cert}"`,
    );
    await writeFile(key, "no key");
    await assertRejects(() => settings.load(readTextFile), UsageError, "it is no private key in PEM");
    await writeFile(cert, "no certificate");
    await assertRejects(() => settings.load(readTextFile), UsageError, "it is no certificate in PEM");
    assertEquals(settings.tls?.certificates, [{ cert: second.cert, key: second.key }]);
  } finally {
    await rm(folder, { recursive: true });
  }
});
