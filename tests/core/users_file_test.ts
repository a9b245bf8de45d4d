import { assertEquals, assertThrows } from "@std/assert";
import { parseUsersFile } from "../../src/policy/users_file.ts";
import { UsageError } from "../../src/text/usage_error.ts";

const HASH = `$scrypt$ln=15,r=8,p=3$MDEyMzQ1Njc4OWFiY2RlZg$${"A".repeat(43)}`;

Deno.test("parseUsersFile() reads a user per line, and passes comments and blank lines over", () => {
  const text = ["# users", "", `ann:${HASH}`, "  # more", `\tZoë Smith:${HASH} `, ""];
  for (const ending of ["\n", "\r\n"]) {
    const entries = parseUsersFile(text.join(ending), "users");
    assertEquals(entries.map(({ user, hash }) => [user, hash.text]), [["ann", HASH], ["Zoë Smith", HASH]]);
  }
  assertEquals(parseUsersFile("", "users"), []);
});

Deno.test("parseUsersFile() names every line that cannot be used, and quotes no password", () => {
  const text = [
    `ann:${HASH}`,
    "bob:secret",
    "# fine",
    "secret",
    `:${HASH}`,
    `ann:${HASH}`,
    "eve:$2y$05$secret",
    `e\x00ve:${HASH}`,
    `${"x".repeat(256)}:${HASH}`,
  ];
  const { message } = assertThrows(() => parseUsersFile(text.join("\n"), "users"), UsageError);
  assertEquals(
    message.split("\n").map((line) => line.split(" ")[0]),
    [2, 4, 5, 6, 7, 8, 9].map((line) => `users:${line}:`),
  );
  assertEquals(message.includes("secret") || message.includes("AAAA"), false, message);
  for (const hint of ["clear text", "bcrypt", '"ann" is given twice']) {
    assertEquals(message.includes(hint), true, `${hint}: ${message}`);
  }
});

Deno.test("parseUsersFile() does not name a thousand lines of a file of another kind", () => {
  const { message } = assertThrows(() => parseUsersFile("nonsense\n".repeat(1_000), "log"), UsageError);
  assertEquals(message.split("\n").length, 11);
  assertEquals(message.split("\n")[10], "log: 990 more lines cannot be used");
});
