import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { proxyOptions } from "../../src/cli/config/proxy_options.ts";
import { environmentName, FLAGS } from "../../src/cli/flags/flags.ts";
import { parseCommandLine } from "../../src/cli/flags/options.ts";
import { OPTIONS } from "../../src/options/options.ts";
import { givenOptions, LIBRARY_OPTIONS } from "../../src/proxy/checked_options.ts";
import { configure, reconfigure } from "../../src/proxy/configuration.ts";
import { parseRules } from "../../src/policy/rules_file.ts";
import type { ProxyOptions } from "../../src/proxy/options.ts";
import { createProxy } from "../../src/proxy/server.ts";
import type { Option } from "../../src/settings/option.ts";
import { UsageError } from "../../src/text/usage_error.ts";
import { SAMPLES } from "../support/option_samples.ts";

/** What a caller in JavaScript may give. */
function careless(options: unknown): ProxyOptions {
  return options as ProxyOptions;
}

/** What is given for one option of the library, in the shape that it has there. */
function libraryOptions(setting: string, value: unknown): ProxyOptions {
  const [name, member] = setting.split(".");
  return careless({ [name]: member === undefined ? value : { [member]: value } });
}

const noFile = () => Promise.reject(new Error("No file is named"));

for (const [flag, option] of Object.entries<Option>(FLAGS)) {
  const { setting, value, repeatable, read } = option;
  if (setting === undefined) continue;
  Deno.test(`options: --${flag}, ${environmentName(flag)} and the library's ${setting} do the same`, async () => {
    const text = value === undefined ? "true" : SAMPLES[value] ?? SAMPLES[flag];
    // A public address would be an open proxy without this.
    const args = value === undefined ? [`--${flag}`] : [`--${flag}=${text}`];
    const byFlag = await proxyOptions(parseCommandLine(args).options, noFile);
    const environment = (name: string) => name === environmentName(flag) ? text : undefined;
    const byVariable = await proxyOptions(parseCommandLine([], environment).options, noFile);
    const byLibrary = libraryOptions(setting, repeatable ? [read(text, "--flag")] : read(text, "--flag"));
    // A rule tells where it was given, and nothing else may differ.
    const plain = (value: unknown) =>
      JSON.stringify(value, (key, part) => key === "origin" ? undefined : part);
    const given = plain(givenOptions(byLibrary).get(setting));
    assertEquals(plain(givenOptions(byFlag).get(setting)), given);
    assertEquals(plain(givenOptions(byVariable).get(setting)), given);
    const settings = plain(configure(byLibrary, "a-proxy").settings);
    assertEquals(plain(configure(byFlag, "a-proxy").settings), settings);
    assertEquals(plain(configure(byVariable, "a-proxy").settings), settings);
  });
}

Deno.test("options: the library has no name outside its table, in any spelling", () => {
  for (const name of LIBRARY_OPTIONS.keys()) {
    const [holder, member] = name.split(".");
    const wrong = (
      word: string,
    ) => [`${word}s`, word.slice(1), word.toUpperCase(), `${word}_`, `no-${word}`, `${word} `];
    const names = member === undefined ? wrong(holder) : wrong(member).map((word) => `${holder}.${word}`);
    for (const one of names) {
      if (LIBRARY_OPTIONS.has(one)) continue;
      assertThrows(() => configure(libraryOptions(one, "x")), UsageError, `Unknown option "${one}"`);
    }
  }
  for (const name of ["constructor", "toString", "__proto__ ", "timeouts.connect", ""]) {
    assertThrows(() => configure(careless({ [name]: 1 })), UsageError, "option");
  }
});

const MISSPELT: [options: unknown, message: string][] = [
  [{ lisen: ":0" }, 'Unknown option "lisen": did you mean "listen"?'],
  [{ port: 8080 }, 'Unknown option "port": did you mean "listen"?'],
  [{ timeouts: { conect: 1 } }, 'Unknown option "timeouts.conect": did you mean "timeouts.connect"?'],
  [{ limits: { bodysize: 1 } }, 'Unknown option "limits.bodysize": did you mean "limits.bodySize"?'],
  [{ connectTimeout: 1 }, 'Unknown option "connectTimeout": did you mean "timeouts.connect"?'],
  [{ "max-connections": 1 }, 'Unknown option "max-connections": did you mean "limits.connections"?'],
  [{ onrecord() {} }, 'Unknown option "onrecord": did you mean "onRecord"?'],
  [{ frobnicate: 1 }, 'Unknown option "frobnicate"'],
];

