/**
 * Runs npm for the other scripts: installs pinned packages in a folder of their own, and packs tarballs.
 *
 * @module
 */

/** Runs npm and returns its output; throws npm's error message if it fails. */
export async function npm(args: string[], { cwd }: { cwd: string }): Promise<string> {
  const quiet = ["--loglevel=error", "--no-audit", "--no-fund", "--no-update-notifier"];
  const { success, stdout, stderr } = await new Deno.Command("npm", { args: [...args, ...quiet], cwd })
    .output();
  const decoder = new TextDecoder();
  if (!success) throw new Error(`Cannot run "npm ${args.join(" ")}": ${decoder.decode(stderr).trim()}`);
  return decoder.decode(stdout);
}

/**
 * Makes a folder whose `node_modules` holds these packages. Leaves a folder alone that holds them already. The folder
 * gets its name only when everything is installed.
 */
export async function install(folder: string, dependencies: Record<string, string>): Promise<void> {
  const manifest = JSON.stringify({ private: true, dependencies }, null, 2) + "\n";
  if (await Deno.readTextFile(`${folder}/package.json`).catch(() => "") === manifest) return;
  const unfinished = `${folder}.new`;
  await remove(unfinished);
  await Deno.mkdir(unfinished, { recursive: true });
  await Deno.writeTextFile(`${unfinished}/package.json`, manifest);
  // These packages need no install scripts, and newer versions of npm ask before they run one.
  await npm(["install", "--ignore-scripts", "--no-package-lock"], { cwd: unfinished });
  await remove(folder);
  await Deno.rename(unfinished, folder);
}

/** Empties a folder, packs a package into it, and returns the tarball's path. Its name depends on its content. */
export async function pack(source: string, { into }: { into: string }): Promise<string> {
  await remove(into);
  await Deno.mkdir(into, { recursive: true });
  const name = (await npm(["pack", "--pack-destination", into], { cwd: source })).trim();
  const digest = await crypto.subtle.digest("SHA-256", await Deno.readFile(`${into}/${name}`));
  const tarball = `${into}/${new Uint8Array(digest).toHex().slice(0, 12)}-${name}`;
  await Deno.rename(`${into}/${name}`, tarball);
  return tarball;
}

/** Removes a folder and its content, if it exists. */
export async function remove(folder: string): Promise<void> {
  try {
    await Deno.remove(folder, { recursive: true });
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
