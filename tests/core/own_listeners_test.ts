import { assertEquals } from "@std/assert";
import type { Fault } from "../../src/faults.ts";
import { refuseOwnListeners } from "../../src/policy/own_listeners.ts";

/** Whether a dialed address is found to be a listener of ours. */
function refused(host: string, listening: string, local?: string): boolean {
  try {
    const end = local === undefined ? undefined : { local: { host: local, port: 40_000 } };
    refuseOwnListeners({ host, port: 8899 }, [{ path: "/tmp/x" }, { host: listening, port: 8899 }], end);
    return false;
  } catch (error) {
    assertEquals((error as Fault).code, "proxy_loop_detected");
    return true;
  }
}

Deno.test("refuseOwnListeners() knows a listener in every spelling of its address", () => {
  const cases: [dialed: string, listening: string, expected: boolean][] = [
    ["127.0.0.1", "127.0.0.1", true],
    ["::ffff:127.0.0.1", "127.0.0.1", true],
    ["0.0.0.0", "127.0.0.1", true],
    ["::", "127.0.0.1", true],
    ["::1", "::1", true],
    ["0:0:0:0:0:0:0:1", "::1", true],
    ["127.9.9.9", "0.0.0.0", true],
    ["::1", "::", true],
    ["127.0.0.1", "::", true],
    ["127.0.0.2", "127.0.0.1", false],
    ["192.0.2.1", "127.0.0.1", false],
    ["192.0.2.1", "0.0.0.0", false],
  ];
  for (const [dialed, listening, expected] of cases) {
    assertEquals(refused(dialed, listening), expected, `${dialed} where we listen on ${listening}`);
  }
});

Deno.test("refuseOwnListeners() leaves other ports alone", () => {
  refuseOwnListeners({ host: "127.0.0.1", port: 80 }, [{ host: "127.0.0.1", port: 8899 }]);
});

Deno.test("refuseOwnListeners() knows an address of this machine by both ends of the connection being it", () => {
  assertEquals(refused("192.0.2.1", "0.0.0.0", "192.0.2.1"), true);
  assertEquals(refused("192.0.2.1", "0.0.0.0", "192.0.2.99"), false);
});
