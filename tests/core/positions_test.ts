import { assertEquals } from "@std/assert";
import { type Path, positionsInJson, positionsInToml } from "../../src/cli/config/positions.ts";

const TOML = `# A comment with a "quote", and a = sign
listen = ["127.0.0.1:1", # the first
  { address = "b", cert = 'c' }]
idle-timeout = 5 # y
limits.connections = 7
[timeouts]
idle = "5m"
[ users ]
"b.c" = 'y'
[[admin]]
a = 1
[[admin]]
text = """
[users] "quoted"
x = 1
"""
[admin.b]
"é" . w = 1979-05-27T07:32:00Z
`;

const IN_TOML: [path: Path, key: string, value: string][] = [
  [["listen"], "2:1", "2:10"],
  [["listen", 0], "2:11", "2:11"],
  [["listen", 1, "cert"], "3:20", "3:27"],
  [["idle-timeout"], "4:1", "4:16"],
  [["limits", "connections"], "5:1", "5:22"],
  [["timeouts", "idle"], "7:1", "7:8"],
  [["users", "b.c"], "9:1", "9:9"],
  [["admin", 0, "a"], "11:1", "11:5"],
  [["admin", 1, "text"], "13:1", "13:8"],
  [["admin", 1, "b"], "17:2", "17:2"],
  [["admin", 1, "b", "é", "w"], "18:1", "18:11"],
  [["users", "nobody"], "8:3", "8:3"],
  [["nothing"], "1:1", "1:1"],
];

for (const [path, key, value] of IN_TOML) {
  Deno.test(`positions: ${path.join(".")} of TOML stands at ${value}, and its key at ${key}`, () => {
    const positions = positionsInToml(TOML);
    const at = ({ line, column }: { line: number; column: number }) => `${line}:${column}`;
    assertEquals([at(positions.key(path)), at(positions.value(path))], [key, value]);
    const crlf = positionsInToml(TOML.replaceAll("\n", "\r\n"));
    assertEquals([at(crlf.key(path)), at(crlf.value(path))], [key, value]);
  });
}

Deno.test("positions: those in JSON are found behind comments, in lists and in objects", () => {
  const positions = positionsInJson(`// { "a": 0
{ "a": [1, "b"], /* "t" */
  "t": { "a": nope, "b:c": {} } }`);
  assertEquals(positions.value(["a", 1]), { line: 2, column: 12 });
  assertEquals(positions.key(["t", "a"]), { line: 3, column: 10 });
  assertEquals(positions.value(["t", "b:c"]), { line: 3, column: 28 });
});

Deno.test("positions: a key that is given twice is found, whatever its spelling", () => {
  const doubles: Record<string, string[]> = {
    'a = 1\n"a" = 2': ["a"],
    "[t]\na = 1\n[u]\na = 1\n[t]\nb = 2": ["t"],
    "t = { a = 1, a = 2 }": ["t.a"],
    "t.a = 1\nt.b = 2\nt.a = 3": ["t.a"],
    "[[t]]\na = 1\n[[t]]\na = 2": [],
    "[a.b]\nc = 1\n[a]\nd = 1": [],
  };
  for (const [text, paths] of Object.entries(doubles)) {
    assertEquals(positionsInToml(text).doubles.map((path) => path.join(".")), paths, text);
  }
  assertEquals(positionsInJson('{"a": 1, "a": 2}').doubles, [["a"]]);
});

Deno.test("positions: a text that is neither TOML nor JSON does not stop the search from ending", () => {
  for (
    const text of [
      "",
      "[",
      "a",
      "a =",
      "a = [",
      "a = [1",
      "a = {",
      '"',
      "= 1",
      "]",
      "[[a",
      "a.b.",
      "\0",
      "a = [[[[",
    ]
  ) {
    positionsInToml(text);
    positionsInJson(text);
  }
});

Deno.test("positions: the time for a text grows with its length alone", () => {
  const rules = Array.from({ length: 20_000 }, (_, i) => `  "deny host${i}.test",`);
  const positions = positionsInToml(`rules = [\n${rules.join("\n")}\n]\n`);
  const last = Array.from({ length: 20_000 }, (_, i) => positions.value(["rules", i])).at(-1);
  assertEquals(last, { line: 20_001, column: 3 });
});
