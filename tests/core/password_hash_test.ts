import { assertEquals, assertMatch, assertThrows } from "@std/assert";
import { Buffer } from "node:buffer";
import { hashPassword, parseHash, verifyHash } from "../../src/policy/password_hash.ts";
import { verifyBcrypt } from "../../src/policy/bcrypt.ts";
import { readScrypt, type Scrypt } from "../../src/policy/scrypt.ts";
import { UsageError } from "../../src/text/usage_error.ts";

/** Made with CPython's hashlib.scrypt and base64. */
const FOREIGN_MADE =
  "$scrypt$ln=10,r=8,p=1$MDEyMzQ1Njc4OWFiY2RlZg$TGOG+s1NLmSxVhUf5etn2dmhsDJkPbU1xHpAsYvO5BoJesaj8+CAE6ngIjZXBN04zhqoRqi81Rb0Bd3I+5EZaA";

const SALT = "MDEyMzQ1Njc4OWFiY2RlZg";
const HASH = "A".repeat(43);

Deno.test("hashPassword() makes a PHC string with a salt of its own, which verifyHash() knows its password by", async () => {
  const [text, other] = await Promise.all([hashPassword("pässwörd"), hashPassword("pässwörd")]);
  assertMatch(text, /^\$scrypt\$ln=15,r=8,p=3\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/);
  assertEquals(text === other, false);
  const hash = parseHash(text);
  assertEquals(await Promise.all(["pässwörd", "passwörd"].map((password) => verifyHash(hash, password))), [
    true,
    false,
  ]);
});

Deno.test("verifyHash() verifies what others have hashed, whatever the lengths", async () => {
  const hash = parseHash(FOREIGN_MADE);
  assertEquals((readScrypt(FOREIGN_MADE) as Scrypt).hash.length, 64);
  assertEquals(await verifyHash(hash, "pässwörd"), true);
  assertEquals(await verifyHash(hash, ""), false);
});

Deno.test("readScrypt() reads every part", () => {
  const { salt, hash, ...parameters } = readScrypt(`$scrypt$ln=17,r=8,p=1$${SALT}$${HASH}`) as Scrypt;
  assertEquals(parameters, { ln: 17, r: 8, p: 1 });
  assertEquals([Buffer.from(salt).toString(), hash.length], ["0123456789abcdef", 32]);
});

Deno.test("parseHash() refuses hashes that are weak, damaged, or ask for gigabytes or minutes", () => {
  const broken = [
    `$scrypt$ln=18,r=8,p=1$${SALT}$${HASH}`,
    `$scrypt$ln=99,r=8,p=1$${SALT}$${HASH}`,
    `$scrypt$ln=17,r=9,p=1$${SALT}$${HASH}`,
    `$scrypt$ln=10,r=9999,p=1$${SALT}$${HASH}`,
    `$scrypt$ln=17,r=8,p=3$${SALT}$${HASH}`,
    `$scrypt$ln=10,r=8,p=9999$${SALT}$${HASH}`,
    `$scrypt$ln=9,r=8,p=1$${SALT}$${HASH}`,
    `$scrypt$ln=20,r=1,p=1$${SALT}$${HASH}`,
    `$scrypt$ln=15,r=7,p=1$${SALT}$${HASH}`,
    `$scrypt$ln=15,r=0,p=1$${SALT}$${HASH}`,
    `$scrypt$ln=015,r=8,p=1$${SALT}$${HASH}`,
    `$scrypt$r=8,ln=15,p=1$${SALT}$${HASH}`,
    `$scrypt$ln=15,r=8,p=1$${SALT}==$${HASH}`,
    `$scrypt$ln=15,r=8,p=1$${SALT.slice(0, -1)}h$${HASH}`,
    `$scrypt$ln=15,r=8,p=1$${SALT}$${HASH.slice(1)}`,
    `$scrypt$ln=15,r=8,p=1$${SALT}$${HASH.replace("AA", "__")}`,
    `$scrypt$ln=15,r=8,p=1$AAAA$${HASH}`,
    `$scrypt$ln=15,r=8,p=1$${SALT}$${"A".repeat(100)}`,
    `$scrypt$ln=15,r=8,p=1$${SALT}$${HASH}:more`,
    "$scrypt$",
  ];
  for (const text of broken) {
    const { message } = assertThrows(() => parseHash(text), UsageError, "sluice passwd NAME", text);
    assertEquals(message.includes(HASH.slice(1)) || message.includes(SALT), false, message);
  }
});

Deno.test("parseHash() names what other programs write, and quotes none of it", () => {
  const cases: [text: string, name: string][] = [
    ["$2x$05$c4WoMPo3SXsafkva.HHa6uXQZWr7oboPiC2bT/r7q1BB8I2s0BRqC", "bcrypt of a faulty version"],
    ["$apr1$r31.....$HqJZimcKQFAMYayBlzkrA/", "Apache's MD5"],
    ["$1$salt$abc", "MD5 crypt"],
    ["$5$salt$abc", "SHA-256 crypt"],
    ["$6$salt$abc", "SHA-512 crypt"],
    ["$y$j9T$salt$abc", "yescrypt"],
    ["$argon2id$v=19$m=65536,t=3,p=4$abc$def", "Argon2"],
    ["{SHA}fEqNCco3Yq9h5ZUglD3CZJT4lBs=", "SHA-1"],
    ["rqXexS6ZhobKA", "DES crypt"],
    ["open sesame", "clear text"],
    ["", "clear text"],
  ];
  for (const [text, name] of cases) {
    const { message } = assertThrows(() => parseHash(text), UsageError, name);
    assertEquals(text !== "" && message.includes(text), false, message);
  }
});

/** Made with `htpasswd -nbB` of Apache 2.4, and with the letters that other programs have in its place. */
const HTPASSWD = "$2y$05$feP1GlL39d6g.4ExeCn1A.ox9l.f3ZhnMrKIvm8WBEVcquj14wtia";

Deno.test("verifyHash() verifies bcrypt of htpasswd and others", async () => {
  for (const version of ["2y", "2b", "2a"]) {
    const hash = parseHash(HTPASSWD.replace("2y", version));
    assertEquals(hash.scheme, "bcrypt");
    assertEquals(await verifyHash(hash, "pässwörd"), true);
    assertEquals(await verifyHash(hash, "passwörd"), false);
  }
});

Deno.test("parseHash() refuses bcrypt that is damaged, or costs nothing or too much", () => {
  const broken = [
    HTPASSWD.slice(0, -1),
    `${HTPASSWD}a`,
    HTPASSWD.replace("$05$", "$5$"),
    HTPASSWD.replace("$05$", "$03$"),
    HTPASSWD.replace("$05$", "$13$"),
    HTPASSWD.replace("$05$", "$99$"),
    HTPASSWD.replace("feP1", "fe-1"),
  ];
  for (const text of broken) {
    const { message } = assertThrows(() => parseHash(text), UsageError, "sluice passwd NAME", text);
    assertEquals(message.includes(HTPASSWD.slice(10)), false, message);
  }
});

Deno.test("verifyBcrypt() keeps its turn after a wrong password, and not after a right one", async () => {
  for (const [password, right] of [["pässwörd", true], ["wrong", false]] as const) {
    const rests: number[] = [];
    let time = 0;
    const clock = {
      // Every look at the clock is 10 ms later.
      now: () => time += 10,
      schedule(delay: number, callback: () => void) {
        rests.push(delay);
        callback();
        return () => {};
      },
    };
    assertEquals(await verifyBcrypt(HTPASSWD, password, clock), right);
    assertEquals(rests, right ? [] : [40]);
  }
});
