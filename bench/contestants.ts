/**
 * Who is compared: sluice on each runtime, other proxies that do some of the same, and a bare relay, which is
 * the floor.
 *
 * A peer is one line in {@link PEERS}. Each runs as a single worker, without access log and without cache.
 *
 * @module
 */

import { randomBytes } from "node:crypto";
import { install } from "../scripts/npm.ts";
import { certificates, pinOf } from "../tests/contract/certificates.ts";
import { PERMISSIONS } from "../tests/support/pair.ts";
import { type Row, rows, RUNTIMES } from "../tests/support/toolchain.ts";
import { freePort, isInstalled, listening, Program, whereIs, WORKSHOP } from "./processes.ts";

/** How a client reaches the origin; `direct` is a port that leads there by itself. */
export type Via = "http" | "connect" | "socks5" | "direct";

/** The servers behind the proxies: that of tunnels has no part in what requests wait for. */
export type Origins = Readonly<Record<"requests" | "tunnels", Origin>>;

/** A server and its port. */
export interface Origin {
  readonly program: Program;
  readonly port: number;
}

/** A proxy that runs. */
export interface Contestant {
  readonly name: string;
  /** The program, or several of which each has a part in the work. */
  readonly program: Pick<Program, "cpu" | "memory" | "stop">;
  /** The ports, by what is spoken there. */
  readonly ports: Readonly<Partial<Record<Via, number>>>;
}

/** A proxy that can be started. */
export interface Entry {
  readonly name: string;
  /** Why it cannot take part, where it cannot. */
  readonly missing: string | undefined;
  /** How clients can use it. */
  readonly speaks: readonly Via[];
  /** Starts it, and settles when it accepts. A few must know the origins. */
  start(origins: Origins): Promise<Contestant>;
  /** Two of it, with TLS between them: the local half is what clients use. */
  readonly pair?: Entry;
}

/** All that there are. */
export function entries(): Entry[] {
  const pairs = rows(...PERMISSIONS).map(sluicePair);
  const peers = PEERS.map((it) => it.name === "haproxy" ? { ...peer(it), pair: haproxyPair() } : peer(it));
  return [...rows().map((row, index) => ({ ...sluice(row), pair: pairs[index] })), ...peers];
}

/** What ratios are ratios to. */
export const REFERENCE = "haproxy";

function sluice(row: Row): Entry {
  const name = row.name.replace(" ", "");
  return {
    name,
    missing: undefined,
    speaks: ["http", "connect", "socks5"],
    async start() {
      const flags = ["-l", "127.0.0.1:0", "--access-log", "off"];
      const program = new Program({ command: [...row.command, ...flags], place: "proxy" });
      const port = Number((await program.line(/listening on 127\.0\.0\.1:(\d+)\n/))[1]);
      return { name, program, ports: { http: port, connect: port, socks5: port } };
    },
  };
}

