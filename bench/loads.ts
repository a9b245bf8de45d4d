/**
 * The loads: the work that each contestant does, and the figures that are taken of it.
 *
 * @module
 */

import type { Contestant, Entry, Origin, Origins, Via } from "./contestants.ts";
import { type Place, Program, WORKSHOP } from "./processes.ts";
import { type Extra, SET_UPS, type SetUp, USER } from "./set_ups.ts";

/** The figures of one measurement. A share of 1 is one core. */
export interface Figures {
  /** The main figure, in the load's unit; less is better. */
  readonly cost: number;
  /** In another set-up than the plain one: the cost divided by that in the plain one. */
  readonly overhead?: number;
  /** Requests, tunnels or GB in a second. */
  readonly rate?: number;
  /** Latencies in milliseconds. */
  readonly p50?: number;
  readonly p99?: number;
  /** Resident memory of the proxy after the load, in MB. */
  readonly rss?: number;
  readonly proxyShare?: number;
  readonly clientShare?: number;
  readonly originShare?: number;
  /** The number of errors that the client saw. */
  readonly errors?: number;
}

/** Where a load runs: the proxy, and for how long. */
export interface Setting {
  readonly entry: Entry;
  readonly origins: Origins;
  /** The seconds that a measurement takes. */
  readonly seconds: number;
  /** The proxy. The first call starts it; later loads use the same process. */
  running(): Promise<Contestant>;
  /** The same for the plain set-up, if this one is another. */
  readonly plain?: Setting;
  /** The requests a second of {@link FULL_SPEED} that the reference bears on the same core. */
  bearable(): Promise<number>;
}

/** One thing that is measured. */
export interface Load {
  /** The letter of its group comes first. */
  readonly name: string;
  readonly title: string;
  /** What {@link Figures.cost} is. */
  readonly unit: string;
  /** Whether a contestant can take it. */
  readonly suits: (spoken: readonly Via[]) => boolean;
  /** The set-up of the contestants that this load is for; the plain one by default. */
  readonly setUp?: SetUp;
  /** Whether requests come at a given rate, so that the latencies of contestants can be compared. */
  readonly paced?: boolean;
  /** Whether the load starts its own process, and so needs no warm-up. */
  readonly fresh?: boolean;
  readonly measure: (setting: Setting) => Promise<Figures>;
}

/** The client's report at its end. */
interface ClientReport {
  readonly seconds: number;
  readonly units: number;
  readonly bytes: number;
  readonly errors: number;
  readonly held: number;
  readonly p50: number;
  readonly p99: number;
  readonly cpu: number;
}

interface Drive {
  readonly kind: "down" | "up" | "get" | "short" | "idle";
  readonly via: Via;
  readonly connections: number;
  readonly size?: number;
  /** Requests a second. Undefined: as many as possible. */
  readonly rate?: number;
  /** The octets of each request's body, which make it a POST. */
  readonly body?: number;
  /** The fields of each request behind Host. */
  readonly fields?: string;
  readonly tls?: boolean;
  /** The processors that it runs on; those of `load` by default. */
  readonly place?: Place;
}

type Tunnel = "connect" | "socks5";

/** The plainest drives. */
const GET: Drive = { kind: "get", via: "http", connections: 64 };
const SHORT: Drive = { kind: "short", via: "connect", connections: 32 };

/** The fields of the client's requests behind Host. */
const FIELDS = "User-Agent: bench\r\nAccept: */*\r\n";

/** What a browser sends for a picture of a page, with Host twenty fields. */
export const BROWSER_FIELDS = `Connection: keep-alive
Cache-Control: max-age=0
sec-ch-ua: "Chromium";v="140", "Not=A?Brand";v="24"
sec-ch-ua-mobile: ?0
sec-ch-ua-platform: "Linux"
sec-ch-ua-platform-version: "6.1.0"
User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36
DNT: 1
Accept: image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8
Sec-Fetch-Site: same-origin
Sec-Fetch-Mode: no-cors
Sec-Fetch-Dest: image
Sec-Fetch-User: ?1
Referer: http://shop.example/catalogue/shoes?colour=blue&size=42&page=3
Accept-Encoding: gzip, deflate, br, zstd
Accept-Language: en-GB,en;q=0.9,de;q=0.8,fr;q=0.7
Cookie: session=3f9c1b6e2a7d4c0f8b5e9d1a6c3f7e20; theme=dark; consent=necessary%2Cstatistics; cart=17
If-None-Match: "5f3c-61a9c0d2b7e40"
Priority: u=2, i
`.replaceAll("\n", "\r\n");

