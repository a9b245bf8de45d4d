/**
 * Spans: each request becomes one in the traces of an application that uses OpenTelemetry.
 *
 * The application hands its `@opentelemetry/api` over, so that sluice loads nothing and depends on nothing.
 *
 * @module
 */

import { VERSION } from "../version.ts";
import type { AccessRecord } from "./record.ts";

/** The part of the module `@opentelemetry/api` that is used. */
export interface OpenTelemetry {
  /** A context without spans. */
  readonly ROOT_CONTEXT: unknown;
  /** The entry to the tracers. */
  readonly trace: {
    /** Names a tracer. */
    // deno-lint-ignore no-explicit-any -- the types of the application's version of the module.
    getTracer(name: string, version?: string): any;
    /** A context in which another program's span is the parent. */
    // deno-lint-ignore no-explicit-any -- as above.
    setSpanContext(context: any, span: any): unknown;
  };
}

/** `SpanKind.SERVER` and `SpanStatusCode.ERROR`. */
const SERVER = 1;
const ERROR = 2;

/** Makes a span of each record, behind what it calls anyway. */
export function spanning(
  { trace, ROOT_CONTEXT }: OpenTelemetry,
  onRecord: ((record: AccessRecord) => void) | undefined,
): (record: AccessRecord) => void {
  const tracer = trace.getTracer("sluice", VERSION);
  return (record) => {
    onRecord?.(record);
    const { time, duration, fault, reason, method } = record;
    const context = record.trace === undefined
      ? ROOT_CONTEXT
      : trace.setSpanContext(ROOT_CONTEXT, remoteSpan(record.trace));
    const span = tracer.startSpan(
      method ?? "request",
      { kind: SERVER, startTime: time, attributes: attributesOf(record) },
      context,
    );
    if (fault !== undefined) span.setStatus({ code: ERROR, message: reason });
    span.end(new Date(time.getTime() + duration));
  };
}

function remoteSpan(traceParent: string): Readonly<Record<string, unknown>> {
  const [, traceId, spanId, flags] = traceParent.split("-");
  return { traceId, spanId, traceFlags: parseInt(flags, 16), isRemote: true };
}

/** The names are those of OpenTelemetry's semantic conventions, where it has one. */
function attributesOf(record: AccessRecord): Readonly<Record<string, string | number | undefined>> {
  return {
    "client.address": record.client,
    "enduser.id": record.user,
    "http.request.method": record.method,
    "http.response.status_code": record.status,
    "network.protocol.name": record.protocol,
    "network.peer.address": record.dialed,
    "error.type": record.fault,
    "sluice.connection": record.id,
    "sluice.target": record.target,
    "sluice.route": record.route,
    "sluice.bytes_sent": record.sent,
    "sluice.bytes_received": record.received,
    "sluice.dial_ms": record.dialTime,
    "sluice.first_byte_ms": record.firstByteTime,
  };
}
