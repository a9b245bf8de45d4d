/**
 * `sluice serve`: runs the proxy until a signal asks it to stop.
 *
 * @module
 */

import { formatDuration } from "../text/duration.ts";
import { formatAddress } from "../addresses/host.ts";
import { formatRecord } from "../observe/access_log.ts";
import { SILENT_LOG } from "../observe/log.ts";
import type { AccessRecord } from "../observe/record.ts";
import type { Runtime } from "../runtime/contract.ts";
import type { Proxy, ProxyOptions } from "../proxy/options.ts";
import { createProxy } from "../proxy/server.ts";
import { TextFiles, type Texts } from "../text/text_file.ts";
import type { CommandName } from "../settings/option.ts";
import type { CommandLine, Options } from "./flags/options.ts";
import { localOptions, remoteOptions, type SecretSources } from "./pair.ts";
import { openCounts } from "./counts.ts";
import { proxyOptions, readAdminSecret } from "./config/proxy_options.ts";
import { withConfig } from "./config/read_config.ts";
import { inTurn, refuseFixed, tellListeners } from "./config/reload.ts";
import { EXIT_CODES, listenFailure, type Shell } from "./program/shell.ts";
import { STOP_SIGNALS, watchSignals } from "./program/signals.ts";
import { findWorkerLink } from "./workers/worker.ts";
import type { Control } from "./program/control.ts";
import { countWorkers, type Loaded, serveByWorkers } from "./workers/workers.ts";

/** Runs the command: as the only proxy, as one of several workers, or as the process that starts the workers. */
export async function serve(line: CommandLine, shell: Shell, runtime: Runtime): Promise<number> {
  const link = findWorkerLink(runtime);
  // The process that started the workers prints the note.
  if (link) shell.note = undefined;
  const control = link ?? signalControl(shell);
  let current = await load(line, new TextFiles(await link?.texts()), runtime);
  const reread = async (texts?: Texts): Promise<Loaded> => {
    const next = await load(line, new TextFiles(texts), runtime);
    refuseFixed(current.line, next.line);
    return next;
  };
  const use = (next: Loaded): void => {
    current = next;
    shell.log.level = next.line.options["log-level"];
  };
  use(current);
  const { "access-log": file } = current.line.options;
  // A worker also serves if it cannot open the file: one that replaces another starts long after the check.
  if (file !== "off") await shell.openAccessLog(file, { required: !link });
  const workers = countWorkers(current.line.options);
  const counts = link
    ? undefined
    : await openCounts(current.line.options, { log: shell.log, read: current.files.read });
  if (counts && workers > 1) {
    const { store } = counts;
    const code = await serveByWorkers({ ...current, workers, reread, use, store }, {
      control,
      shell,
      runtime,
    });
    await counts.close();
    return code;
  }
  const terminal = file === "-" ? shell.terminal(runtime) : undefined;
  const reload = inTurn(async (texts) => {
    const next = await reread(texts);
    const before = proxy.addresses;
    await proxy.reload(inForce(next), { whole: true }).catch((cause) => {
      throw listenFailure(cause);
    });
    use(next);
    if (!link) tellListeners(before, proxy.addresses, shell);
    shell.log.info("Read the files of options, users, rules and certificates anew");
  }, link ? SILENT_LOG : shell.log);
  const inForce = ({ options, line, files }: Loaded): ProxyOptions => ({
    ...options,
    // What a worker is assigned overrides the command line.
    ...link?.assignment,
    readText: files.read,
    others: link?.others,
    limitStore: link?.limitStore ?? counts?.store,
    places: line.options["max-per-client"] === Infinity ? undefined : link?.places,
    onReload,
    onRecord,
    log: shell.log,
    runtime,
  });
  const onReload = link ? link.askReload : () => reload();
  const onRecord = file === "off" ? undefined : (record: AccessRecord) => {
    const { "log-format": format, "log-query": query } = current.line.options;
    shell.print(formatRecord(record, { format, query, terminal }));
  };
  const proxy = await listen(inForce(current));
  control.listening(proxy.addresses);
  link?.tell(() => proxy.totals);
  link?.onQuestion((question) => {
    if (question === "live") return proxy.live();
    return question === "recent" ? proxy.recent() : proxy.cut(question.cut);
  });
  control.onReopen(async () => {
    if (await shell.reopenAccessLog()) shell.log.info("Opened the access log anew");
  });
  control.onReload(reload);
  const signal = await control.stop;
  const { "drain-timeout": drain } = current.line.options;
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
  await counts?.close();
  return code;
}

/** Reads the files, at the start and at each reload. Rejects with a `UsageError` if one cannot be used. */
async function load(given: CommandLine, files: TextFiles, runtime: Runtime): Promise<Loaded> {
  const line = await withConfig(given, files);
  const { command, options } = line;
  const { limits, ...half } = await halfOptions(command, options, { files, runtime });
  const common = await proxyOptions(options, files.read);
  const adminToken = await readAdminSecret(options, files);
  return {
    options: { ...common, adminToken, ...half, limits: { ...common.limits, ...limits } },
    line,
    files,
  };
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
    // What is wrong has been logged.
    onReload: (callback) => onReload(() => void callback().catch(() => {})),
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