const LOGIN = `Proxy-Authorization: Basic ${btoa(`${USER.name}:${USER.password}`)}\r\n`;

/** The load of which {@link Setting.bearable} tells the rate. */
export const FULL_SPEED: Load = requests({ name: "B-get", title: "GET of 100 octets over 64 connections" });

/** Every load. */
export const LOADS: readonly Load[] = [
  ...[1, 16].flatMap((connections) =>
    (["connect", "socks5"] as const).flatMap((via) =>
      (["down", "up"] as const).map((kind) => bulk({ kind, via, connections }))
    )
  ),
  FULL_SPEED,
  requests({
    name: "B-browser",
    title: "GET of 100 octets with the 20 fields of a browser",
    fields: BROWSER_FIELDS,
  }),
  requests({
    name: "B-post",
    title: "POST of 1 KiB over 64 connections, answered with 100 octets",
    body: 1024,
  }),
  requests({ name: "B-16KiB", title: "GET of 16 KiB over 64 connections", size: 16 * 1024 }),
  requests({ name: "B-256KiB", title: "GET of 256 KiB over 64 connections", size: 256 * 1024 }),
  requests({ name: "B-1", title: "GET of 100 octets over 1 connection", connections: 1 }),
  requests({ name: "B-512", title: "GET of 100 octets over 512 connections", connections: 512 }),
  requests({ name: "B-paced", title: "GET of 100 octets over 64 connections, 4,000 a second", rate: 4_000 }),
  requests({ name: "B-tls", title: "GET of 100 octets over 64 connections, TLS to the proxy", setUp: "tls" }),
  requests({ name: "B-users", title: "GET of 100 octets over 64 connections, Basic auth", setUp: "users" }),
  requests({ name: "B-rules", title: "GET of 100 octets, 10,000 rules about names", setUp: "rules" }),
  requests({
    name: "B-blocks",
    title: "GET of 100 octets, 10,000 rules about address blocks",
    setUp: "blocks",
  }),
  requests({ name: "B-log", title: "GET of 100 octets, an access log in a file", setUp: "log" }),
  requests({
    name: "B-full",
    title: "GET of 100 octets, users, rules about names, and a log",
    setUp: "full",
  }),
  requests({ name: "H-50", title: "GET of 100 octets at 50 % of the rate that HAProxy bears", share: 0.5 }),
  requests({ name: "H-80", title: "GET of 100 octets at 80 % of the rate that HAProxy bears", share: 0.8 }),
  shortTunnels("connect"),
  shortTunnels("socks5"),
  idleTunnels(1_000),
  idleTunnels(5_000),
  idleClients(1_000),
  mixed(),
  pairs({ name: "F-down", load: bulk({ kind: "down", via: "connect", connections: 1 }) }),
  pairs({ name: "F-up", load: bulk({ kind: "up", via: "connect", connections: 1 }) }),
  pairs({ name: "F-short", load: shortTunnels("connect") }),
  startUp(),
  counts({ what: "promises", name: "I-promises-get", drive: GET }),
  counts({ what: "promises", name: "I-promises-short", drive: SHORT }),
  counts({ what: "bytes", name: "I-bytes-get", drive: GET }),
  counts({ what: "bytes", name: "I-bytes-short", drive: SHORT }),
];

function bulk({ kind, via, connections }: { kind: "down" | "up"; via: Tunnel; connections: number }): Load {
  return {
    name: `A-${kind}-${via}-${connections}`,
    title: `bulk ${kind} through ${connections} tunnel${connections > 1 ? "s" : ""} by ${via}`,
    unit: "CPU seconds per GB",
    suits: hasTunnel(via),
    measure: (setting) =>
      underLoad(setting, { kind, via, connections }, ({ bytes }) => ({ count: bytes / 1e9, per: 1 })),
  };
}

/** How a load of requests differs from {@link GET}. */
interface Requests extends Partial<Drive> {
  readonly name: string;
  readonly title: string;
  readonly setUp?: keyof typeof SET_UPS;
  /** In place of a rate: a part of {@link Setting.bearable}. */
  readonly share?: number;
}

