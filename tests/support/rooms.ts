/**
 * Checks what `src/README.md` promises of the rooms: a file imports from its own room and from rooms below it, types
 * included.
 *
 * @module
 */

import { posix } from "node:path";

/** The text of each file to check, by path. */
export type Sources = ReadonlyMap<string, string>;

/** The rooms from top to bottom, from the list in the page. In each line, the path comes first. */
export function readRooms(page: string): string[] {
  const [, list] = /^```rooms\n([\s\S]*?)^```$/m.exec(page) ?? [];
  if (list === undefined) {
    throw new Error('The list of rooms is missing: a code block that begins with "```rooms"');
  }
  return list.trim().split("\n").map((line) => {
    const [, room] = /^(\S+) {2,}\S/.exec(line) ?? [];
    if (room === undefined) throw new Error(`Not a room with what it is for: "${line}"`);
    return room;
  });
}

/** The violations, in words. Empty if there are none. */
export function checkRooms(sources: Sources, rooms: readonly string[]): string[] {
  const faults: string[] = [];
  const imports = new Map([...sources].map(([path, text]) => [path, importsOf(path, text)]));
  for (const path of sources.keys()) {
    if (!rooms.includes(roomOf(path))) faults.push(`${path} is in no room of the list`);
  }
  for (const room of rooms) {
    if (![...sources.keys()].some((path) => roomOf(path) === room)) faults.push(`${room} has no files`);
  }
  const arrows = new Map<string, Set<string>>();
  for (const [path, targets] of imports) {
    const room = roomOf(path);
    for (const target of targets) {
      const other = roomOf(target);
      if (!sources.has(target)) faults.push(`${path} imports ${target}, which is not there`);
      if (other === room) continue;
      arrows.set(room, (arrows.get(room) ?? new Set()).add(other));
      if (rooms.indexOf(other) < rooms.indexOf(room)) faults.push(`${path} imports upward: ${target}`);
    }
  }
  for (const circle of circlesIn(imports)) faults.push(`a circle of files: ${circle.join(", ")}`);
  for (const circle of circlesIn(arrows)) faults.push(`a circle of rooms: ${circle.join(", ")}`);
  return faults;
}

/** The folder of a file, with a slash at its end. A file at the top, or at the top of src/, is a room by itself. */
function roomOf(path: string): string {
  const folder = posix.dirname(path);
  return folder === "." || folder === "src" ? path : `${folder}/`;
}

/** A string, which is kept, or a comment, which is removed because it may have imports as examples. */
const STRING_OR_COMMENT = /("(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')|\/\*[\s\S]*?\*\/|\/\/[^\n]*/g;

/** `import … from`, `export … from`, `import "…"`, `import("…")`. */
const IMPORT = /\b(?:from|import)\s*\(?\s*(["'])(\.{1,2}\/[^"']+)\1/g;

/** The files of this project that a file imports. */
function importsOf(path: string, text: string): Set<string> {
  const code = text.replace(STRING_OR_COMMENT, (_, string = "") => string);
  const specifiers = [...code.matchAll(IMPORT)].map(([, , specifier]) => specifier);
  return new Set(specifiers.map((specifier) => posix.join(posix.dirname(path), specifier)));
}

/** The sets of nodes that can all reach each other (Tarjan's algorithm), and the nodes that lead to themselves. */
function circlesIn(graph: ReadonlyMap<string, ReadonlySet<string>>): string[][] {
  const order = new Map<string, number>();
  const lowest = new Map<string, number>();
  const stack: string[] = [];
  const circles: string[][] = [];
  const visit = (node: string): void => {
    order.set(node, order.size);
    lowest.set(node, order.get(node)!);
    stack.push(node);
    for (const next of graph.get(node) ?? []) {
      if (!order.has(next)) visit(next);
      else if (!stack.includes(next)) continue;
      lowest.set(node, Math.min(lowest.get(node)!, lowest.get(next)!));
    }
    if (lowest.get(node) !== order.get(node)) return;
    const members = stack.splice(stack.indexOf(node));
    if (members.length > 1 || graph.get(node)?.has(node)) circles.push(members);
  };
  for (const node of graph.keys()) if (!order.has(node)) visit(node);
  return circles;
}
