/**
 * Reads from the output of `deno test --parallel` which tests failed.
 *
 * @module
 */

/** A case that failed. */
export interface Failure {
  /** `FILE:LINE`: where in its file the test failed. Only `FILE` if the file is not in the stack. */
  readonly where: string;
  /** The name of the test, and of the step that failed. */
  readonly what: string;
  /** The shell command that runs this case and no other. */
  readonly command: string;
}

/** The variable that narrows the tests of a folder to one step. */
const NARROWING: Readonly<Record<string, string>> = { conformance: "SLUICE_ROW", contract: "SLUICE_CASE" };

/** `./FILE => TEST ... STEP ... FAILED (TIME)`. If a step failed, only the step's line counts, not its test's. */
const CASE = /^\.\/(\S+) => (.+?)(?: \.\.\. (.+))? \.\.\. FAILED \((?!due to )/gm;

/** An error outside of a test fails the whole file. */
const OUTSIDE = /^Uncaught error from \.\/(\S+) FAILED/gm;

/** The line at which the account of a failure ends: the heading of the next one, or of the summary. */
const NEXT = /^ FAILURES|^\S.* => \.\/\S+:\d+:\d+$|^\.\/\S+ \(uncaught error\)$/;

/** The failures in the output of a run, which must have no colors. */
export function failures(output: string): Failure[] {
  const cases = [...output.matchAll(CASE)].map(([, file, test, step]) => ({
    where: place(file, { output, heading: `${test}${step === undefined ? "" : ` ... ${step}`} => ` }),
    what: step === undefined ? test : `${test}, ${step}`,
    command: command(file, { test, step }),
  }));
  const outside = [...output.matchAll(OUTSIDE)].map(([, file]) => ({
    where: place(file, { output, heading: `./${file} (uncaught error)` }),
    what: "an error outside of its tests",
    command: `deno test -A ${file}`,
  }));
  return [...cases, ...outside];
}

/** The first place in the file that the stack below a heading names. */
function place(file: string, { output, heading }: { output: string; heading: string }): string {
  const errors = output.slice(output.search(/^ ERRORS/m));
  const [, ...lines] = errors.slice(errors.indexOf(`\n\n${heading}`)).trim().split("\n");
  const end = lines.findIndex((line) => NEXT.test(line));
  const stack = lines.slice(0, end).join("\n");
  const line = stack.split(`/${file}:`)[1]?.match(/^\d+/)?.[0];
  return line === undefined ? file : `${file}:${line}`;
}

function command(file: string, { test, step }: { test: string; step: string | undefined }): string {
  const variable = NARROWING[file.split("/").at(-2) ?? ""];
  const narrowed = variable !== undefined && step !== undefined ? `${variable}=${quote(step)} ` : "";
  return `${narrowed}deno test -A ${file} --filter ${quote(test)}`;
}

/** Quotes a word for the shell. */
function quote(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}
