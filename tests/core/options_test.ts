import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { environmentName, FLAGS } from "../../src/cli/flags/flags.ts";
import { type Environment, type Options, parseCommandLine } from "../../src/cli/flags/options.ts";
import { OPTIONS } from "../../src/options/options.ts";
import { describe, type Rule } from "../../src/policy/rule.ts";
import { commandsOf, type Option } from "../../src/settings/option.ts";
import { UsageError } from "../../src/text/usage_error.ts";
import { SAMPLES } from "../support/option_samples.ts";
import { Random } from "../support/random.ts";

function parseOptions(args: readonly string[], environment?: Environment): Options {
  return parseCommandLine(args, environment).options;
}

/** Two rules that were read from one text are alike, though their conditions are not the same functions. */
function plain(options: Options): unknown {
  return { ...options, rule: options.rule.map(describe) };
}

/** The same without where the rules were given. */
function unplaced(options: Options): unknown {
  return { ...options, rule: options.rule.map(({ kind, text }) => describe({ kind, text, origin: "" })) };
}

function rules(...texts: string[]): Rule[] {
  return texts.map((text) => OPTIONS.rule.read(text, `--${text.split(" ")[0]}`));
}

/** What each row says of a flag that is not given. */
const DEFAULTS = Object.fromEntries(
  Object.entries<Option>(FLAGS).map(([name, { default: otherwise, repeatable }]) => [
    name,
    otherwise ?? (repeatable ? [] : undefined),
  ]),
) as Options;

function environmentOf(variables: Record<string, string>): (name: string) => string | undefined {
  return (name) => variables[name];
}

