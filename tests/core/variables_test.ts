import { assertEquals, assertThrows } from "@std/assert";
import { flagsOf } from "../../src/cli/flags/options.ts";
import { describeUnread, refuseUnknownVariables, type Variables } from "../../src/cli/flags/variables.ts";
import { UsageError } from "../../src/text/usage_error.ts";

function holding(variables: Record<string, string>): Variables {
  return { environment: (name) => variables[name], environmentNames: () => Object.keys(variables) };
}

/** A runtime that reads these variables alone. */
function reading(...names: string[]): Variables {
  return {
    ...holding({}),
    environmentDenied: (name) => names.includes(name) ? undefined : "the reason",
  };
}

Deno.test("variables: those that no flag knows are refused, with what may have been meant", () => {
  const refused = {
    SLUICE_LISTNE: 'Unknown variable "SLUICE_LISTNE": did you mean "SLUICE_LISTEN"?',
    SLUICE_PORT: 'Unknown variable "SLUICE_PORT": did you mean "SLUICE_LISTEN"?',
    SLUICE_METHOD: 'Unknown variable "SLUICE_METHOD": "--method" has no variable',
    SLUICE_CB: 'Unknown variable "SLUICE_CB": see --help',
    SLUICE_: 'Unknown variable "SLUICE_": see --help',
    SLUICE_FROBNICATE: 'Unknown variable "SLUICE_FROBNICATE": see --help',
  };
  for (const [name, message] of Object.entries(refused)) {
    assertThrows(() => refuseUnknownVariables(holding({ [name]: "1" })), UsageError, message);
  }
});

Deno.test("variables: those of flags, of sluice itself, of other programs and empty ones are taken", () => {
  refuseUnknownVariables(holding({
    SLUICE_USER: "ann:a",
    SLUICE_DENY: "*",
    SLUICE_TOKEN: "a",
    SLUICE_WORKER: "{}",
    SLUICE_NOTHING: "",
    PATH: "/bin",
    MY_SLUICE_LISTNE: "1",
  }));
});

Deno.test("variables: those that come with a service of this name are not ours", () => {
  refuseUnknownVariables(holding({
    SLUICE_VERSION: "1.2.3",
    SLUICE_HOME: "/opt/sluice",
    SLUICE_BIN: "/opt/sluice/bin/sluice",
    SLUICE_CMD: "deno run -N mod.ts",
    SLUICE_SERVICE_HOST: "10.0.0.1",
    SLUICE_SERVICE_PORT: "3128",
    SLUICE_SERVICE_PORT_HTTP: "3128",
    SLUICE_PORT: "tcp://10.0.0.1:3128",
    SLUICE_PORT_3128_TCP: "tcp://10.0.0.1:3128",
    SLUICE_PORT_3128_TCP_ADDR: "10.0.0.1",
    SLUICE_LOCAL_PORT_53_UDP_PROTO: "udp",
  }));
});

Deno.test("variables: what may not be read is told, with the reason", () => {
  const names = flagsOf("serve");
  assertEquals(describeUnread(holding({}), names), undefined);
  assertEquals(describeUnread(reading(), names), "SLUICE_* variables are not read: the reason");
  assertEquals(
    describeUnread(reading("SLUICE_USER", "SLUICE_PIN"), names),
    "SLUICE_* variables other than SLUICE_USER are not read: the reason",
  );
  assertEquals(describeUnread(reading(), flagsOf("passwd")), undefined);
});
