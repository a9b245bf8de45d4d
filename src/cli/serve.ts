/**
 * `sluice serve`: runs the proxy until a signal asks it to stop.
 *
 * @module
 */

import { formatDuration } from "../text/duration.ts";
import { formatAddress } from "../addresses/host.ts";
import { formatRecord, type RecordOptions } from "../observe/access_log.ts";
import type { Runtime } from "../runtime/contract.ts";
import type { Proxy, ProxyOptions } from "../proxy/options.ts";
import { createProxy } from "../proxy/server.ts";
import { TextFiles, type Texts } from "../text/text_file.ts";
import type { CommandName } from "../settings/option.ts";
import type { CommandLine, Options } from "./flags/options.ts";
import { localOptions, remoteOptions, type SecretSources } from "./pair.ts";
import { proxyOptions } from "./config/proxy_options.ts";
import { withConfig } from "./config/read_config.ts";
import { onReload } from "./config/reload.ts";
import { EXIT_CODES, listenFailure, type Shell } from "./program/shell.ts";
import { STOP_SIGNALS, watchSignals } from "./program/signals.ts";
import { findWorkerLink } from "./workers/worker.ts";
import type { Control } from "./program/control.ts";
import { countWorkers, serveByWorkers } from "./workers/workers.ts";

/** Runs the command: as the only proxy, as one of several workers, or as the process that starts the workers. */
export async function serve(line: CommandLine, shell: Shell, runtime: Runtime): Promise<number> {
  const link = findWorkerLink(runtime);
  // The process that started the workers prints the note.
  if (link) shell.note = undefined;
  const control = link ?? signalControl(shell);
  const loaded = await load(line, new TextFiles(await link?.texts()), runtime);
  const { flags: options } = loaded;
  shell.log.level = options["log-level"];
  const reread = (texts = textsForever(options, loaded.files)) => load(line, new TextFiles(texts), runtime);
  const file = options["access-log"];
  // A worker also serves if it cannot open the file: one that replaces another starts long after the check.
  if (file !== "off") await shell.openAccessLog(file, { required: !link });
  const drain = options["drain-timeout"];
  const workers = countWorkers(options);
  if (!link && workers > 1) {
    return await serveByWorkers({ ...loaded, workers, drain, reread }, { control, shell, runtime });
  }
  const lineOptions: RecordOptions = {
    format: options["log-format"],
    query: options["log-query"],
    terminal: file === "-" ? shell.terminal(runtime) : undefined,
  };
  // What a worker is assigned overrides the command line.
  const inForce = ({ options, files }: Loaded): ProxyOptions => ({
    ...options,
    ...link?.assignment,
    readText: files.read,
  });
  const proxy = await listen({
    ...inForce(loaded),
    others: link?.others,
    places: options["max-per-client"] === Infinity ? undefined : link?.places,
    onRecord: file === "off" ? undefined : (record) => shell.print(formatRecord(record, lineOptions)),
    log: shell.log,
    runtime,
  });
  control.listening(proxy.addresses);
  link?.tell(() => proxy.totals);
  link?.onQuestion((question) => question === "live" ? proxy.live() : proxy.cut(question.cut));
  control.onReopen(async () => {
    if (await shell.reopenAccessLog()) shell.log.info("Opened the access log anew");
  });
  onReload(control, async (texts) => {
    await proxy.reload(inForce(await reread(texts)));
    shell.log.info("Read the files of users, rules and certificates anew");
  }, shell.log);
  const signal = await control.stop;
  shell.log.info(
    `Stopping at ${signal}: open connections (${proxy.connections}) have ${
      formatDuration(drain)
    } to finish; ` +
      "a second Ctrl-C, or signal, ends them at once",
  );
  let code: number = EXIT_CODES.done;
  control.stopNow.then((signal) => {
    code = STOP_SIGNALS[signal];
    return proxy.close({ drain: 0 });
  });
  await proxy.close({ drain });
  return code;
}

/** The options of the proxy, and the files that they were read from. */
interface Loaded {
  readonly options: ProxyOptions;
  /** The options of the program. */
  readonly flags: Options;
  readonly files: TextFiles;
}

/** Reads the files, at the start and at each reload. Rejects with a `UsageError` if one cannot be used. */
async function load(line: CommandLine, files: TextFiles, runtime: Runtime): Promise<Loaded> {
  const { command, options } = await withConfig(line, files);
  const { limits, ...half } = await halfOptions(command, options, { files, runtime });
  const common = await proxyOptions(options, files.read);
  return { options: { ...common, ...half, limits: { ...common.limits, ...limits } }, flags: options, files };
}

/** The text of the one file that a reload does not read again: the hosts file. */
function textsForever({ "hosts-file": hosts }: Options, files: TextFiles): Texts {
  return files.texts.filter(([path]) => path === hosts);
}

/** The options that a half of a pair sets. */
async function halfOptions(
  command: CommandName,
  options: Options,
  sources: SecretSources,
): Promise<ProxyOptions> {
  if (command === "remote") return await remoteOptions(options, sources);
  return command === "local" ? await localOptions(options, sources) : {};
}

/** A control for a process that was not started as a worker: it obeys signals, and prints the listeners to stderr. */
function signalControl(shell: Shell): Control {
  const { onReload, ...signals } = watchSignals();
  return {
    ...signals,
    onReload: (callback) => onReload(() => callback()),
    listening(addresses) {
      for (const address of addresses) shell.tell(`listening on ${formatAddress(address)}`);
      shell.tellNote();
    },
  };
}

async function listen(options: ProxyOptions): Promise<Proxy> {
  try {
    return await createProxy(options);
  } catch (cause) {
    throw listenFailure(cause);
  }
}
