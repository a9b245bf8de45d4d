import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { environmentName, type Flag, FLAGS } from "../../src/cli/flags.ts";
import { type Options, parseOptions } from "../../src/cli/options.ts";
import { DEFAULT_LIMITS, DEFAULT_TIMEOUTS } from "../../src/settings.ts";
import { UsageError } from "../../src/usage_error.ts";

const DEFAULTS: Options = {
  "listen": ["127.0.0.1:8899"],
  "allow-open": false,
  "name": undefined,
  "user": [],
  "forwarded": "keep",
  "allow-private": false,
  "deny-private": false,
  "connect-timeout": DEFAULT_TIMEOUTS.connect,
  "header-timeout": DEFAULT_TIMEOUTS.header,
  "idle-timeout": DEFAULT_TIMEOUTS.idle,
  "drain-timeout": DEFAULT_TIMEOUTS.drain,
  "max-connections": DEFAULT_LIMITS.connections,
  "max-header-size": DEFAULT_LIMITS.headerSize,
  "max-body-size": undefined,
  "access-log": "-",
  "log-format": "text",
  "log-level": "info",
  "verbose": undefined,
  "quiet": undefined,
  "help": false,
  "version": false,
};

function environmentOf(variables: Record<string, string>): (name: string) => string | undefined {
  return (name) => variables[name];
}

Deno.test("options: without arguments everything has its default", () => {
  assertEquals(parseOptions([]), DEFAULTS);
});

const UNDERSTOOD: [args: string, options: Partial<Options>][] = [
  ["serve", {}],
  ["serve -q", { "log-level": "error" }],
  ["-q serve", { "log-level": "error" }],
  ["-l :1", { listen: [":1"] }],
  ["-l=:1", { listen: [":1"] }],
  ["-l127.0.0.1:1", { listen: ["127.0.0.1:1"] }],
  ["--listen :1", { listen: [":1"] }],
  ["--listen=:1", { listen: [":1"] }],
  ["-l :1 --listen=:2 --listen unix:/a", { listen: [":1", ":2", "unix:/a"] }],
  ["--listen 8080", { listen: ["8080"] }],
  ["--allow-open", { "allow-open": true }],
  ["--allow-open serve", { "allow-open": true }],
  ["--allow-open --allow-open", { "allow-open": true }],
  ["--allow-open=false", { "allow-open": false }],
  ["--allow-open=yes", { "allow-open": true }],
  ["--allow-private", { "allow-private": true }],
  ["--name a-proxy.1", { name: "a-proxy.1" }],
  ["--connect-timeout 1.5s", { "connect-timeout": 1_500 }],
  ["--header-timeout 7", { "header-timeout": 7_000 }],
  ["--idle-timeout=1h", { "idle-timeout": 3_600_000 }],
  ["--drain-timeout 0", { "drain-timeout": 0 }],
  ["--max-connections 100", { "max-connections": 100 }],
  ["--max-header-size 16k", { "max-header-size": 16_384 }],
  ["--max-header-size 1M", { "max-header-size": 1_048_576 }],
  ["--max-header-size 2000", { "max-header-size": 2_000 }],
  ["--access-log off", { "access-log": "off" }],
  ["--access-log -", { "access-log": "-" }],
  ["--access-log - -q", { "access-log": "-", "log-level": "error" }],
  ["--access-log=a=b", { "access-log": "a=b" }],
  ["--log-format json", { "log-format": "json" }],
  ["--log-level warn", { "log-level": "warn" }],
  ["-v", { "log-level": "debug" }],
  ["-v --verbose", { "log-level": "debug" }],
  ["-vv", { "log-level": "debug" }],
  ["--quiet", { "log-level": "error" }],
  ["-v=false", { verbose: false }],
  ["-h", { help: true }],
  ["--help", { help: true }],
  ["-V", { version: true }],
  ["-hV", { help: true, version: true }],
];

for (const [args, options] of UNDERSTOOD) {
  Deno.test(`options: "${args}" is understood`, () => {
    assertEquals(parseOptions(args.split(" ")), { ...DEFAULTS, ...options });
  });
}