for (const [options, message] of MISSPELT) {
  Deno.test(`options: the library says ${message}`, async () => {
    const error = await assertRejects(() => createProxy(careless(options)), UsageError);
    assertEquals(error.message, message);
  });
}

const MISTAKEN: [options: unknown, message: string][] = [
  [{ timeouts: { connect: "10s" } }, 'Invalid option "timeouts.connect": give a number of milliseconds'],
  [{ timeouts: { connect: -1 } }, 'Invalid option "timeouts.connect"'],
  [{ timeouts: { connect: NaN } }, 'Invalid option "timeouts.connect"'],
  [{ timeouts: 5 }, 'Invalid option "timeouts": give an object'],
  [{ limits: { headerSize: "64k" } }, 'Invalid option "limits.headerSize": give a number of bytes'],
  [{ allowOpen: "yes" }, 'Invalid option "allowOpen": give true or false'],
  [{ listen: 8080 }, 'Invalid option "listen": give a text, or several in an array'],
  [{ listen: [8080] }, 'Invalid option "listen"'],
  [{ admin: ["127.0.0.1:0"] }, 'Invalid option "admin"'],
  [{ authenticate: true }, 'Invalid option "authenticate": give a function'],
  [{ log: "debug" }, 'Invalid option "log": give an object'],
  [{ forwarded: "on" }, 'Invalid option "forwarded": give one of "keep", "append", "replace", "delete"'],
  [{ hosts: { "a.test": ["192.0.2.1"] } }, 'Invalid option "hosts": give a Map'],
  [{ name: "a b" }, 'Invalid option "name"'],
  [{ contact: "a\nb" }, 'Invalid option "contact"'],
  [{ privateDestinations: true }, 'Invalid option "privateDestinations": give one of "allow", "deny"'],
  [{ tokens: [1] }, 'Invalid option "tokens"'],
  [{ users: ["ann:secret"], authenticate: () => true }, 'Cannot use the options "users" and "authenticate"'],
  [null, "Invalid options: give an object"],
  ["127.0.0.1:0", "Invalid options: give an object"],
];

for (const [options, message] of MISTAKEN) {
  Deno.test(`options: the library says ${message} to ${JSON.stringify(options)}`, () => {
    const error = assertThrows(() => configure(careless(options)), UsageError, message);
    assertEquals(/10s|64k|8080|debug|a b/.test(error.message), false, "values may be secrets");
  });
}

Deno.test("options: one value may stand for a list of one", () => {
  const { rules, users, options } = configure(
    careless({ rules: "deny a.test", users: "ann:secret", connectPorts: 443 }),
  );
  assertEquals([rules.judges, users !== undefined, options.connectPorts], [true, true, 443]);
});

Deno.test("options: what is undefined is not given", () => {
  const nothing = Object.fromEntries(
    [...LIBRARY_OPTIONS.keys()].filter((name) => !name.includes(".")).map((name) => [name, undefined]),
  );
  assertEquals(configure(careless(nothing), "a-proxy").settings, configure({}, "a-proxy").settings);
});

Deno.test("options: every row that stands for an option of the library is one there", () => {
  for (const { setting, reload } of Object.values<Option>(OPTIONS)) {
    if (setting !== undefined) assertEquals(LIBRARY_OPTIONS.get(setting)?.reload, reload, setting);
  }
});

for (const { setting, reload, value, repeatable, read } of Object.values<Option>(OPTIONS)) {
  if (setting === undefined) continue;
  Deno.test(`options: a reload ${reload ? "takes" : "refuses by its name"} another ${setting}`, () => {
    const text = value === undefined ? "true" : SAMPLES[setting] ?? SAMPLES[value];
    const changes = libraryOptions(setting, repeatable ? [read(text, "--flag")] : read(text, "--flag"));
    // Users can be replaced, and not be asked for where nobody was.
    const inForce = configure(setting === "users" ? { users: ["bob:secret"] } : {}, "a-proxy");
    if (!reload) {
      const message = `The option "${setting}" cannot be changed by a reload: it takes a restart`;
      assertThrows(() => reconfigure(inForce, changes), UsageError, message);
      return;
    }
    const after = reconfigure(inForce, changes);
    assertEquals(givenOptions(after.options).get(setting), givenOptions(changes).get(setting));
    assertEquals(after.settings, configure(after.options, "a-proxy").settings);
  });
}

Deno.test("options: a rule is a line of text, or what parseRules() returns", () => {
  assertEquals(configure({ rules: parseRules("deny a.test\n", "rules") }).rules.judges, true);
  const made = careless({ rules: [{ kind: "deny", text: "deny a.test", origin: "here" }] });
  assertThrows(() => configure(made), UsageError, "Invalid rule: give a line");
});
