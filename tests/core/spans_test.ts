import { assertEquals } from "@std/assert";
import type { AccessRecord } from "../../src/observe/record.ts";
import { spanning } from "../../src/observe/spans.ts";
import { traceParent } from "../../src/protocols/http/trace_context.ts";
import { request } from "../support/http1.ts";

const TRACE = "0af7651916cd43dd8448eb211c80319c";
const PARENT = "b7ad6b7169203331";

Deno.test("traceparent: only what W3C Trace Context calls valid", () => {
  const read = (value: string) =>
    traceParent(request(`GET http://a/ HTTP/1.1\r\nHost: a\r\ntraceparent: ${value}\r\n\r\n`).head.fields);
  assertEquals(read(`00-${TRACE}-${PARENT}-01`), `00-${TRACE}-${PARENT}-01`);
  for (
    const value of [
      "",
      `00-${TRACE}-${PARENT}`,
      `00-${TRACE}-${PARENT}-01-x`,
      `ff-${TRACE}-${PARENT}-01`,
      `00-${"0".repeat(32)}-${PARENT}-01`,
      `00-${TRACE}-${"0".repeat(16)}-01`,
      `00-${TRACE.toUpperCase()}-${PARENT}-01`,
      `00-${TRACE}-${PARENT}-01, 00-${TRACE}-${PARENT}-01`,
    ]
  ) assertEquals(read(value), undefined, value);
});

Deno.test("spanning() makes a span of a record, under the client's own", () => {
  const spans: unknown[] = [];
  const told: AccessRecord[] = [];
  const api = {
    ROOT_CONTEXT: "root",
    trace: {
      getTracer: (name: string) => ({
        startSpan: (...args: unknown[]) => {
          const span: Record<string, unknown> = { name, args };
          spans.push(span);
          return {
            setStatus: (status: unknown) => void (span.status = status),
            end: (time: Date) => void (span.end = time.getTime()),
          };
        },
      }),
      setSpanContext: (context: unknown, span: unknown) => ({ context, span }),
    },
  };
  const record = {
    time: new Date(1_000),
    duration: 250,
    id: "a-1",
    method: "CONNECT",
    target: "example.com:443",
    trace: `00-${TRACE}-${PARENT}-01`,
    fault: "dns_error",
    reason: "No such name",
  } as AccessRecord;
  const make = spanning(api, (record) => told.push(record));
  make(record);
  make({ ...record, trace: undefined, fault: undefined });
  assertEquals(told.length, 2);
  const [first, second] = spans as { name: string; args: unknown[]; status?: unknown; end: number }[];
  const parent = { traceId: TRACE, spanId: PARENT, traceFlags: 1, isRemote: true };
  assertEquals([first.name, first.args[0], first.args[2]], ["sluice", "CONNECT", {
    context: "root",
    span: parent,
  }]);
  assertEquals([first.status, first.end], [{ code: 2, message: "No such name" }, 1_250]);
  assertEquals([second.status, second.args[2]], [undefined, "root"]);
});
