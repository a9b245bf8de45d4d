/**
 * The programs that sluice is compared with: other proxies, and relays that know no protocol.
 *
 * @module
 */

import { execFileSync } from "node:child_process";
import { install } from "../scripts/npm.ts";
import { ROOT, RUNTIMES } from "../scripts/toolchain.ts";
import type { Entry, Origins, Via } from "./contestants.ts";
import { freePort, isInstalled, listening, Program, whereIs, WORKSHOP } from "./processes.ts";
import {
  blocksFile,
  certificate,
  certificateWithKey,
  type Extra,
  hostsFile,
  logFile,
  setUps,
  USER,
  write,
} from "./set_ups.ts";

/** How another proxy is run. */
interface Peer {
  readonly name: string;
  readonly speaks: readonly Via[];
  /** What it can do beside forwarding. */
  readonly offers?: readonly Extra[];
  /** The program that must be installed. We install npm's packages ourselves. */
  readonly needs?: string;
  readonly npm?: Readonly<Record<string, string>>;
  readonly command: (start: Start) => string[];
}

/** What a peer needs to know for its command line. */
interface Start {
  readonly ports: Record<Via, number>;
  readonly origins: Origins;
  readonly extras: readonly Extra[];
  /** Writes a configuration and returns its path. */
  readonly file: (text: string) => string;
}

/** One line for each. */
export const PEERS: readonly Peer[] = [
  {
    name: "relay",
    speaks: ["direct"],
    command: ({ ports: { direct }, origins: { tunnels } }) => [
      `${WORKSHOP}/relay`,
      `${direct}`,
      `${tunnels.port}`,
    ],
  },
  bare("deno", [Deno.execPath(), "run", "-N", "-R"], "deno.ts"),
  bare("bun", [RUNTIMES.bun, "run"], "bun.ts"),
  bare("node24", [RUNTIMES.node24], "node.ts"),
  { ...bare("node24-handles", [RUNTIMES.node24], "node_handles.ts"), offers: [] },
  {
    name: "haproxy",
    needs: "haproxy",
    speaks: ["http", "direct"],
    offers: ["tls", "users", "rules", "blocks", "log"],
    // HAProxy writes no file by itself; a shell opens one as its standard output.
    command: (start) => [
      ...["sh", "-c", 'exec "$0" -db -f "$1" > "$2"', "haproxy", start.file(haproxyConfiguration(start))],
      start.extras.includes("log") ? logFile("haproxy") : "/dev/null",
    ],
  },
  {
    name: "nginx",
    needs: "nginx",
    speaks: ["http"],
    offers: ["tls", "log"],
    command: (start) => ["nginx", "-e", "stderr", "-c", start.file(nginxConfiguration(start))],
  },
  {
    name: "squid",
    needs: "squid",
    speaks: ["http", "connect"],
    offers: ["users", "rules", "blocks", "log"],
    // Its shared memory has the name of the service; two Squids cannot have the same.
    command: (start) => [
      ...["squid", "-N", "-n", `bench${start.ports.http}`, "-f", start.file(squidConfiguration(start))],
    ],
  },
  {
    name: "tinyproxy",
    needs: "tinyproxy",
    speaks: ["http", "connect"],
    command: ({ ports: { http }, file }) => ["tinyproxy", "-d", "-c", file(tinyproxyConfiguration(http))],
  },
  {
    name: "microsocks",
    needs: "microsocks",
    speaks: ["socks5"],
    command: ({ ports: { socks5 } }) => ["microsocks", "-i", "127.0.0.1", "-p", `${socks5}`],
  },
  {
    name: "proxy-chain",
    npm: { "proxy-chain": "3.0.1" },
    speaks: ["http", "connect"],
    command: ({ ports: { http } }) =>
      node(`
      import { Server } from "proxy-chain";
      await new Server({ host: "127.0.0.1", port: ${http} }).listen();`),
  },
  {
    name: "proxy",
    npm: { "proxy": "4.1.0" },
    speaks: ["http", "connect"],
    command: ({ ports: { http } }) =>
      node(`
      import { createServer } from "node:http";
      import { createProxy } from "proxy";
      createProxy(createServer()).listen(${http}, "127.0.0.1");`),
  },
];

/** The cost of the runtime itself: a relay that looks only at the first byte from a client. */
function bare(runtime: string, command: readonly string[], program: string): Peer {
  return {
    name: `bare-${runtime}`,
    speaks: ["http", "connect", "socks5"],
    offers: ["tls"],
    command({ ports: { http }, origins, extras }) {
      const ports = [http, origins.requests.port, origins.tunnels.port];
      const { certFile, keyFile } = certificate();
      const files = extras.includes("tls") ? [certFile, keyFile] : [];
      return [...command, `${ROOT}/bench/bare/${program}`, ...ports.map(String), ...files];
    },
  };
}

