/**
 * The programs that sluice is compared with: other proxies, and relays that know no protocol.
 *
 * @module
 */

import { install } from "../scripts/npm.ts";
import { ROOT, RUNTIMES } from "../scripts/toolchain.ts";
import type { Entry, Origins, Via } from "./contestants.ts";
import { freePort, isInstalled, listening, Program, whereIs, WORKSHOP } from "./processes.ts";

/** How another proxy is run. */
interface Peer {
  readonly name: string;
  readonly speaks: readonly Via[];
  /** The program that must be installed. We install npm's packages ourselves. */
  readonly needs?: string;
  readonly npm?: Readonly<Record<string, string>>;
  /** The command line; `file` writes a configuration and returns its path. */
  readonly command: (
    ports: Record<Via, number>,
    origins: Origins,
    file: (text: string) => string,
  ) => string[];
}

/** One line for each. */
export const PEERS: readonly Peer[] = [
  {
    name: "relay",
    speaks: ["direct"],
    command: ({ direct }, { tunnels }) => [`${WORKSHOP}/relay`, `${direct}`, `${tunnels.port}`],
  },
  bare("deno", Deno.execPath(), "run", "-N"),
  bare("bun", RUNTIMES.bun, "run"),
  bare("node24", RUNTIMES.node24),
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

/** The cost of the runtime itself: a relay that looks only at the first byte from a client. */
function bare(runtime: string, ...command: string[]): Peer {
  const program = `${ROOT}/bench/bare/${runtime.replace(/\d+$/, "")}.ts`;
  return {
    name: `bare-${runtime}`,
    speaks: ["http", "connect"],
    command: ({ http }, origins) => {
      const ports = [http, origins.requests.port, origins.tunnels.port];
      return [...command, program, ...ports.map(String)];
    },
  };
}

function node(program: string): string[] {
  return [RUNTIMES.node24, "--input-type=module", "-e", program];
}

/** Makes a contestant of a peer; it can take part if it is installed. */
export function startable({ name, speaks, needs, npm, command }: Peer): Entry {
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

/** A configuration with one port in TCP mode and one in HTTP mode, each with one origin as its only backend. */
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