Deno.test("options: without arguments everything has its default", () => {
  const options = parseOptions([]);
  assertEquals(options, DEFAULTS);
  assertEquals([options.listen, options.user, options["log-level"]], [["127.0.0.1:8899"], [], "info"]);
  assertEquals([options["idle-timeout"], options["max-per-client"]], [300_000, Infinity]);
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
  ["--deny a.test --allow=*.test --deny *", { rule: rules("deny a.test", "allow *.test", "deny *") }],
  ["--name a-proxy.1", { name: "a-proxy.1" }],
  ["--connect-timeout 1.5s", { "connect-timeout": 1_500 }],
  ["--header-timeout 7", { "header-timeout": 7_000 }],
  ["--idle-timeout=1h", { "idle-timeout": 3_600_000 }],
  ["--drain-timeout 0", { "drain-timeout": 0 }],
  ["--workers 4", { workers: 4 }],
  ["--workers auto", { workers: "auto" }],
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
  ["help", { help: true }],
  ["help serve", { help: true }],
  ["version", { version: true }],
  ["-uann:a=bob:b", { user: ["ann:a=bob:b"] }],
  ["-lunix:/a?mode=0600", { listen: ["unix:/a?mode=0600"] }],
  ["--no-proxy=-lead.example", { "no-proxy": "-lead.example" }],
  ["--no-proxy a.test,b.test", { "no-proxy": "a.test,b.test" }],
];

for (const [args, options] of UNDERSTOOD) {
  Deno.test(`options: "${args}" is understood`, () => {
    assertEquals(plain(parseOptions(args.split(" "))), plain({ ...DEFAULTS, ...options }));
  });
}

const REFUSED: [args: string, message: string][] = [
  ["--frobnicate", 'Unknown flag "--frobnicate": see --help'],
  ["--listn :1", 'Unknown flag "--listn": did you mean "--listen"?'],
  ["--hlep", 'Unknown flag "--hlep": did you mean "--help"?'],
  ["--max-connection=1", 'Unknown flag "--max-connection": did you mean "--max-connections"?'],
  ["--timeout 1s", 'The command "serve" has no flag "--timeout": see --help'],
  ["--no-allow-open", 'Unknown flag "--no-allow-open": did you mean "--allow-open"?'],
  ["--listen.a :1", 'Unknown flag "--listen.a": did you mean "--listen"?'],
  ["--__proto__ 1", 'Unknown flag "--__proto__": see --help'],
  ["--constructor=1", 'Unknown flag "--constructor": see --help'],
  ["-y", 'Unknown flag "-y": see --help'],
  ["-vy", 'Unknown flag "-y": see --help'],
  ["-x ftp://a.test:1", "--proxy: Invalid upstream"],
  ["start", 'Unknown command "start": see --help'],
  ["sevre", 'Unknown command "sevre": did you mean "serve"?'],
  ["serve now", 'Unexpected argument "now": see "sluice serve --help"'],
  ["serve serve", 'Unexpected argument "serve"'],
  ["passwd", 'The command "passwd" needs NAME: see "sluice passwd --help"'],
  ["passwd ann bob", 'Unexpected argument "bob"'],
  ["passwd ann -l :1", 'The command "passwd" has no flag "--listen"'],
  ["--as ann", 'The command "serve" has no flag "--as"'],
  ["--deny", 'The flag "--deny" needs a value: MATCH'],
  ["--allow --deny a", 'The flag "--allow" needs a value: MATCH'],
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
  ["--drain-timeout -1s", 'The flag "--drain-timeout" needs a value: TIME'],
  ["--no-allow-open=true", 'Unknown flag "--no-allow-open": did you mean "--allow-open"?'],
  ["--no-user=ann:a", 'Unknown flag "--no-user"'],
  ["--allow-open false", 'Unknown command "false"'],
  ["--port 3128", 'Unknown flag "--port": did you mean "--listen"?'],
  ["-p 3128", 'Unknown flag "-p": did you mean "--listen"?'],
  ["--deny 10.0.0.1/8", "--deny: Invalid rule"],
  ["--allow 10.0.0.1/8", "--allow: Invalid rule"],
  ["--route *.a", "--route: Invalid rule"],
  ["--rule deny", "--rule: Invalid rule"],
  ["help hlep", 'Unknown command "hlep": did you mean "help"?'],
  ["--workers 0", '--workers: Invalid number of workers "0": give 1 to 256, or "auto"'],
  ["--workers many", '--workers: Invalid number of workers "many"'],
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

Deno.test("options: semicolons separate rules, whose ports have commas", () => {
  const environment = environmentOf({ SLUICE_RULE: "deny *:25,465; allow *" });
  assertEquals(parseOptions([], environment).rule.map(describe), [
    "deny *:25,465 (SLUICE_RULE)",
    "allow * (SLUICE_RULE)",
  ]);
});

Deno.test("options: a rule is told with the flag or the variable that it was given with", () => {
  const { rule } = parseOptions(["--rule", "deny a.test"], environmentOf({ SLUICE_DENY: "b.test" }));
  assertEquals(rule.map(describe), ["deny a.test (--rule)", "deny b.test (SLUICE_DENY)"]);
});

Deno.test("options: a command has its own flags, and words", () => {
  const { command, words, options } = parseCommandLine(
    "explain --as ann --deny * a.test:1 --from ::1".split(" "),
  );
  assertEquals([command, words, options.as, options.rule.map(describe)], ["explain", ["a.test:1"], "ann", [
    "deny * (--deny)",
  ]]);
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
  const expected = Object.entries<Option>(FLAGS)
    .filter(([, flag]) => commandsOf(flag)?.includes("serve") ?? true)
    .filter(([, { environment }]) => environment === undefined)
    .map(([name]) => environmentName(name));
  assertEquals(asked, expected);
  assertEquals(asked.includes("SLUICE_CONNECT_TIMEOUT"), true);
  assertEquals(asked.includes("SLUICE_HELP"), false);
});

// --- the table ---

const TABLE = Object.entries<Option>(FLAGS).map(([name, flag]) => ({
  name,
  ...flag,
  command: commandsOf(flag)?.[0] ?? "serve",
  text: flag.value === undefined ? "true" : SAMPLES[flag.value] ?? SAMPLES[name],
}));

/** The words that each command needs. */
const WORDS: Record<string, string[]> = {
  explain: ["a.test:1"],
  check: ["http://a.test/"],
  keygen: ["a.test"],
};

Deno.test("options: every flag and its variable do the same", () => {
  for (const { name, command, text, value, environment: allowed = true } of TABLE) {
    const words = [command, ...WORDS[command] ?? []];
    const flag = unplaced(parseOptions([...words, value === undefined ? `--${name}` : `--${name}=${text}`]));
    const variable = unplaced(parseOptions(words, environmentOf({ [environmentName(name)]: text })));
    const neither = unplaced(parseOptions(words));
    assertEquals(variable, allowed ? flag : neither, name);
    assert(JSON.stringify(flag) !== JSON.stringify(neither), name);
  }
});

Deno.test("options: a variable has several values wherever the flag may be repeated", () => {
  for (const { name, command, text, repeatable, separator, shorthand, value, ...flag } of TABLE) {
    const target = shorthand && TABLE.find((other) => other.name === shorthand[0]);
    if (value === undefined || flag.environment === false || !(target ?? { repeatable }).repeatable) continue;
    const words = [command, ...WORDS[command] ?? []];
    const twice = [text, text].join(separator ?? target?.separator ?? ",");
    assertEquals(
      unplaced(parseOptions(words, environmentOf({ [environmentName(name)]: twice }))),
      unplaced(parseOptions([...words, `--${name}=${text}`, `--${name}=${text}`])),
      name,
    );
  }
});

Deno.test("options: rules of variables stand behind those of flags, and each flag beats its own variable", () => {
  const variables = environmentOf({
    SLUICE_ALLOW: "b.test; c.test",
    SLUICE_DENY: "a.test",
    SLUICE_RULE: "deny d.test",
    SLUICE_ROUTE: "* via direct",
  });
  const texts = (...args: string[]) => parseOptions(args, variables).rule.map(({ text }) => text);
  const [route, deny, ...allows] = ["route * via direct", "deny a.test", "allow b.test", "allow c.test"];
  assertEquals(texts(), [route, deny, ...allows, "deny d.test"]);
  assertEquals(texts("--allow", "e.test"), ["allow e.test", route, deny, "deny d.test"]);
  assertEquals(texts("--rule", "allow e.test"), ["allow e.test", route, deny, ...allows]);
});

Deno.test("options: variables that decide the same exclude each other, and a flag beats all of them", () => {
  const variables = environmentOf({ SLUICE_QUIET: "1", SLUICE_LOG_LEVEL: "debug" });
  assertThrows(() => parseOptions([], variables), UsageError, "exclude each other");
  assertEquals(parseOptions(["--log-level", "warn"], variables)["log-level"], "warn");
  assertEquals(
    parseOptions([], environmentOf({ SLUICE_QUIET: "0", SLUICE_LOG_LEVEL: "warn" }))["log-level"],
    "warn",
  );
});

Deno.test("options: help is shown whatever the variables hold", () => {
  const variables = environmentOf({ SLUICE_IDLE_TIMEOUT: "soon" });
  assertEquals(parseOptions(["--help"], variables).help, true);
  assertThrows(() => parseOptions(["--help=false"], variables), UsageError, "SLUICE_IDLE_TIMEOUT");
});

Deno.test("options: no spelling of a flag outside the table is accepted", () => {
  const random = new Random();
  for (const { name, short, command, text } of TABLE) {
    const parts = [
      name.slice(0, -1),
      name.slice(1),
      `${name}s`,
      name.toUpperCase(),
      name.replaceAll("-", "_"),
    ];
    const around = ["no-", "no", "un", "disable-", "not-"].map((prefix) => `${prefix}${name}`);
    const paths = [
      `${name}.a`,
      `${name}.`,
      `.${name}`,
      `${name}[0]`,
      `${name}[]`,
      `__proto__.${name}`,
      `${name}:`,
    ];
    const odd = [
      "__proto__",
      "constructor",
      "toString",
      "hasOwnProperty",
      "_",
      "0",
      "-1",
      "",
      " ",
      `${name} `,
    ];
    const at = random.below(name.length + 1);
    const typo = `${name.slice(0, at)}${random.pick(["x", "-", "0", "é", "."])}${name.slice(at)}`;
    for (const spelling of [...parts, ...around, ...paths, ...odd, typo]) {
      if (Object.hasOwn(FLAGS, spelling)) continue;
      for (const form of [[`--${spelling}=${text}`], [`--${spelling}`, text], [`--${spelling}`]]) {
        if (form[0] === "--") continue;
        assertThrows(
          () => parseCommandLine([command, ...WORDS[command] ?? [], ...form]),
          UsageError,
          "Unknown flag",
        );
      }
    }
    for (const letter of ["-", "=", "0", "é", short?.toUpperCase() ?? "Z", short?.toLowerCase() ?? "z"]) {
      if (TABLE.some((other) => other.short === letter) || letter === "-") continue;
      assertThrows(
        () => parseCommandLine([command, ...WORDS[command] ?? [], `-${letter}${text}`]),
        UsageError,
      );
    }
  }
});

Deno.test("options: no two flags share a letter", () => {
  const letters = Object.values<Option>(FLAGS).flatMap(({ short }) => short ?? []);
  assertEquals(new Set(letters).size, letters.length);
});

Deno.test("options: a shorthand stands for a flag and a value that this flag takes", () => {
  for (const { shorthand, value } of Object.values<Option>(FLAGS)) {
    const ending =
      { route: " * via direct", limit: " * to 1MB/s", bind: " 192.0.2.7" }[shorthand?.[1] ?? ""] ?? " *";
    if (shorthand) parseOptions([`--${shorthand[0]}`, value ? shorthand[1] + ending : shorthand[1]]);
  }
});