const REFUSED: [args: string, message: string][] = [
  ["--frobnicate", 'Unknown flag "--frobnicate": see --help'],
  ["--listn :1", 'Unknown flag "--listn": did you mean "--listen"?'],
  ["--hlep", 'Unknown flag "--hlep": did you mean "--help"?'],
  ["--max-connection=1", 'Unknown flag "--max-connection": did you mean "--max-connections"?'],
  ["--timeout 1s", 'Unknown flag "--timeout": did you mean "--connect-timeout"?'],
  ["--no-allow-open", 'Unknown flag "--no-allow-open": did you mean "--allow-open"?'],
  ["--listen.a :1", 'Unknown flag "--listen.a": did you mean "--listen"?'],
  ["--__proto__ 1", 'Unknown flag "--__proto__": see --help'],
  ["--constructor=1", 'Unknown flag "--constructor": see --help'],
  ["-x", 'Unknown flag "-x": see --help'],
  ["-vx", 'Unknown flag "-x": see --help'],
  ["start", 'Unknown command "start": see --help'],
  ["sevre", 'Unknown command "sevre": did you mean "serve"?'],
  ["serve now", 'Unknown command "now": see --help'],
  ["serve serve", 'Unknown command "serve"'],
  ["-- -q", 'Unknown command "-q": see --help'],
  ["8080", 'Unknown command "8080": see --help'],
  ["-l", 'The flag "--listen" needs a value: ENDPOINT'],
  ["--listen", 'The flag "--listen" needs a value: ENDPOINT'],
  ["--listen=", 'The flag "--listen" needs a value: ENDPOINT'],
  ["--name --allow-open", 'The flag "--name" needs a value: NAME'],
  ["-l nonsense", '--listen: Invalid listener "nonsense"'],
  ["--name a --name b", 'The flag "--name" is given twice'],
  ["-v -q", 'The flags "--verbose" and "--quiet" exclude each other'],
  ["--log-level info -v", 'The flags "--log-level" and "--verbose" exclude each other'],
  ["--allow-open=maybe", '--allow-open: Invalid switch "maybe": give "true" or "false"'],
  ["--allow-open=", '--allow-open: Invalid switch ""'],
  ["--name a/b", '--name: Invalid name "a/b"'],
  ["--name 1a", '--name: Invalid name "1a"'],
  ["--connect-timeout 0", '--connect-timeout: Invalid time limit "0": give at least "1ms"'],
  ["--idle-timeout soon", '--idle-timeout: Invalid duration "soon"'],
  ["--drain-timeout=-1s", '--drain-timeout: Invalid duration "-1s"'],
  ["--drain-timeout -1s", 'Unknown flag "-1"'],
  ["--max-connections 0", '--max-connections: Invalid count "0"'],
  ["--max-connections 1.5", '--max-connections: Invalid count "1.5"'],
  ["--max-connections 1e3", '--max-connections: Invalid count "1e3"'],
  ["--max-header-size 1023", '--max-header-size: Invalid size "1023"'],
  ["--max-header-size 17m", '--max-header-size: Invalid size "17m"'],
  ["--max-header-size 64kb", '--max-header-size: Invalid size "64kb"'],
  ["--log-format xml", '--log-format: Invalid value "xml": use one of text, json'],
  ["--log-level loud", '--log-level: Invalid value "loud": use one of error, warn, info, debug'],
];

for (const [args, message] of REFUSED) {
  Deno.test(`options: "${args}" is refused in one line`, () => {
    const error = assertThrows(() => parseOptions(args.split(" ")), UsageError);
    assertStringIncludes(error.message, message);
    assertEquals(error.message.includes("\n"), false);
  });
}

// --- environment ---

Deno.test("options: the environment stands in for a flag", () => {
  const options = parseOptions([], environmentOf({ SLUICE_IDLE_TIMEOUT: "7s", SLUICE_ALLOW_OPEN: "1" }));
  assertEquals([options["idle-timeout"], options["allow-open"]], [7_000, true]);
});

Deno.test("options: a flag beats the environment", () => {
  const environment = environmentOf({
    SLUICE_LOG_LEVEL: "debug",
    SLUICE_LISTEN: ":1",
    SLUICE_ALLOW_OPEN: "true",
  });
  const options = parseOptions(["-q", "-l", ":2", "--allow-open=false"], environment);
  assertEquals([options["log-level"], options.listen, options["allow-open"]], ["error", [":2"], false]);
});

Deno.test("options: commas separate the values of a flag that may be repeated", () => {
  assertEquals(parseOptions([], environmentOf({ SLUICE_LISTEN: ":1, :2" })).listen, [":1", ":2"]);
});

Deno.test("options: an empty variable is no variable", () => {
  assertEquals(parseOptions([], environmentOf({ SLUICE_LISTEN: "", SLUICE_ALLOW_OPEN: "" })), DEFAULTS);
});

Deno.test("options: a bad variable is refused by its own name", () => {
  const environment = environmentOf({ SLUICE_IDLE_TIMEOUT: "soon" });
  assertThrows(
    () => parseOptions([], environment),
    UsageError,
    'SLUICE_IDLE_TIMEOUT: Invalid duration "soon"',
  );
});

Deno.test("options: every flag that decides something is looked up once, and nothing else is", () => {
  const asked: string[] = [];
  parseOptions([], (name) => void asked.push(name));
  const expected = Object.entries<Flag>(FLAGS)
    .filter(([, { shorthand, environment }]) => !shorthand && environment === undefined)
    .map(([name]) => environmentName(name));
  assertEquals(asked, expected);
  assertEquals(asked.includes("SLUICE_CONNECT_TIMEOUT"), true);
  assertEquals(asked.includes("SLUICE_HELP"), false);
});

// --- the table ---

Deno.test("options: no two flags share a letter", () => {
  const letters = Object.values<Flag>(FLAGS).flatMap(({ short }) => short ?? []);
  assertEquals(new Set(letters).size, letters.length);
});

Deno.test("options: a shorthand stands for a flag and a value that this flag takes", () => {
  for (const { shorthand } of Object.values<Flag>(FLAGS)) {
    if (shorthand) parseOptions([`--${shorthand[0]}`, shorthand[1]]);
  }
});
