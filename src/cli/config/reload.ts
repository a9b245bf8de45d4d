/**
 * Puts new files into use while the proxy runs: all of them, or none.
 *
 * @module
 */

import type { Log } from "../../observe/log.ts";
import type { Texts } from "../../text/text_file.ts";
import type { Control } from "../program/control.ts";

/**
 * Calls `reload` whenever the files may be new, one call after the other. It passes on the texts if another process has
 * already checked them. If `reload` rejects, it must have changed nothing; the error is logged.
 */
export function onReload(
  control: Pick<Control, "onReload">,
  reload: (texts?: Texts) => Promise<void>,
  log: Log,
): void {
  let last = Promise.resolve();
  control.onReload((texts) => {
    last = last.then(() => reload(texts)).catch((error) => {
      log.error("Everything stays as it was, since a file cannot be used", error);
    });
  });
}
