import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { keygen } from "../../src/cli/keygen.ts";
import { parseCommandLine } from "../../src/cli/flags/options.ts";
import type { Shell } from "../../src/cli/program/shell.ts";
import { parseTokens, Tokens } from "../../src/policy/tokens.ts";
import { UsageError } from "../../src/text/usage_error.ts";

/** Runs the command, and settles with what it prints. */
async function run(...args: string[]): Promise<string> {
  let printed = "";
  const shell = { print: (text: string) => printed += text } as unknown as Shell;
  assertEquals(await keygen(parseCommandLine(["keygen", ...args], () => undefined), shell), 0);
  return printed;
}

async function inFolder(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "sluice-"));
  try {
    await body(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

Deno.test("keygen makes its folder, and a token that both halves take", () =>
  inFolder(async (folder) => {
    const out = join(folder, "a", "b");
    await run("--out", out, "proxy.example.com");
    assertEquals((await readdir(out)).sort(), ["sluice-cert.pem", "sluice-key.pem", "sluice-token"]);
    const [token, ...more] = parseTokens(await readFile(join(out, "sluice-token"), "utf8"));
    assertEquals(more, []);
    assert(new Tokens([token]).verify(token));
  }));

Deno.test("keygen prints the host as an endpoint has it", () =>
  inFolder(async (folder) => {
    const hosts = {
      "proxy.example.com": "proxy.example.com",
      "192.0.2.1": "192.0.2.1",
      "2001:db8::1": "[2001:db8::1]",
    };
    for (const [index, [host, written]] of Object.entries(hosts).entries()) {
      assertStringIncludes(
        await run("--out", join(folder, String(index)), host),
        `--remote ${written}:8443 `,
      );
    }
  }));

Deno.test("keygen leaves files alone that are there, whichever of them it is", async () => {
  for (const name of ["sluice-cert.pem", "sluice-key.pem", "sluice-token"]) {
    await inFolder(async (folder) => {
      await writeFile(join(folder, name), "mine", { mode: 0o640 });
      await assertRejects(() => run("--out", folder, "a.test"), UsageError, "it is there already");
      assertEquals(await readFile(join(folder, name), "utf8"), "mine");
      assertEquals((await stat(join(folder, name))).mode & 0o777, 0o640);
    });
  }
});

Deno.test("keygen says so where it cannot make its folder", () =>
  inFolder(async (folder) => {
    const out = join(folder, "file", "keys");
    await writeFile(join(folder, "file"), "");
    await assertRejects(() => run("--out", out, "a.test"), UsageError, `Cannot make the folder "${out}": `);
  }));

Deno.test("keygen makes nothing where one of the files is there", () =>
  inFolder(async (folder) => {
    await writeFile(join(folder, "sluice-token"), "mine");
    await assertRejects(() => run("--out", folder, "a.test"), UsageError);
    assertEquals(await readdir(folder), ["sluice-token"]);
  }));