function node(program: string): string[] {
  return [RUNTIMES.node24, "--input-type=module", "-e", program];
}

/** Makes a contestant of a peer; it can take part if it is installed. */
export function startable(peer: Peer): Entry {
  const make = (extras: readonly Extra[]) => entry(peer, extras);
  return { ...make([]), setUps: setUps(peer.offers ?? [], make) };
}

function entry({ name, speaks, needs, npm, command }: Peer, extras: readonly Extra[]): Entry {
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
      const file = (text: string): string => write(`${[name, ...extras].join("-")}.conf`, text);
      const [word, ...args] = command({ ports, origins, extras, file });
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

/** The lines that the extras add to a configuration. */
function linesOf(lines: Partial<Record<Extra, string>>, extras: readonly Extra[]): string {
  return extras.map((extra) => lines[extra] ?? "").join("\n");
}

/** A configuration with one port in TCP mode and one in HTTP mode, each with one origin as its only backend. */
function haproxyConfiguration({ ports: { http, direct }, origins, extras }: Start): string {
  const added = linesOf({
    users: "option http-use-proxy-header\nhttp-request auth unless { http_auth(users) }",
    rules: `http-request deny if { req.hdr(host),host_only -m str -f ${hostsFile("hosts")} }`,
    blocks: `http-request deny if { req.hdr(host),host_only -m ip -f ${blocksFile("blocks")} }`,
    log: "log stdout format raw local0\noption httplog",
  }, extras);
  return `
global
  nbthread 1
defaults
  timeout connect 10s
  timeout client 300s
  timeout server 300s
userlist users
  user ${USER.name} insecure-password ${USER.password}
frontend tunnels
  mode tcp
  bind 127.0.0.1:${direct}
  default_backend stream
backend stream
  mode tcp
  server origin 127.0.0.1:${origins.tunnels.port}
frontend requests
  mode http
  bind 127.0.0.1:${http} ${extras.includes("tls") ? `ssl crt ${certificateWithKey()}` : ""}
  ${added}
  default_backend messages
backend messages
  mode http
  http-reuse always
  server origin 127.0.0.1:${origins.requests.port}
`;
}

/**
 * Its only upstream is the origin, as HAProxy's. With `proxy_pass http://$http_host$request_uri` it would be a forward
 * proxy, but then it has no kept connections to origins and dials for each request.
 */
function nginxConfiguration({ ports: { http }, origins, extras }: Start): string {
  const { certFile, keyFile } = certificate();
  const added = linesOf({
    tls: `ssl_certificate ${certFile};\nssl_certificate_key ${keyFile};`,
    log: `access_log ${logFile("nginx")};`,
  }, extras);
  return `
daemon off;
master_process off;
pid ${WORKSHOP}/nginx.pid;
worker_rlimit_nofile 20000;
events { worker_connections 10000; }
http {
  ${extras.includes("log") ? "" : "access_log off;"}
  keepalive_requests 100000000;
  upstream origin { server 127.0.0.1:${origins.requests.port}; keepalive 512; keepalive_requests 100000000; }
  server {
    listen 127.0.0.1:${http} ${extras.includes("tls") ? "ssl" : ""};
    ${added}
    location / {
      proxy_pass http://origin;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_max_temp_file_size 0;
    }
  }
}
`;
}

function squidConfiguration({ ports: { http }, extras }: Start): string {
  const added = linesOf({
    users: `auth_param basic program /usr/lib/squid/basic_ncsa_auth ${squidUsers()}
acl known proxy_auth REQUIRED
http_access deny !known`,
    rules: `acl hosts dstdomain "${hostsFile("hosts")}"\nhttp_access deny hosts`,
    blocks: `acl blocks dst "${blocksFile("blocks")}"\nhttp_access deny blocks`,
  }, extras);
  return `
http_port 127.0.0.1:${http}
${added}
http_access allow all
cache deny all
cache_mem 0 MB
access_log ${extras.includes("log") ? `stdio:${logFile("squid")}` : "none"}
cache_log /dev/null
cache_store_log none
pid_filename none
netdb_filename none
pinger_enable off
shutdown_lifetime 0 seconds
max_filedescriptors 20000
`;
}

/** A file in the form of Apache's htpasswd. */
function squidUsers(): string {
  const hash = execFileSync("openssl", ["passwd", "-apr1", USER.password], { encoding: "utf8" });
  return write("htpasswd", `${USER.name}:${hash}`);
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
