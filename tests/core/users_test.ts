import { assertEquals, assertThrows } from "@std/assert";
import { Users } from "../../src/policy/users.ts";
import { UsageError } from "../../src/usage_error.ts";

Deno.test("Users.verify() knows its users by name and password, and nobody else", () => {
  const users = new Users(["ann:secret", "bob:with:colons", "Zoë:pässwörd"]);
  const cases: [user: string, password: string, expected: boolean][] = [
    ["ann", "secret", true],
    ["bob", "with:colons", true],
    ["Zoë", "pässwörd", true],
    ["ann", "Secret", false],
    ["ann", "secre", false],
    ["ann", "", false],
    ["", "secret", false],
    ["Ann", "secret", false],
    ["ann", "with:colons", false],
    ["bob:with", "colons", false],
    ["eve", "secret", false],
  ];
  for (const [user, password, expected] of cases) {
    assertEquals(users.verify({ user, password }), expected, `${user}:${password}`);
  }
});

Deno.test("Users refuses entries that cannot work, and quotes no password", () => {
  const broken = [
    "",
    "ann",
    "ann:",
    ":secret",
    "a\nnn:secret",
    `ann:${"s".repeat(256)}`,
    `${"ä".repeat(128)}:secret`,
  ];
  for (const entry of broken) {
    const { message } = assertThrows(() => new Users([entry]), UsageError);
    assertEquals(message.includes("secret"), false, message);
  }
  assertThrows(() => new Users(["ann:1", "ann:2"]), UsageError, 'The user "ann" is given twice');
});