/**
 * The kernel counts waking the client and the origin as the work of the proxy that wakes them. At a fixed rate all
 * proxies wake them equally often; at full speed a faster proxy more often finds them awake.
 */
function requests({ name, title, setUp, share, ...drive }: Requests): Load {
  const extras: readonly Extra[] = setUp ? SET_UPS[setUp] : [];
  const take = async (setting: Setting, drive: Drive): Promise<Figures> => {
    const rate = share === undefined ? drive.rate : Math.round(share * await setting.bearable());
    return await underLoad(setting, { ...drive, rate }, ({ units }) => ({ count: units, per: 100_000 }));
  };
  return {
    name,
    title,
    setUp,
    paced: drive.rate !== undefined || share !== undefined,
    unit: "CPU seconds per 100,000 requests",
    suits: (spoken) => spoken.includes("http"),
    async measure(setting) {
      const tls = extras.includes("tls");
      const fields = (drive.fields ?? FIELDS) + (extras.includes("users") ? LOGIN : "");
      const figures = await take(setting, { ...GET, ...drive, tls, fields });
      if (setting.plain === undefined) return figures;
      const { cost } = await take(setting.plain, { ...GET, ...drive });
      return { ...figures, overhead: figures.cost / cost };
    },
  };
}

function shortTunnels(via: Tunnel): Load {
  return {
    name: `C-${via}`,
    title: `connect, ${via}, one request for 100 octets, close; 32 at once`,
    unit: "CPU seconds per 100,000 tunnels",
    suits: hasTunnel(via),
    measure: (setting) =>
      underLoad(setting, { ...SHORT, via }, ({ units }) => ({
        count: units,
        per: 100_000,
      })),
  };
}

function idleTunnels(connections: number): Load {
  return {
    name: `D-tunnels-${connections}`,
    title: `${connections} tunnels that were used once and are idle`,
    unit: "KiB of memory (PSS) per tunnel",
    suits: (spoken) => hasTunnel("connect")(spoken) || hasTunnel("socks5")(spoken),
    fresh: true,
    measure: (setting) => whileIdle(setting, ["connect", "socks5"], connections),
  };
}

function idleClients(connections: number): Load {
  return {
    name: `D-clients-${connections}`,
    title: `${connections} clients that sent one request and are idle`,
    unit: "KiB of memory (PSS) per client",
    suits: (spoken) => spoken.includes("http"),
    fresh: true,
    measure: (setting) => whileIdle(setting, ["http"], connections),
  };
}

/** Few connections, so that a request without bulk transfers beside it meets a proxy that is not busy. */
function mixed(): Load {
  const small: Drive = { kind: "get", via: "http", connections: 4 };
  return {
    name: "E-mixed",
    title: "GET of 100 octets over 4 connections, beside 4 bulk tunnels; latencies are those beside them",
    unit: "p99 beside ÷ p99 alone",
    suits: (spoken) => spoken.includes("http") && hasTunnel("connect")(spoken),
    async measure(setting) {
      const alone = await drive(setting, small);
      const [beside, tunnels] = await Promise.all([
        drive(setting, small),
        drive(setting, { kind: "down", via: "connect", connections: 4, place: "background" }),
      ]);
      return {
        cost: beside.p99 / alone.p99,
        rate: beside.units / beside.seconds,
        p50: beside.p50 / 1e3,
        p99: beside.p99 / 1e3,
        errors: alone.errors + beside.errors + tunnels.errors,
      };
    },
  };
}

/** The same load through two proxies that speak TLS with each other; the cost is that of both together. */
function pairs({ name, load }: { name: string; load: Load }): Load {
  return { ...load, name, title: `${load.title}, through a pair over TLS`, setUp: "pair" };
}

/** What the proxy makes for each unit of work, by its own count. */
function counts(
  { what, name, drive: load }: { what: "promises" | "bytes"; name: string; drive: Drive },
): Load {
  const [unit, work] = load === GET ? ["request", "GETs of 100 octets on kept connections"] : [
    "tunnel",
    "short CONNECT tunnels",
  ];
  return {
    name,
    title: `what Node makes for ${work}`,
    unit: what === "promises" ? `promises per ${unit}` : `bytes on V8's heap per ${unit}`,
    setUp: what,
    suits: () => true,
    async measure(setting) {
      const { count } = await setting.running();
      const before = await count!();
      const { units, errors } = await drive(setting, load);
      return { cost: (await count!() - before) / units, errors };
    },
  };
}

