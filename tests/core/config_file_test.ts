import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { proxyOptions } from "../../src/cli/config/proxy_options.ts";
import { configure } from "../../src/proxy/configuration.ts";
import { configSchema } from "../../src/cli/config_command/schema.ts";
import { KEYS, parseConfig, SECTIONS } from "../../src/cli/config/config_file.ts";
import { withConfig } from "../../src/cli/config/read_config.ts";
import { describeOptions } from "../../src/cli/config_command/show.ts";
import { flagOf } from "../../src/cli/flags/arguments.ts";
import { OFFICE, SQUID } from "../../src/cli/help/pages/migrate.ts";
import { EXAMPLE } from "../../src/cli/help/pages/config.ts";
import type { FlagName } from "../../src/cli/flags/flags.ts";
import { type CommandLine, type Environment, parseCommandLine } from "../../src/cli/flags/options.ts";
import { describe } from "../../src/policy/rule.ts";
import { UsageError } from "../../src/text/usage_error.ts";
import { SAMPLES } from "../support/option_samples.ts";

/**
 * The validator of JSON Schema. The name is put together here: Deno would fetch what is named in an import for everybody who
 * starts the proxy.
 */
const AJV = ["npm:ajv@8.17.1", "dist", "2020.js"].join("/");

/** The files that a test has, as a disk without modes. */
function disk(files: Record<string, string>) {
  return {
    has: () => false,
    read: (path: string) =>
      Object.hasOwn(files, path)
        ? Promise.resolve(files[path])
        : Promise.reject(new UsageError(`No ${path}`)),
  };
}

/** The command line with the text as its config file. */
function withText(
  text: string,
  { args = [], environment, name = "sluice.toml" }: {
    readonly args?: readonly string[];
    readonly environment?: Environment;
    readonly name?: string;
  } = {},
): Promise<CommandLine> {
  return withConfig(parseCommandLine([...args, "-c", name], environment), disk({ [name]: text }));
}

async function faultsOf(text: string, name = "sluice.toml"): Promise<string[]> {
  const error = await assertRejects(() => withText(text, { name }), UsageError);
  return error.message.split("\n");
}

/** A valid value of a key in a config file. */
function sampleOf(flag: FlagName): string | number | true {
  const { value, schema } = flagOf(flag);
  if (value === undefined) return true;
  const text = SAMPLES[flag] ?? SAMPLES[value];
  return schema.type === "integer" ? Number(text) : text;
}

Deno.test("config: every key of the table does what its flag does, in TOML and in JSON", async () => {
  for (const [key, flag] of KEYS) {
    const { value, commands } = flagOf(flag);
    const given = sampleOf(flag);
    const command = commands?.[0] ?? "serve";
    const byFlag = parseCommandLine([command, value === undefined ? `--${flag}` : `--${flag}=${given}`]);
    const [section, member] = key.split(".");
    const json = JSON.stringify(member === undefined ? { [key]: given } : { [section]: { [member]: given } });
    const toml = `${member === undefined ? "" : `[${section}]\n`}${member ?? key} = ${JSON.stringify(given)}`;
    for (const [name, source] of [["sluice.toml", toml], ["sluice.json", json]]) {
      const { options } = await withText(source, { args: [command], name });
      const plain = (line: object) =>
        JSON.stringify({ ...line, config: "" }, (k, v) => k === "origin" ? "" : v);
      assertEquals(plain(options), plain(byFlag.options), key);
    }
  }
});

Deno.test("config: the forms of values", async () => {
  const { options } = await withText(`
listen = [3128, { address = "[::1]:1080", scheme = "socks5" }]
idle-timeout = 90
connect-ports = [443, "8000-8999"]
allow-open = true
no-proxy = ["localhost", ".corp"]
proxy = ["first", "direct"]
rules = ["deny *:25", "route .corp via office,first"]
max-body-size = "2m"
admin = { address = "127.0.0.1:9100" }
workers = "auto"
[upstreams]
office = "socks5h://127.0.0.1:1080?proxy-protocol=v1"
first = "http://192.0.2.1:3128"
[users]
ann = "se:cret"
[limits]
header-size = 2048
`);
  assertEquals(options.listen, ["3128", "socks5://[::1]:1080"]);
  assertEquals([options["idle-timeout"], options["connect-port"]], [90_000, ["443", "8000-8999"]]);
  assertEquals([options["allow-open"], options["no-proxy"]], [true, "localhost,.corp"]);
  assertEquals(options.proxy, ["http://192.0.2.1:3128", "direct"]);
  assertEquals(options.rule.map(describe), [
    "deny *:25 (sluice.toml:8:10)",
    "route .corp via socks5h://127.0.0.1:1080?proxy-protocol=v1,http://192.0.2.1:3128 (sluice.toml:8:23)",
  ]);
  assertEquals([options["max-body-size"], options["max-header-size"]], [2 * 1024 ** 2, 2048]);
  assertEquals([options.admin, options.workers], ["auto://127.0.0.1:9100", "auto"]);
  assertEquals(options.user, ["ann:se:cret"]);
});

