/**
 * `sluice check URL`: makes a request and shows each of its steps, directly or through proxies.
 *
 * @module
 */

import { open } from "node:fs/promises";
import process from "node:process";
import { probe, type ProbeResult } from "./probe.ts";
import { parseHttpUrl } from "./request.ts";
import type { Step } from "./timeline.ts";
import { SYSTEM_CLOCK } from "../../runtime/clock.ts";
import { Fault, type FaultCode } from "../../faults.ts";
import { FAULTS } from "../../fault_table.ts";
import { escapeMessage } from "../../observe/escape.ts";
import { descriptorOutput } from "../../observe/output.ts";
import { Fields } from "../../protocols/http/fields.ts";
import type { Runtime } from "../../runtime/contract.ts";
import { completeSettings } from "../../settings/settings.ts";
import { readTextFile } from "../../text/text_file.ts";
import { Resolver } from "../../dialing/resolver.ts";
import { parseChain } from "../../dialing/upstream.ts";
import type { CommandLine } from "../flags/options.ts";
import { formatRate, Progress } from "./progress.ts";
import { readHosts } from "../config/proxy_options.ts";
import { EXIT_CODES, type Shell } from "../program/shell.ts";
import { STOP_SIGNALS, watchSignals } from "../program/signals.ts";

/** The widths of the columns. With two spaces between them they make 80. */
const WIDTHS = { name: 8, what: 30, outcome: 26, time: 10 } as const;

/** Advice for the user of `check`, for faults whose advice in the table of faults is for a client of a proxy. */
const ADVICE: Readonly<Partial<Record<FaultCode, string>>> = {
  proxy_configuration_error: "Check the user name and the password that -x gives the proxy.",
  tls_protocol_error: "Check that TLS is spoken on this port.",
  tls_certificate_error: "Name the authority that signed it: --ca FILE, or for a proxy ca=FILE within -x.",
  tls_alert_received: "Check what the other side demands: a certificate of ours, a version, a name.",
  proxy_internal_error: "",
};

/** Runs the command. */
export async function check(
  { words: [word], options }: CommandLine,
  shell: Shell,
  runtime: Runtime,
): Promise<number> {
  const url = parseHttpUrl(word);
  const stop = new AbortController();
  let code: number | undefined;
  watchSignals().stop.then((signal) => {
    code = STOP_SIGNALS[signal];
    stop.abort(new Fault("client_disconnected", `Stopped by ${signal}`));
  });
  const body = new BodyFile(options.output);
  // With `--output -`, standard output gets only the body.
  const print = (line: string) => options.output === "-" ? shell.tell(line) : shell.print(line);
  const progress = new ProgressLine();
  const { ca, timeout } = options;
  const result = await probe({
    url,
    method: options.method,
    fields: new Fields(options.header),
    alternatives: options.proxy.map(parseChain),
    ...ca !== undefined && { ca: await readTextFile(ca, "the authorities") },
  }, {
    runtime,
    resolver: new Resolver({
      runtime,
      clock: SYSTEM_CLOCK,
      hosts: await readHosts(options, readTextFile),
      servers: options.dns,
      timeout,
    }),
    clock: SYSTEM_CLOCK,
    signal: stop.signal,
    timeout,
    settings: completeSettings({ name: "sluice-check", privateDestinations: "allow" }),
    readFile: (path) => readTextFile(path, "the upstream's file"),
    onStep(step) {
      progress.clear();
      print(formatStep(step));
    },
    onData(bytes, total) {
      progress.add(bytes.length, total);
      return body.write(bytes);
    },
  });
  await body.close();
  for (const line of formatEnd(result)) print(line);
  return code ?? (result.fault ? EXIT_CODES.failed : EXIT_CODES.done);
}

/** Writes the body to a file, to standard output, or nowhere. The file is opened when the first bytes come. */
class BodyFile {
  readonly #path: string | undefined;
  #write: ((bytes: Uint8Array) => Promise<void>) | undefined;
  #close = () => Promise.resolve();

  constructor(path: string | undefined) {
    this.#path = path;
  }

  write(bytes: Uint8Array): Promise<void> | undefined {
    return this.#path === undefined ? undefined : this.#take(bytes, this.#path);
  }

  async #take(bytes: Uint8Array, path: string): Promise<void> {
    try {
      this.#write ??= await this.#open(path);
      await this.#write(bytes);
    } catch (cause) {
      const message = `Cannot write the body to "${path}": ${(cause as Error).message}`;
      throw new Fault("proxy_internal_error", message, { cause });
    }
  }

  async #open(path: string): Promise<(bytes: Uint8Array) => Promise<void>> {
    if (path === "-") {
      const output = descriptorOutput(1);
      return (bytes) => output.write(bytes);
    }
    const file = await open(path, "w");
    this.#close = () => file.close();
    return async (bytes) => {
      for (let start = 0; start < bytes.length;) {
        start += (await file.write(bytes, start, bytes.length - start)).bytesWritten;
      }
    };
  }

  close(): Promise<void> {
    return this.#close();
  }
}

/** Shows the progress of a body on standard error, if that is a terminal. */
class ProgressLine {
  #progress: Progress | undefined;
  #size = 0;

  add(count: number, total: number | undefined): void {
    if (process.stderr.isTTY !== true) return;
    this.#progress ??= new Progress({
      write: (text) => process.stderr.write(text),
      clock: SYSTEM_CLOCK,
      columns: () => process.stderr.columns || 80,
    });
    this.#progress.update(this.#size += count, total);
  }

  clear(): void {
    this.#progress?.clear();
  }
}

/** Formats a step as one line. */
export function formatStep({ name, what, outcome = "", time, fault }: Step): string {
  return formatLine(name, what, { outcome: fault ? fault.code : outcome, time });
}

function formatLine(
  name: string,
  what: string,
  { outcome, time }: { outcome: string; time: number },
): string {
  const cells = [
    name.padEnd(WIDTHS.name),
    escapeMessage(what).padEnd(WIDTHS.what),
    escapeMessage(outcome).padEnd(WIDTHS.outcome),
    formatTime(time).padStart(WIDTHS.time),
  ];
  // A text that is too long for its column is not cut: it makes the line longer.
  return cells.join("  ");
}

function formatTime(time: number): string {
  return `${time.toFixed(1)} ms`;
}

/** The lines after the steps: the total, or what went wrong. */
export function formatEnd({ size, time, fault, missed }: ProbeResult): string[] {
  const total = `${size.toLocaleString("en")} bytes`;
  if (!fault) return [formatLine("total", total, { outcome: formatRate(size, time), time })];
  // The table sends a client to the operator. The reader of this output is the operator.
  const advice = ADVICE[fault.code] ?? (fault.party === "target" ? fault : FAULTS[fault.code]).advice;
  return [
    formatLine("failed", "", { outcome: "", time }),
    "",
    `${escapeMessage(fault.message)} (${fault.code})`,
    ...fault.code === "client_disconnected" || advice === "" ? [] : [advice],
    ...missed.length > 0 ? [`Not reached: ${missed.join(", ")}`] : [],
  ];
}
