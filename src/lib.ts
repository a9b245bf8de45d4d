/**
 * sluice as a library: a forward proxy for HTTP, CONNECT, SOCKS4, SOCKS4a and SOCKS5 on one port.
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

export { type CloseOptions, createProxy, type Proxy, type ProxyOptions } from "./server.ts";
export { Fault, type FaultCode } from "./faults.ts";
export { UsageError } from "./usage_error.ts";
export type { Log } from "./observe/log.ts";
export type { AccessRecord, Ending } from "./observe/record.ts";
export type { Authenticate, AuthenticationRequest, OnTransition } from "./services.ts";
export type { Address, ByteStream, Listener, Runtime, TcpAddress, UnixAddress } from "./runtime.ts";
export type { Limits, Timeouts } from "./settings.ts";
