/**
 * `sluice print FILE`: files for a service, made for the place where this program is.
 *
 * @module
 */

import { UsageError } from "../../text/usage_error.ts";
import type { Runtime } from "../../runtime/contract.ts";
import type { CommandName } from "../../settings/option.ts";
import { VERSION } from "../../version.ts";
import type { PRINTED } from "../flags/commands.ts";
import type { CommandLine } from "../flags/options.ts";
import { grafanaDashboard } from "./grafana.ts";
import { EXIT_CODES, type Shell } from "../program/shell.ts";

const FILES: Readonly<Record<typeof PRINTED[number], (runtime: Runtime) => string>> = {
  "sluice.service": unit("sluice", "serve", "sluice, a proxy for HTTP, HTTPS and SOCKS"),
  "sluice-remote.service": unit("sluice-remote", "remote", "The remote half of a pair of sluice"),
  "sluice-local.service": unit("sluice-local", "local", "The local half of a pair of sluice"),
  logrotate: () => LOGROTATE,
  Dockerfile: () => DOCKERFILE,
  "grafana.json": grafanaDashboard,
};

/** Runs the command. */
// deno-lint-ignore require-await
export async function print({ words: [name] }: CommandLine, shell: Shell, runtime: Runtime): Promise<number> {
  shell.print(FILES[name as keyof typeof FILES](runtime).trimEnd());
  return EXIT_CODES.done;
}

/** A unit of systemd for a command. */
function unit(name: string, command: CommandName, description: string): (runtime: Runtime) => string {
  return (runtime) => {
    const program = runtime.command?.();
    if (!program) throw new UsageError(`Cannot tell what starts this program on ${runtime.name}`);
    // A program in somebody's home must be seen there.
    const home = program.some((word) => /^\/(?:home|root)\//.test(word)) ? "read-only" : "yes";
    return `# ${name}.service: put it into /etc/systemd/system, then:
#   useradd --system --home-dir /etc/sluice --shell /usr/sbin/nologin sluice
#   systemctl daemon-reload
#   systemctl enable --now ${name}
# The options are variables, one to a line, in /etc/sluice/${name}.env:
#   SLUICE_CONFIG=sluice.toml
# Names of files are meant in /etc/sluice. Those with secrets belong to the user sluice alone (mode 600).
[Unit]
Description=${description}
Wants=network-online.target
After=network-online.target

[Service]
# No runtime can send the datagram that Type=notify waits for, nor can all of them take a listener from systemd.
Type=exec
ExecStart=${[...program, command].map(quote).join(" ")}
ExecReload=/bin/kill -HUP $MAINPID
EnvironmentFile=-/etc/sluice/${name}.env
WorkingDirectory=/etc/sluice
User=sluice
Group=sluice
Restart=on-failure
# Wrong usage stays wrong.
RestartPreventExitStatus=2
# A worker stops when the process that started it does.
KillMode=mixed
# Longer than --drain-timeout, 30s by default.
TimeoutStopSec=45
LimitNOFILE=65536

ConfigurationDirectory=sluice
LogsDirectory=sluice
RuntimeDirectory=${name}
CacheDirectory=sluice
# Deno and Bun keep the packages that they fetch here.
Environment=XDG_CACHE_HOME=/var/cache/sluice BUN_INSTALL=/var/cache/sluice/bun

# For a port below 1024: CAP_NET_BIND_SERVICE in both lines, and PrivateUsers=no.
CapabilityBoundingSet=
AmbientCapabilities=
NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=${home}
PrivateTmp=yes
PrivateDevices=yes
PrivateMounts=yes
PrivateUsers=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectProc=invisible
# Netlink is how the addresses of this machine are found out.
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
RemoveIPC=yes
UMask=0027
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged
SystemCallErrorNumber=EPERM
# MemoryDenyWriteExecute would stop the runtime: it compiles while it runs.

[Install]
WantedBy=multi-user.target
`;
  };
}

/** A word of a command line in a unit: systemd.service(5), systemd.syntax(7). */
function quote(word: string): string {
  const escaped = word.replaceAll("%", "%%").replaceAll("$", "$$$$");
  return /^[\w@%+=:,./$-]+$/.test(escaped) ? escaped : `"${escaped.replace(/["\\]/g, "\\$&")}"`;
}

const LOGROTATE = `# For /etc/logrotate.d/sluice, where SLUICE_ACCESS_LOG=/var/log/sluice/access.log.
/var/log/sluice/*.log {
	daily
	rotate 14
	missingok
	notifempty
	nocreate
	compress
	# A line that is being written ends in the file that was just renamed.
	delaycompress
	sharedscripts
	postrotate
		systemctl kill --kill-whom=main --signal=USR1 'sluice*.service' 2>/dev/null || true
	endscript
}
`;

const DOCKERFILE = `# An image of sluice. In a checkout:
#   deno task build:npm && npm pack ./npm && sluice print Dockerfile > Dockerfile && docker build -t sluice .
# Then, with users in the folder that is mounted:
#   docker run -p 3128:3128 -v "$PWD/config:/config:ro" -e SLUICE_USERS_FILE=users sluice
FROM node:24-slim
COPY sluice-${VERSION}.tgz /tmp/
RUN npm install --global --omit=dev --no-audit --no-fund /tmp/sluice-${VERSION}.tgz \\
  && npm cache clean --force \\
  && rm /tmp/sluice-${VERSION}.tgz
USER node
WORKDIR /config
ENV SLUICE_LISTEN=0.0.0.0:3128
EXPOSE 3128
ENTRYPOINT ["sluice"]
`;
