/**
 * Two proxies with TLS between them, as one contestant.
 *
 * @module
 */

import { randomBytes } from "node:crypto";
import { pinOf } from "../tests/contract/certificates.ts";
import type { Row } from "../tests/support/toolchain.ts";
import type { Contestant, Entry } from "./contestants.ts";
import { freePort, isInstalled, listening, Program, whereIs, WORKSHOP } from "./processes.ts";
import { certificate, certificateWithKey, write } from "./set_ups.ts";

/** Both halves of sluice. */
export function sluicePair(name: string, row: Row): Entry {
  const start = async (
    half: string,
    flags: readonly string[],
  ): Promise<{ program: Program; port: number }> => {
    const common = [half, "-l", "127.0.0.1:0", "--token-file", `${WORKSHOP}/token`, "--access-log", "off"];
    const program = new Program({ command: [...row.command, ...common, ...flags], place: "proxy" });
    return { program, port: Number((await program.line(/listening on 127\.0\.0\.1:(\d+)\n/))[1]) };
  };
  return {
    name,
    missing: undefined,
    speaks: ["connect", "socks5"],
    async start() {
      const one = certificate();
      write("token", randomBytes(32).toString("base64url"), 0o600);
      const remote = await start("remote", [
        ...["--cert", one.certFile, "--key", one.keyFile, "--allow-private"],
      ]);
      const local = await start("local", ["--remote", `127.0.0.1:${remote.port}`, "--pin", pinOf(one)]);
      const program = together([remote.program, local.program]);
      return { name, program, ports: { connect: local.port, socks5: local.port } };
    },
  };
}

/** Programs that share the work. */
function together(programs: readonly Program[]): Contestant["program"] {
  const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
  return {
    cpu: () => sum(programs.map((program) => program.cpu())),
    memory() {
      const all = programs.map((program) => program.memory());
      return { rss: sum(all.map(({ rss }) => rss)), pss: sum(all.map(({ pss }) => pss)) };
    },
    stop: async () => void await Promise.all(programs.map((program) => program.stop())),
  };
}

/** Two HAProxys in TCP mode. As in the other pairs, each tunnel has a TLS handshake of its own. */
export function haproxyPair(): Entry {
  const name = "haproxy";
  const start = async (half: string, port: number, lines: readonly string[]): Promise<Program> => {
    const file = write(
      `${name}-${half}.conf`,
      `
global
  nbthread 1
defaults
  timeout connect 10s
  timeout client 300s
  timeout server 300s
listen ${half}
  mode tcp
  ${lines.join("\n  ")}
`,
    );
    const program = new Program({ command: [whereIs(name) ?? name, "-db", "-f", file], place: "proxy" });
    await listening(port, program);
    return program;
  };
  return {
    name,
    missing: isInstalled(name) ? undefined : `"${name}" is not installed`,
    speaks: ["direct"],
    async start({ tunnels }) {
      const [remote, local] = [freePort(), freePort()];
      const programs = [
        await start("remote", remote, [
          `bind 127.0.0.1:${remote} ssl crt ${certificateWithKey()} ssl-min-ver TLSv1.3`,
          `server origin 127.0.0.1:${tunnels.port}`,
        ]),
        await start("local", local, [
          `bind 127.0.0.1:${local}`,
          `server remote 127.0.0.1:${remote} ssl verify none no-ssl-reuse`,
        ]),
      ];
      return { name, program: together(programs), ports: { direct: local } };
    },
  };
}
