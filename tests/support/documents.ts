/**
 * Takes documents apart: links, code blocks, and the examples in comments.
 *
 * @module
 */

/** A block of code in a document or a comment. */
export interface Block {
  /** Its language: `ts`, `sh`. */
  readonly language: string;
  readonly code: string;
  /** The number of its first line, from 1. */
  readonly line: number;
}

/** The code blocks of a Markdown text. */
export function codeBlocks(text: string): Block[] {
  return [...text.matchAll(/^```(\w+)[^\n]*\n([\s\S]*?)^```$/gm)].map(({ index, 1: language, 2: code }) => ({
    language,
    code,
    line: text.slice(0, index).split("\n").length + 1,
  }));
}

/** The code blocks in the documentation comments of a source. */
export function commentBlocks(source: string): Block[] {
  return [...source.matchAll(/\/\*\*[\s\S]*?\*\//g)].flatMap(({ index, 0: comment }) => {
    const above = source.slice(0, index).split("\n").length - 1;
    const text = comment.replace(/^[ \t]*\* ?/gm, "");
    return codeBlocks(text).map((block) => ({ ...block, line: block.line + above }));
  });
}

/** The targets of the links in a Markdown text, except those to the web and within the page. */
export function localLinks(text: string): string[] {
  const prose = text.replace(/^```[\s\S]*?^```$/gm, "");
  return [...prose.matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, target]) => target.replace(/#.*$/, ""))
    .filter((target) => target !== "" && !/^[a-z]+:/.test(target));
}

/** Paths of files in backticks, such as `src/states.ts`. */
export function quotedPaths(text: string): string[] {
  return [...text.matchAll(/`([\w./-]+\.(?:ts|md|json))`/g)].map(([, path]) => path);
}