Deno.test("config: a listener as a table has certificates, load balancers and a mode", async () => {
  const { options } = await withText(
    `[[listen]]
address = "0.0.0.0:8443"
scheme = "http"
cert = ["a&b.pem", "/c.pem"]
key = ["a.key", "/c.key"]
min-tls = "1.3"
proxy-protocol = ["10.0.0.0/8", "192.0.2.0/24"]
[[listen]]
address = "unix:run/sluice.sock"
mode = "0660"
`,
    { name: "/etc/sluice.toml" },
  );
  assertEquals(options.listen, [
    "http+tls://0.0.0.0:8443?cert=/etc/a%26b.pem&cert=/c.pem&key=/etc/a.key&key=/c.key&min-tls=1.3&" +
    "proxy-protocol=10.0.0.0/8,192.0.2.0/24",
    "auto://unix:/etc/run/sluice.sock?mode=0660",
  ]);
});

Deno.test("config: paths are relative to the file, wherever they stand", async () => {
  const { options } = await withText(
    `users-file = "users"
access-log = "-"
rules-file = "/rules"
listen = "http+tls://127.0.0.1:1?cert=c.pem&key=../k.pem"
proxy = "https://a.test?token=t,https://b.test?ca=ca.pem&token=env:TOKEN"
route = "* via unix:docker.sock"
`,
    { name: "/etc/sluice/a.toml" },
  );
  assertEquals([options["users-file"], options["access-log"], options["rules-file"]], [
    "/etc/sluice/users",
    "-",
    "/rules",
  ]);
  assertEquals(options.listen, ["http+tls://127.0.0.1:1?cert=/etc/sluice/c.pem&key=/etc/k.pem"]);
  assertEquals(options.proxy, [
    "https://a.test?token=/etc/sluice/t,https://b.test?ca=/etc/sluice/ca.pem&token=env:TOKEN",
  ]);
  assertEquals(options.rule.map(({ text }) => text), ["route * via unix:/etc/sluice/docker.sock"]);
});

Deno.test("config: a flag goes before its variable, and that before the file", async () => {
  const text =
    `idle-timeout = "1s"\nconnect-timeout = "1s"\nheader-timeout = "1s"\nlisten = ":1"\nlog-level = "debug"`;
  const variables: Record<string, string> = { SLUICE_IDLE_TIMEOUT: "2s", SLUICE_CONNECT_TIMEOUT: "2s" };
  const { options } = await withText(text, {
    args: ["--idle-timeout", "3s", "-l", ":3", "-q"],
    environment: (name) => variables[name],
  });
  assertEquals(
    [options["idle-timeout"], options["connect-timeout"], options["header-timeout"]],
    [3_000, 2_000, 1_000],
  );
  assertEquals([options.listen, options["log-level"]], [[":3"], "error"]);
});

Deno.test("config: rules of flags come before those of the file, which keep its order", async () => {
  const { options } = await withText(`allow = "a.test"\nrules = ["deny *"]\ndeny = ["b.test"]`, {
    args: ["--deny", "c.test"],
  });
  assertEquals(options.rule.map(({ text }) => text), ["deny c.test", "allow a.test", "deny *"]);
});

Deno.test("config: the variable names the file, too", async () => {
  const line = parseCommandLine([], (name) => name === "SLUICE_CONFIG" ? "a.toml" : undefined);
  const { options } = await withConfig(line, disk({ "a.toml": 'name = "a-name"' }));
  assertEquals(options.name, "a-name");
});

Deno.test("config: a command takes what it knows, and leaves the rest", async () => {
  const { options } = await withText('listen = "nonsense"\ndeny = "*.test"\n', {
    args: ["explain", "a.test:1"],
  });
  assertEquals(options.rule.length, 1);
});

Deno.test("config: a proxy refuses an option that it does not take", async () => {
  const text = 'cert = "cert.pem"';
  const fault = 'sluice.toml:1:8: The command "serve" has no option "cert"';
  assertEquals(await faultsOf(text), [fault]);
  assertEquals((await withText(text, { args: ["remote"] })).options.cert, "cert.pem");
});

