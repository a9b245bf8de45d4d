import { assertEquals, assertThrows } from "@std/assert";
import { readdirSync, readFileSync } from "node:fs";
import { ROOT } from "../../scripts/toolchain.ts";
import { checkRooms, readRooms } from "../support/rooms.ts";

const ROOMS = ["a.ts", "src/top/", "src/low/"];

/** The faults of some files, with one in each room that is right. */
function faults(files: Record<string, string>): string[] {
  const right = { "a.ts": 'import "./src/top/b.ts";', "src/top/b.ts": "", "src/low/c.ts": "" };
  return checkRooms(new Map(Object.entries({ ...right, ...files })), ROOMS);
}

Deno.test("rooms: src/, adapters/ and mod.ts import downward, without circles, and have all their rooms in the list", () => {
  const folders = ["src", "adapters"].flatMap((folder) =>
    readdirSync(`${ROOT}/${folder}`, { recursive: true }).map((path) => `${folder}/${path}`)
  );
  const paths = ["mod.ts", ...folders.filter((path) => path.endsWith(".ts"))];
  const sources = new Map(paths.map((path) => [path, readFileSync(`${ROOT}/${path}`, "utf8")]));
  assertEquals(checkRooms(sources, readRooms(readFileSync(`${ROOT}/src/README.md`, "utf8"))), []);
});

Deno.test("rooms: imports downward and within a room are right", () => {
  assertEquals(
    faults({
      "src/top/b.ts": 'import { c } from "../low/c.ts";',
      "src/low/c.ts": 'export * from "./d.ts";',
      "src/low/d.ts": "",
    }),
    [],
  );
});

const UPWARD = [
  'import { b } from "../top/b.ts";',
  'import type { B } from "../top/b.ts";',
  'export { b } from "../top/b.ts";',
  'import "../top/b.ts";',
  'const { b } = await import("../top/b.ts");',
  'type B = import("../top/b.ts").B;',
  'const accept = "text/*"; import { b } from "../top/b.ts"; // */',
  "import {\n  b,\n} from '../top/b.ts';",
];

for (const text of UPWARD) {
  Deno.test(`rooms: an import upward is found: ${text.replace(/\s+/g, " ")}`, () => {
    assertEquals(faults({ "src/low/c.ts": text }), ["src/low/c.ts imports upward: src/top/b.ts"]);
  });
}

Deno.test("rooms: what stands in a comment is no import", () => {
  assertEquals(
    faults({ "src/low/c.ts": '/**\n * import { b } from "../top/b.ts";\n */\n// import "../top/b.ts";\n' }),
    [],
  );
});

Deno.test("rooms: a circle of rooms is found, and so is one of files within a room", () => {
  assertEquals(
    faults({
      "src/top/b.ts": 'import "../low/c.ts";',
      "src/low/c.ts": 'import type { D } from "../top/d.ts";',
      "src/top/d.ts": "",
    }),
    [
      "src/low/c.ts imports upward: src/top/d.ts",
      "a circle of rooms: src/top/, src/low/",
    ],
  );
  assertEquals(
    faults({ "src/low/c.ts": 'import "./d.ts";', "src/low/d.ts": 'import type { C } from "./c.ts";' }),
    [
      "a circle of files: src/low/c.ts, src/low/d.ts",
    ],
  );
  assertEquals(faults({ "src/low/c.ts": 'import "./c.ts";' }), ["a circle of files: src/low/c.ts"]);
});

Deno.test("rooms: a room that is not in the list is found, and so are rooms and files that are not there", () => {
  assertEquals(faults({ "src/new/d.ts": "" }), ["src/new/d.ts is in no room of the list"]);
  assertEquals(checkRooms(new Map([["a.ts", ""]]), ["a.ts", "src/top/"]), ["src/top/ has no files"]);
  assertEquals(faults({ "src/low/c.ts": 'import "./gone.ts";' }), [
    "src/low/c.ts imports src/low/gone.ts, which is not there",
  ]);
});

Deno.test("rooms: the list is a code block, whose lines have a room and what it is for", () => {
  assertEquals(readRooms("# A\n\n```rooms\nmod.ts  the module\nsrc/cli/   commands\n```\n"), [
    "mod.ts",
    "src/cli/",
  ]);
  assertThrows(() => readRooms("# A\n"), Error, "The list of rooms is missing");
  assertThrows(() => readRooms("```rooms\nmod.ts\n```\n"), Error, 'Not a room with what it is for: "mod.ts"');
});
