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
import { createProxy, type Proxy, type ProxyOptions } from "../server.ts";
import type { CommandName } from "./commands.ts";
import type { CommandLine, Options } from "./options.ts";
import { localOptions, readTokens, remoteOptions } from "./pair.ts";
import { proxyOptions, readRules, readUsers } from "./proxy_options.ts";
import { EXIT_CODES, FailedError, type Shell } from "./shell.ts";
import { onHangUp, stopSignal } from "./signals.ts";

/** Runs the command. */
export async function serve(
  { command, options }: CommandLine,
  shell: Shell,
  runtime: Runtime,
): Promise<number> {
  const stop = stopSignal();
  let users = await readUsers(options);
  const settings = await proxyOptions(options);
  const { limits, ...half } = await halfOptions(command, options, runtime);
  const file = options["access-log"];
  if (file !== "off") await shell.openAccessLog(file);
  const proxy = await listen({
    ...settings,
    ...half,
    limits: { ...settings.limits, ...limits },
    authenticate: users && ((request, signal) => users!.verify(request, signal)),
    onRecord: file === "off"
      ? undefined
      : (record) => shell.print(formatRecord(record, options["log-format"])),
    log: shell.log,
    runtime,
  });
  for (const address of proxy.addresses) shell.tell(`listening on ${formatAddress(address)}`);
  onReload(async () => {
    const [rules, renewed] = await Promise.all([readRules(options), readUsers(options)]);
    await proxy.reloadFiles();
    if (half.tokens) proxy.setTokens(await readTokens(options, runtime));
    proxy.setRules(rules);
    users = renewed;
  }, shell.log);
  const signal = await stop;
  const drain = options["drain-timeout"];
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

/** Reads the files anew at SIGHUP. What cannot be used is told, and everything stays as it was. */
function onReload(reload: () => Promise<void>, log: Log): void {
  onHangUp(() => {
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
    const { code, message } = cause as { code?: unknown; message: string };
    if (typeof code !== "string") throw cause;
    throw new FailedError(`${message} (${code.replaceAll("_", " ")})`, { cause });
  }
}