function startUp(): Load {
  return {
    name: "G-start",
    title: "from the start of the process until it listens, caches warm",
    unit: "milliseconds",
    suits: () => true,
    fresh: true,
    async measure({ entry, origins }) {
      const begin = performance.now();
      const { program } = await entry.start(origins);
      const cost = performance.now() - begin;
      const rss = program.memory().rss / 1e6;
      await program.stop();
      return { cost, rss };
    },
  };
}

function hasTunnel(via: Tunnel): Load["suits"] {
  return (spoken) => spoken.includes(via) || spoken.includes("direct");
}

function originOf({ origins }: Setting, { via }: Drive): Origin {
  return via === "http" ? origins.requests : origins.tunnels;
}

function client(setting: Setting, { ports }: Contestant, load: Drive): Program {
  const via = ports[load.via] === undefined ? "direct" : load.via;
  const { port } = originOf(setting, load);
  const words = [load.kind, via, ports[via], port, load.connections, setting.seconds];
  const options = Object.entries({
    "--size": load.size,
    "--rate": load.rate,
    "--body": load.body,
    "--fields": load.fields,
  }).flatMap(([option, value]) => value === undefined ? [] : [option, value]);
  const command = [`${WORKSHOP}/client`, ...[...words, ...options].map(String), ...load.tls ? ["--tls"] : []];
  return new Program({ command, place: load.place ?? "load" });
}

async function reportOf(program: Program): Promise<ClientReport> {
  return JSON.parse((await program.line(/^\{.*\}$/m))[0]);
}

async function drive(setting: Setting, load: Drive): Promise<ClientReport> {
  const program = client(setting, await setting.running(), load);
  const report = await reportOf(program);
  await program.release();
  await program.ended;
  return report;
}

/** CPU seconds that the proxy uses for `per` units of work. The client counts the units. */
async function underLoad(
  setting: Setting,
  load: Drive,
  counted: (report: ClientReport) => { count: number; per: number },
): Promise<Figures> {
  const { program } = await setting.running();
  const origin = originOf(setting, load).program;
  const before = { proxy: program.cpu(), origin: origin.cpu() };
  const report = await drive(setting, load);
  const used = { proxy: program.cpu() - before.proxy, origin: origin.cpu() - before.origin };
  const { count, per } = counted(report);
  return {
    cost: used.proxy / count * per,
    rate: count / report.seconds,
    ...(report.units > 0 && { p50: report.p50 / 1e3, p99: report.p99 / 1e3 }),
    rss: program.memory().rss / 1e6,
    proxyShare: used.proxy / report.seconds,
    clientShare: report.cpu / report.seconds,
    originShare: used.origin / report.seconds,
    errors: report.errors,
  };
}

/** How many idle connections a proxy holds before those that are measured. */
const HELD_BEFORE = 1_000;

/**
 * The memory of each of many idle connections, beside others that are held already. So it has none of what a process takes
 * only once: the compilers of Node alone take 13 MB for the first thousand connections.
 */
async function whileIdle(setting: Setting, vias: readonly Via[], connections: number): Promise<Figures> {
  const contestant = await setting.entry.start(setting.origins);
  const { program, ports } = contestant;
  const via = vias.find((candidate) => ports[candidate] !== undefined) ?? "direct";
  const hold = async (count: number) => {
    const holder = client({ ...setting, seconds: 20 }, contestant, { kind: "idle", via, connections: count });
    const { held, errors } = await reportOf(holder);
    if (held < count) throw new Error(`It holds ${held} of ${count} connections`);
    await settle();
    return { holder, errors, ...program.memory() };
  };
  const before = await hold(HELD_BEFORE);
  const after = await hold(connections);
  for (const { holder } of [before, after]) {
    await holder.release();
    await holder.ended;
  }
  await program.stop();
  return {
    cost: (after.pss - before.pss) / connections / 1024,
    rss: after.rss / 1e6,
    errors: before.errors + after.errors,
  };
}

/**
 * Gives a proxy time to come to rest, and to close the connections to the origin that it keeps for idle clients; it tells
 * nobody when it has.
 */
function settle(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 6_000));
}