const FAULTS: [text: string, faults: string[]][] = [
  ["idle-timeut = 5", ['1:1: Unknown key "idle-timeut": did you mean "idle-timeout"?']],
  ["\n  idle_timeout = 5", ['2:3: Unknown key "idle_timeout": did you mean "idle-timeout"?']],
  ["port = 5", ['1:1: Unknown key "port": did you mean "listen"?']],
  ["frobnicate = 5", ['1:1: Unknown key "frobnicate"']],
  ["config = 'a'", ['1:1: Unknown key "config"']],
  ["verbose = true", ['1:1: Unknown key "verbose"']],
  ["[timeouts]\nconect = 1", ['2:1: Unknown key "conect": did you mean "connect"?']],
  ["[timeouts]\nidle-timeout = 1", ['2:1: Unknown key "idle-timeout": did you mean "idle"?']],
  ["[timeouts]\nidle = 1\nheader = 'soon'\n[limits]\nconnections = -1", [
    '3:10: Invalid duration "soon"',
    '5:15: Invalid count "-1"',
  ]],
  ["idle-timeout = 'x'\n" + "\n".repeat(20) + "drain-timeout = 'y'", [
    "1:16: Invalid duration",
    "22:17: Invalid",
  ]],
  ["idle-timeout = 1\n[timeouts]\nidle = 2", ['3:1: "timeouts.idle" is the same option as "idle-timeout"']],
  ["idle-timeout = 1\nidle-timeout = 2", ['2:1: "idle-timeout" is given twice: leave one out']],
  ["timeouts = 5", ['1:1: "timeouts" is a table, and not such a number']],
  ["listen = true", ['1:10: "listen" is a text, a whole number, a list of them or a table, and not true']],
  ["listen = [':1', { adress = ':2' }]", [
    '1:17: "address" is missing in this table',
    '1:19: Unknown key "adress": did you mean "address"?',
  ]],
  ["listen = [':1', ':99999']", ['1:17: Invalid listener ":99999"']],
  ["listen = []", ['1:10: "listen" is empty: leave it out']],
  ["users = {}", ['1:9: "users" is empty: leave it out']],
  ["contact = ''", ['1:11: "contact" is empty: leave it out']],
  ["[users]\nann = 5", ['2:7: "ann" is a text, and not such a number']],
  ["allow-open = 'yes'", ['1:14: "allow-open" is true or false, and not a text']],
  ["name = 1979-05-27", ['1:8: "name" is a text, and not a date']],
  ["rules = ['deny *', 'deny']", ['1:20: Invalid rule "deny": what it is about is missing']],
  ["proxy = 'offcie'\nupstreams.office = 'http://a:1'", [
    '1:9: Unknown upstream "offcie": did you mean "office"?',
  ]],
  ["[upstreams]\noffice = 'ftp://a:1'", ['2:10: Invalid upstream "ftp://a:1"']],
  ["[upstreams]\n'a.b' = 'http://a:1'", ['2:1: Invalid name "a.b" of an upstream']],
  ["a = 1\nb = \n\n", ["2:4: This is no TOML"]],
  ['contact = "secret', ["1:18: This is no TOML: single-line string is not closed"]],
  ["ann = secret", ["1:6: This is no TOML: cannot parse value"]],
  ["a = [1,\n2", ["2:2: This is no TOML: array is not closed"]],
];

for (const [text, faults] of FAULTS) {
  Deno.test(`config: the faults of ${JSON.stringify(text)} are told with their places`, async () => {
    const told = await faultsOf(text);
    assertEquals(told.length, faults.length, told.join("\n"));
    for (const [i, fault] of faults.entries()) assertStringIncludes(told[i], `sluice.toml:${fault}`);
    assertEquals(told.join().includes("secret"), false, "values may be secrets");
  });
}

Deno.test("config: the faults of JSON are told with their places", async () => {
  const faults: Record<string, string> = {
    '// a\n{"listen": nope}': "2:12: This is no JSON: something else is expected here",
    '{"listen": ":1"': "1:16: This is no JSON: it ends too early",
    '{"listne": ":1"}': '1:2: Unknown key "listne": did you mean "listen"?',
    "[1]": "1:1: A config file is an object",
    '{"name": null}': '1:10: "name" is a text, and not null',
  };
  for (const [text, fault] of Object.entries(faults)) {
    assertEquals(await faultsOf(text, "a.jsonc"), [`a.jsonc:${fault}`]);
  }
});

Deno.test("config: a byte order mark, Windows' line ends and a schema's name are taken", async () => {
  const { options } = await withText('\uFEFF"$schema" = \'a\'\r\nname = "a-name"\r\n');
  assertEquals(options.name, "a-name");
});

Deno.test("config: the example of the help is right", async () => {
  const { options } = await withText(EXAMPLE, { name: "/etc/sluice/sluice.toml" });
  assertEquals([options["users-file"], options.listen.length], ["/etc/sluice/users", 2]);
});

