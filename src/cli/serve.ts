/**
 * `sluice serve`: runs the proxy until a signal asks it to stop.
 *
 * @module
 */

import { formatDuration } from "../duration.ts";
import { formatAddress } from "../endpoint.ts";
import { formatRecord } from "../observe/access_log.ts";
import type { Log } from "../observe/log.ts";
import type { Runtime } from "../runtime.ts";
import type { Proxy, ProxyOptions } from "../proxy.ts";
import { createProxy } from "../server.ts";
import type { CommandName } from "./commands.ts";
import type { CommandLine, Options } from "./options.ts";
import { localOptions, readTokens, remoteOptions } from "./pair.ts";
import { proxyOptions, readRules, readUsers } from "./proxy_options.ts";
import { EXIT_CODES, listenFailure, type Shell } from "./shell.ts";
import { onHangUp, stopSignal } from "./signals.ts";
import { type Control, findPost } from "./worker.ts";
import { countWorkers, serveByWorkers } from "./workers.ts";

/** Runs the command: as the only proxy, as one of several workers, or as the process that has started these. */
export async function serve(
  { command, options }: CommandLine,
  shell: Shell,
  runtime: Runtime,
): Promise<number> {
  const post = findPost(runtime);
  // The process that has started the workers tells it.
  if (post) shell.note = undefined;
  const control = post ?? signalControl(shell);
  let users = await readUsers(options);
  const { limits, ...half } = await halfOptions(command, options, runtime);
  const common = await proxyOptions(options);
  const settings = { ...common, ...half, limits: { ...common.limits, ...limits } };
  const drain = options["drain-timeout"];
  const workers = countWorkers(options);
  if (!post && workers > 1) {
    return await serveByWorkers({ settings, workers, drain }, { control, shell, runtime });
  }
  const file = options["access-log"];
  if (file !== "off") await shell.openAccessLog(file);
  const proxy = await listen({
    ...settings,
    ...post?.settings,
    others: () => post?.others,
    authenticate: users && ((request, signal) => users!.verify(request, signal)),
    onRecord: file === "off"
      ? undefined
      : (record) =>
        shell.print(formatRecord(record, { format: options["log-format"], query: options["log-query"] })),
    log: shell.log,
    runtime,
  });
  control.listening(proxy.addresses);
  post?.tell(() => proxy.totals);
  onReload(control, async () => {
    const [rules, renewed] = await Promise.all([readRules(options), readUsers(options)]);
    const tokens = command === "serve" ? [] : await readTokens(options, runtime);
    await proxy.reloadFiles();
    if (half.tokens) proxy.setTokens(tokens);
    proxy.setRules(rules);
    users = renewed;
  }, shell.log);
  const signal = await control.stop;
  shell.log.info(
    `Stopping at ${signal}: open connections (${proxy.connections}) have ${formatDuration(drain)} to finish`,
  );
  await proxy.close({ drain });
  return EXIT_CODES.done;
}

/** What a half of a pair adds. */
async function halfOptions(command: CommandName, options: Options, runtime: Runtime): Promise<ProxyOptions> {
  if (command === "remote") return await remoteOptions(options, runtime);
  return command === "local" ? await localOptions(options, runtime) : {};
}

/** Signals give the orders, and standard error is told of the listeners. */
function signalControl(shell: Shell): Control {
  return {
    stop: stopSignal(),
    onReload: onHangUp,
    listening(addresses) {
      for (const address of addresses) shell.tell(`listening on ${formatAddress(address)}`);
      shell.tellNote();
    },
  };
}

/** Reads the files anew at SIGHUP. What cannot be used is told, and everything stays as it was. */
function onReload(control: Control, reload: () => Promise<void>, log: Log): void {
  control.onReload(() => {
    reload().then(
      () => log.info("Read the files of users, rules and certificates anew"),
      (error) => log.error("Everything stays as it was, since a file cannot be used", error),
    );
  });
}

async function listen(options: ProxyOptions): Promise<Proxy> {
  try {
    return await createProxy(options);
  } catch (cause) {
    throw listenFailure(cause);
  }
}
