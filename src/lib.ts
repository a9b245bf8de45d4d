/**
 * sluice as a library: a forward proxy for HTTP, CONNECT, SOCKS4, SOCKS4a and SOCKS5 on one port.
 *
 * Read {@linkcode createProxy} first. {@linkcode ProxyOptions} and the interfaces that it extends have all options.
 * {@linkcode Proxy} is what you get. The other names belong to these:
 *
 * - who is let in: {@linkcode Authenticate}, and {@linkcode parseUsersFile} and {@linkcode hashPassword} for a users file;
 * - where requests may go, and which route they take: {@linkcode parseRules}, {@linkcode Route},
 *   {@linkcode parseHosts};
 * - logs, counts and errors: {@linkcode AccessRecord}, {@linkcode Totals}, {@linkcode Fault}, {@linkcode UsageError};
 * - how long and how much: {@linkcode Timeouts}, {@linkcode Limits};
 * - {@linkcode Runtime} and the types that it uses: only for a program that brings sockets of its own.
 *
 * Times are in milliseconds and sizes in bytes. An unknown option is refused.
 *
 * @example A proxy that logs what it serves
 * ```ts
 * import { createProxy } from "sluice";
 *
 * const proxy = await createProxy({
 *   listen: "127.0.0.1:0",
 *   onRecord: (record) => console.log(record.method, record.target, record.status),
 * });
 * console.log(proxy.addresses);
 * await proxy.close();
 * ```
 *
 * @module
 */

export { createProxy } from "./proxy/server.ts";
export type { CloseOptions, Proxy, ProxyOptions, ReloadOptions } from "./proxy/options.ts";
export { Fault, type FaultCode, type FaultOptions, type Party } from "./faults.ts";
export { type Blame } from "./fault_table.ts";
export { UsageError } from "./text/usage_error.ts";
export type { LiveConnection, Others, Selection } from "./observe/live.ts";
export type { Exemplar, HistogramCounts } from "./observe/histogram.ts";
export type { RecentView, Refusal, SlowTarget, UpstreamState } from "./observe/recent.ts";
export type { RequestKind, Totals } from "./observe/metrics.ts";
export type { AccessRecord, DatagramCounts, Ending } from "./observe/record.ts";
export type { Log } from "./observe/log.ts";
export type { OpenTelemetry } from "./observe/spans.ts";
export type { OnTransition } from "./request/on_transition.ts";
export type { Authenticate, AuthenticationRequest } from "./policy/authentication.ts";
export type { Credentials } from "./protocols/common/handshake.ts";
export type { Protocol } from "./protocols/client_protocols.ts";
export type { DestinationSettings } from "./settings/destinations.ts";
export type { AccessOptions } from "./options/access.ts";
export type { ListeningOptions } from "./options/listening.ts";
export type { LogOptions } from "./options/logs.ts";
export type { RuleOptions } from "./options/rules.ts";
export type { UpstreamOptions } from "./options/upstreams.ts";
export type { ForwardedMode, HttpSettings } from "./settings/http.ts";
export type { Allowance, CalendarUnit } from "./policy/limit_amount.ts";
export type { Ask, Grant, LimitStore } from "./limits/store.ts";
export type { Places } from "./policy/places.ts";
export { hashPassword, type PasswordHash } from "./policy/password_hash.ts";
export { parseRules } from "./policy/rules_file.ts";
export type { UserEntry } from "./policy/users.ts";
export { parseUsersFile } from "./policy/users_file.ts";
export type { Rule } from "./policy/rule.ts";
export type { RuleProtocol } from "./policy/rule_request.ts";
export type { Route, RouteAnswer, RouteHead, RouteRequest } from "./dialing/router.ts";
export { parseHosts } from "./dialing/hosts_file.ts";
export type { Clock } from "./runtime/clock.ts";
export type { Limits } from "./settings/limits.ts";
export type { Timeouts } from "./settings/timeouts.ts";
export type { ReadText } from "./text/text_file.ts";
export type { DirectPort, PortReceiver } from "./runtime/direct_port.ts";
export type {
  Address,
  ByteStream,
  Certificate,
  DatagramOptions,
  DatagramSocket,
  DialOptions,
  Listener,
  ListenOptions,
  Resolution,
  ResolveOptions,
  Runtime,
  Sharing,
  SocketError,
  SocketErrorCode,
  TcpAddress,
  TlsClientOptions,
  TlsServerOptions,
  UnixAddress,
} from "./runtime/contract.ts";