Deno.test("config: the office of the help is right, and takes no more lines than in squid.conf", async () => {
  const { options } = await withText(OFFICE, { name: "/etc/sluice/sluice.toml" });
  const { "users-file": users, "connect-port": ports, proxy, rule } = options;
  assertEquals([users, ports, proxy.length, rule.length], ["/etc/sluice/users", ["443", "8443"], 2, 2]);
  const lines = (text: string) => text.split("\n").length;
  assertEquals(lines(OFFICE) <= lines(SQUID), true);
  configure({
    ...await proxyOptions(
      { ...options, "users-file": undefined, "rules-file": undefined },
      () => Promise.reject(),
    ),
  });
});

Deno.test("config: it is told whether a file has secrets", async () => {
  const secrets: Record<string, boolean> = {
    "users.ann = 'secret'": true,
    "proxy = 'http://ann:secret@a.test:1'": true,
    "upstreams.a = 'http://ann:secret@a.test:1'": true,
    "rules = ['route * via http://ann:secret@a.test:1']": true,
    "proxy = 'http://a.test:1'\nrules = ['deny a@b.test']": false,
    [`users.ann = "${"$scrypt$ln=10,r=8,p=1$MDEyMzQ1Njc4OWFiY2RlZg$TGOG"}"`]: false,
  };
  for (const [text, expected] of Object.entries(secrets)) {
    assertEquals((await parseConfig(text, "a.toml")).hasSecrets, expected, text);
  }
});

Deno.test("config: what is in force is shown with its source, and without secrets", async () => {
  const { given } = await withText(
    "users.ann = 'secret'\nproxy = 'http://ann:secret@a.test:1'\nidle-timeout = '1h'\nroute = '* via http://a:secret@a:1'",
    { args: ["-q"], environment: (name) => name === "SLUICE_NAME" ? "a-name" : undefined },
  );
  const lines = describeOptions(given);
  assertEquals(lines.filter((line) => line.includes("secret")), []);
  const shown = lines.map((line) => line.split(/ {2,}/));
  const expected = [
    ["user", "ann:***", "sluice.toml:1:13"],
    ["proxy", "http://***@a.test:1", "sluice.toml:2:9"],
    ["idle-timeout", "1h", "sluice.toml:3:16"],
    ["rule", "route * via http://***@a:1", "sluice.toml:4:9"],
    ["log-level", "error", "--quiet"],
    ["name", "a-name", "SLUICE_NAME"],
    ["connect-timeout", "10s", "default"],
  ];
  for (const row of expected) assertEquals(shown.find(([name]) => name === row[0]), row);
});

Deno.test("config: the schema takes what the program takes, and refuses what it refuses", async () => {
  const { Ajv2020 } = await import(AJV);
  const validate = new Ajv2020({ strict: false, allErrors: true }).compile(configSchema());
  for (const [key, flag] of KEYS) {
    const sample = sampleOf(flag);
    const [section, member] = key.split(".");
    const table = member === undefined ? { [key]: sample } : { [section]: { [member]: sample } };
    assertEquals(validate(table), true, `${key}: ${JSON.stringify(validate.errors)}`);
  }
  const right = [
    {
      $schema: "a",
      listen: [3128, { address: ":1", cert: ["a", "b"], key: ["c", "d"] }],
      upstreams: { a: "http://b:1" },
    },
    {
      users: { ann: "secret" },
      rules: ["deny *"],
      "no-proxy": ["a.test"],
      "idle-timeout": 5,
      workers: "auto",
    },
    { timeouts: { idle: "5m" }, limits: { "body-size": "2g", connections: 5 }, "connect-port": [443, "1-2"] },
  ];
  for (const table of right) {
    assertEquals(validate(table), true, JSON.stringify(validate.errors));
    await withText(JSON.stringify(table), { name: "a.json" });
  }
  const wrong = [
    { listne: ":1" },
    { listen: [] },
    { listen: { scheme: "http" } },
    { "idle-timeout": "soon" },
    { timeouts: { conect: 1 } },
    { "log-format": "xml" },
    { "allow-open": "yes" },
    { "max-connections": 0 },
  ];
  for (const table of wrong) {
    assertEquals(validate(table), false, JSON.stringify(table));
    await faultsOf(JSON.stringify(table), "a.json");
  }
});

Deno.test("config: the schema describes every key, and its defaults are valid", async () => {
  const { Ajv2020 } = await import(AJV);
  const { properties } = configSchema() as { properties: Record<string, Record<string, unknown>> };
  const ajv = new Ajv2020({ strict: false });
  for (const [key, schema] of Object.entries(properties)) {
    assertEquals(typeof schema.description, "string", key);
    if (schema.default !== undefined) assertEquals(ajv.validate(schema, schema.default), true, key);
  }
  assertEquals([...SECTIONS].sort(), ["limits", "timeouts"]);
});