function sluicePair(row: Row): Entry {
  const name = row.name.split(" -")[0].replace(" ", "");
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
      const { one } = certificates();
      Deno.writeTextFileSync(`${WORKSHOP}/token`, randomBytes(32).toString("base64url"), { mode: 0o600 });
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

interface Peer {
  readonly name: string;
  readonly speaks: readonly Via[];
  /** The program that must be installed; npm's are brought by us. */
  readonly needs?: string;
  readonly npm?: Readonly<Record<string, string>>;
  /** The command line; `file` writes a configuration and returns its path. */
  readonly command: (
    ports: Record<Via, number>,
    origins: Origins,
    file: (text: string) => string,
  ) => string[];
}

const PEERS: readonly Peer[] = [
  {
    name: "relay",
    speaks: ["direct"],
    command: ({ direct }, { tunnels }) => [`${WORKSHOP}/relay`, `${direct}`, `${tunnels.port}`],
  },
  {
    name: "haproxy",
    needs: "haproxy",
    speaks: ["http", "direct"],
    command: (ports, origins, file) => ["haproxy", "-db", "-f", file(haproxyConfiguration(ports, origins))],
  },
  {
    name: "nginx",
    needs: "nginx",
    speaks: ["http"],
    command: (
      ports,
      origins,
      file,
    ) => ["nginx", "-e", "stderr", "-c", file(nginxConfiguration(ports, origins))],
  },
  {
    name: "squid",
    needs: "squid",
    speaks: ["http", "connect"],
    command: ({ http }, _, file) => ["squid", "-N", "-f", file(squidConfiguration(http))],
  },
  {
    name: "tinyproxy",
    needs: "tinyproxy",
    speaks: ["http", "connect"],
    command: ({ http }, _, file) => ["tinyproxy", "-d", "-c", file(tinyproxyConfiguration(http))],
  },
  {
    name: "microsocks",
    needs: "microsocks",
    speaks: ["socks5"],
    command: ({ socks5 }) => ["microsocks", "-i", "127.0.0.1", "-p", `${socks5}`],
  },
  {
    name: "proxy-chain",
    npm: { "proxy-chain": "3.0.1" },
    speaks: ["http", "connect"],
    command: ({ http }) =>
      node(`
      import { Server } from "proxy-chain";
      await new Server({ host: "127.0.0.1", port: ${http} }).listen();`),
  },
  {
    name: "proxy",
    npm: { "proxy": "4.1.0" },
    speaks: ["http", "connect"],
    command: ({ http }) =>
      node(`
      import { createServer } from "node:http";
      import { createProxy } from "proxy";
      createProxy(createServer()).listen(${http}, "127.0.0.1");`),
  },
];

function node(program: string): string[] {
  return [RUNTIMES.node24, "--input-type=module", "-e", program];
}

function peer({ name, speaks, needs, npm, command }: Peer): Entry {
  return {
    name,
    missing: needs && !isInstalled(needs) ? `"${needs}" is not installed` : undefined,
    speaks,
    async start(origins) {
      const folder = `${WORKSHOP}/${name}`;
      if (npm) await install(folder, npm);
      // Only HAProxy takes two kinds of clients on two ports.
      const [one, other] = [freePort(), freePort()];
      const ports = { http: one, connect: one, socks5: one, direct: other };
      const [word, ...args] = command(ports, origins, (text) => {
        Deno.writeTextFileSync(`${folder}.conf`, text);
        return `${folder}.conf`;
      });
      const program = new Program({
        command: [whereIs(word) ?? word, ...args],
        place: "proxy",
        cwd: npm && folder,
      });
      await listening(ports[speaks[0]], program);
      return { name, program, ports: Object.fromEntries(speaks.map((via) => [via, ports[via]])) };
    },
  };
}

/** Two of them in TCP mode. Like the other pairs' tunnels, each of theirs has a handshake of its own. */
function haproxyPair(): Entry {
  const name = "haproxy";
  const start = async (half: string, port: number, lines: readonly string[]): Promise<Program> => {
    const file = `${WORKSHOP}/${name}-${half}.conf`;
    await Deno.writeTextFile(
      file,
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
      const { cert, key } = certificates().one;
      Deno.writeTextFileSync(`${WORKSHOP}/pair.pem`, cert + key);
      const programs = [
        await start("remote", remote, [
          `bind 127.0.0.1:${remote} ssl crt ${WORKSHOP}/pair.pem ssl-min-ver TLSv1.3`,
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

/** Its default mode for TCP, and its HTTP mode, with this origin as the only backend. */
function haproxyConfiguration({ http, direct }: Record<Via, number>, origins: Origins): string {
  return `
global
  nbthread 1
defaults
  timeout connect 10s
  timeout client 300s
  timeout server 300s
frontend tunnels
  mode tcp
  bind 127.0.0.1:${direct}
  default_backend stream
backend stream
  mode tcp
  server origin 127.0.0.1:${origins.tunnels.port}
frontend requests
  mode http
  bind 127.0.0.1:${http}
  default_backend messages
backend messages
  mode http
  http-reuse always
  server origin 127.0.0.1:${origins.requests.port}
`;
}

function nginxConfiguration({ http }: Record<Via, number>, origins: Origins): string {
  return `
daemon off;
master_process off;
pid ${WORKSHOP}/nginx.pid;
worker_rlimit_nofile 20000;
events { worker_connections 10000; }
http {
  access_log off;
  keepalive_requests 100000000;
  upstream origin { server 127.0.0.1:${origins.requests.port}; keepalive 256; keepalive_requests 100000000; }
  server {
    listen 127.0.0.1:${http};
    location / {
      proxy_pass http://origin;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
    }
  }
}
`;
}

function squidConfiguration(port: number): string {
  return `
http_port 127.0.0.1:${port}
http_access allow all
cache deny all
cache_mem 0 MB
access_log none
cache_log /dev/null
cache_store_log none
pid_filename none
netdb_filename none
pinger_enable off
shutdown_lifetime 0 seconds
max_filedescriptors 20000
`;
}

function tinyproxyConfiguration(port: number): string {
  return `
Listen 127.0.0.1
Port ${port}
MaxClients 12000
Timeout 300
LogLevel Critical
Allow 127.0.0.1
`;
}
