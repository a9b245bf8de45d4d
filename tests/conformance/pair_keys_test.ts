/**
 * How the halves of a pair know each other: tokens, pins and certificates.
 *
 * @module
 */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { Buffer } from "node:buffer";
import { once } from "node:events";
import { chmod, readFile, writeFile } from "node:fs/promises";
import type { AddressInfo, Socket } from "node:net";
import { join } from "node:path";
import { createServer } from "node:tls";
import { request, tunnel } from "./exchanges.ts";
import {
  answers,
  bearer,
  connectRequest,
  keys,
  newToken,
  pairTest,
  refusal,
  SERVED,
  statusOf,
} from "./pair_suite.ts";
import { certificates, pinOf } from "../contract/certificates.ts";
import { httpOrigin, Origin } from "../support/origin.ts";
import { asHalf, Keys, Pair, startLocal, startRemote } from "../support/pair.ts";
import { ProgramRun, type ProxyProcess } from "../support/proxy.ts";
import type { RawConnection } from "../support/raw_client.ts";

pairTest("a wrong token is told to the local user as that, and not as the target's answer", async (row) => {
  await using made = await Keys.make(row);
  await using origin = await httpOrigin(() => "HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nnone");
  await using remote = await startRemote(row, [...made.remoteFlags, "--allow-private"]);
  const { authority } = origin;
  {
    // What the target says is the target's.
    await using local = await startLocal(row, made.localFlags(remote.port));
    using client = await local.connect();
    await client.send(request("GET", `http://${authority}/`));
    assertEquals((await client.message()).status, 404);
  }
  await writeFile(made.file("token"), `${newToken()}\n`);
  await using local = await startLocal(row, made.localFlags(remote.port));
  const asked = [request("GET", `http://${authority}/wrong`), request("HEAD", `http://${authority}/wrong`)];
  for (const bytes of [...asked, `CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n\r\n`]) {
    using client = await local.connect();
    await client.send(bytes);
    const head = await client.readUntil("\r\n\r\n");
    assertMatch(head, /^HTTP\/1\.1 500 [^]*; error=proxy_configuration_error; details="next proxy"\r\n/);
    if (bytes.startsWith("HEAD")) continue;
    assertMatch(
      await client.readUntil("\nReference: "),
      /^The next proxy does not accept this proxy\. .*its token /,
    );
  }
  const reasons = await Promise.all(["/wrong", authority].map((target) => local.record(target)));
  for (const { reason } of reasons) {
    assertMatch(String(reason), /^https:\/\/127\.0\.0\.1:\d+: It does not accept our token \(40[04]\)$/);
  }
});

pairTest("one token can be replaced by another while both are good", async (row) => {
  await using made = await Keys.make(row);
  const { secret } = made;
  const next = newToken();
  await using origin = await Origin.listen();
  await using elsewhere = await httpOrigin();
  await using pair = await Pair.start(row, made);
  const { local, remote } = pair;
  const status = (token: string) => statusOf(remote, elsewhere.authority, token);
  async function reload(half: ProxyProcess, pattern: RegExp, count: number): Promise<void> {
    half.kill("SIGHUP");
    await half.said(pattern, count);
  }
  assertEquals([await status(secret), await status(next)], ["200", "400"]);
  await using standing = await StandingTunnel.open(local, origin);

  await writeFile(made.file("token"), `# old and new\n${secret}\n${next}\n`);
  await reload(remote, /Read the files/, 1);
  assertEquals([await status(secret), await status(next)], ["200", "200"]);

  await writeFile(made.file("token"), `${next}\n`);
  await reload(local, /Read the files/, 1);
  await reload(remote, /Read the files/, 2);
  assertEquals([await status(secret), await status(next)], ["400", "200"]);
  await using another = await StandingTunnel.open(local, origin);
  await another.check();
  await standing.check();

  let count = 0;
  for (const broken of ["", "# nothing\n", "short\n", `${next}\nshort\n`, "x".repeat(600)]) {
    await writeFile(made.file("token"), broken);
    await reload(remote, /Everything stays as it was/, ++count);
    assertEquals([await status(secret), await status(next)], ["400", "200"]);
  }
  await standing.check();
  assertEquals(pair.lines.filter((line) => line.includes(secret) || line.includes(next)), []);
});

/** A tunnel to an origin without a script, of which both ends are known. */
class StandingTunnel implements AsyncDisposable {
  readonly #client: RawConnection;
  readonly #target: RawConnection;

  private constructor(client: RawConnection, target: RawConnection) {
    this.#client = client;
    this.#target = target;
  }

  static async open(local: ProxyProcess, origin: Origin): Promise<StandingTunnel> {
    const client = await tunnel(local, origin.authority);
    return new StandingTunnel(client, await origin.accept());
  }

  /** Whether it carries bytes both ways. */
  async check(): Promise<void> {
    for (const [from, to] of [[this.#client, this.#target], [this.#target, this.#client]]) {
      await from.send("still here");
      assertEquals((await to.read(10)).toString(), "still here");
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#client[Symbol.dispose]();
    await this.#target.ending();
  }
}

pairTest("keys that are missing, bad or open to others end the program before it listens", async (row) => {
  await using made = await Keys.make(row);
  const { secret } = made;
  const path = (name: string) => join(made.folder, name);
  const files: Record<string, [text: string, mode: number]> = {
    empty: ["", 0o600],
    short: [`${secret.slice(1)}\n`, 0o600],
    odd: [`${secret}!\n`, 0o600],
    two: [`${secret}\n${newToken()}\n`, 0o600],
    open: [`${secret}\n`, 0o644],
    key: [await readFile(made.file("key.pem"), "utf8"), 0o640],
  };
  for (const [name, [text, mode]] of Object.entries(files)) {
    await writeFile(path(name), text);
    await chmod(path(name), mode);
  }
  const token = (file: string) => ["--token-file", path(file)];
  const remoteFlags = ["--listen", "127.0.0.1:0", ...made.remoteFlags];
  const localFlags = ["--listen", "127.0.0.1:0", ...made.localFlags(1)];
  const cases: [half: "remote" | "local", flags: string[], message: RegExp, environment?: object][] = [
    ["remote", [...remoteFlags, ...token("empty")], /There is no token/],
    ["remote", [...remoteFlags, ...token("short")], /Invalid token/],
    ["remote", [...remoteFlags, ...token("odd")], /Invalid token/],
    ["remote", [...remoteFlags, ...token("open")], /Others can read the token file ".+": run "chmod 600 /],
    ["remote", [...remoteFlags, ...token("missing")], /missing/],
    ["remote", [...remoteFlags, "--key", path("key")], /Others can read the key ".+"/],
    ["remote", [...remoteFlags, "--key", path("missing")], /missing/],
    ["remote", remoteFlags, /Invalid token/, { SLUICE_TOKEN: "short" }],
    ["local", [...localFlags, ...token("empty")], /token/],
    ["local", [...localFlags, ...token("short")], /[Tt]oken/],
    ["local", [...localFlags, ...token("odd")], /token/],
    ["local", [...localFlags, ...token("two")], /more than one token/],
    ["local", [...localFlags, ...token("open")], /Others can read the token file/],
    ["local", [...localFlags, "--pin", "sha256/short"], /pin/],
    ["local", localFlags, /[Tt]oken/, { SLUICE_TOKEN: "short" }],
  ];
  const outcomes = [];
  for (const [half, flags, message, environment] of cases) {
    const last = lastOfEach(flags);
    await using run = new ProgramRun(asHalf(row, half), last, { ...environment });
    const ended = await Promise.race([
      run.exit(),
      run.said(/^listening/).then(() => "it listens", () => run.exit()),
    ]);
    const said = run.diagnostics.all.join("\n");
    outcomes.push([
      half,
      ...flags.slice(-2).map((flag) => flag.replace(made.folder, "")),
      ended,
      message.test(said) ? "" : said,
    ]);
    assert(!said.includes(secret.slice(1)) && !said.includes(" short"), said);
  }
  assertEquals(
    outcomes.filter(([, , , ended, said]) => ended !== 2 || said !== ""),
    [],
  );
});

/** Flags without those that a later one of the same name replaces: the program takes each but once. */
function lastOfEach(flags: readonly string[]): string[] {
  const values = new Map<string, string>();
  for (let i = 0; i < flags.length; i += 2) values.set(flags[i], flags[i + 1]);
  return [...values].flat();
}

pairTest("SLUICE_TOKEN takes the place of the file, on both halves", async (row) => {
  const token = newToken();
  const without = (flags: readonly string[]) => flags.slice(0, flags.indexOf("--token-file"));
  const environment = { SLUICE_TOKEN: token };
  await using remote = await startRemote(row, [...without(keys.remoteFlags), "--allow-private"], environment);
  await using local = await startLocal(row, without(keys.localFlags(remote.port)), environment);
  await using origin = await httpOrigin();
  assertEquals(await answers(local, "127.0.0.1", origin.port), SERVED);
  assertEquals(await statusOf(remote, origin.authority, keys.secret), "400");
});

/** A server that takes the place of the remote half, and keeps what it is told. */
async function impostor(
  { minVersion, maxVersion, certificate }: {
    minVersion?: "TLSv1.2";
    maxVersion?: "TLSv1.2";
    certificate: { cert: string; key: string };
  },
): Promise<{ port: number; heard(): string; seen(): number; [Symbol.asyncDispose](): Promise<void> }> {
  let heard = "";
  let seen = 0;
  const sockets = new Set<Socket>();
  const server = createServer({ ...certificate, minVersion, maxVersion });
  server.on("connection", (socket: Socket) => {
    seen++;
    sockets.add(socket);
    socket.on("error", () => {});
  });
  server.on("tlsClientError", () => {});
  server.on("secureConnection", (socket) => {
    socket.on("error", () => {});
    socket.on("data", (bytes: Buffer) => {
      heard += bytes.toString("latin1");
      if (heard.includes("\r\n\r\n")) socket.write("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n");
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    heard: () => heard,
    seen: () => seen,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}

pairTest("the token is told to nobody but who has the pinned key and speaks TLS 1.3", async (row) => {
  const { one, two } = certificates();
  const tls = (code: string) => refusal(`502 ${code}`, 1);
  {
    await using server = await impostor({ certificate: one });
    await using local = await startLocal(row, withPin(server.port, pinOf(one)));
    using client = await local.connect();
    await client.send(connectRequest("example.test:443"));
    await client.readUntil("\r\n\r\n");
    assertStringIncludes(server.heard(), bearer(keys.secret), "The impostor would hear it");
  }
  {
    await using server = await impostor({ certificate: two });
    await using local = await startLocal(row, withPin(server.port, pinOf(one)));
    assertEquals(await answers(local, "example.test", 443), tls("tls_certificate_error"));
    assertEquals(server.seen() >= 4, true);
    assertEquals(server.heard(), "");
  }
  {
    await using server = await impostor({ certificate: one, minVersion: "TLSv1.2", maxVersion: "TLSv1.2" });
    await using local = await startLocal(row, withPin(server.port, pinOf(one)));
    const asked = await answers(local, "example.test", 443);
    assertMatch(asked.CONNECT, /^502 tls_(?:protocol_error|alert_received)$/);
    assertEquals(asked, tls(asked.CONNECT.slice(4)));
    assertEquals(server.heard(), "");
  }
  // A server in the clear hears the beginning of TLS and nothing else.
  const heard: Buffer[] = [];
  await using plain = await Origin.listen(async (connection) => {
    heard.push(await connection.read(1));
    await connection.send("HTTP/1.1 200 OK\r\n\r\n");
    await connection.ending();
    heard.push(connection.received);
  });
  await using local = await startLocal(row, withPin(plain.port, pinOf(one)));
  assertEquals(await answers(local, "example.test", 443), tls("tls_protocol_error"));
  const all = Buffer.concat(heard);
  assertEquals([all[0], all.includes(keys.secret)], [22, false]);
});

function withPin(port: number, pin: string): string[] {
  return keys.localFlags(port).map((flag) => flag === keys.pin ? pin : flag);
}

pairTest("--client-ca lets in who has a certificate that it has signed, and nobody else", async (row) => {
  const { ca, client, strangerClient } = certificates();
  const caFile = join(keys.folder, `ca-${crypto.randomUUID()}.pem`);
  await writeFile(caFile, ca);
  await using remote = await startRemote(row, [
    ...keys.remoteFlags,
    "--allow-private",
    "--client-ca",
    caFile,
  ]);
  await using origin = await httpOrigin();
  const flags = keys.localFlags(remote.port);
  for (const certificate of [undefined, strangerClient, client]) {
    const shown = certificate ? ["--cert", certificate.certFile, "--key", certificate.keyFile] : [];
    await using local = await startLocal(row, [...flags, ...shown]);
    const asked = await answers(local, "127.0.0.1", origin.port);
    if (certificate === client) {
      assertEquals(asked, SERVED);
      continue;
    }
    // A client of TLS 1.3 has sent its request before it is told why it is refused, and may find the way closed.
    for (const way of ["GET", "CONNECT"]) {
      assertMatch(asked[way], /^502 (?:tls_alert_received|connection_terminated)$/, way);
    }
    assertEquals([asked.SOCKS5, asked.SOCKS4], ["1", "5b"]);
    const { ending, fault } = JSON.parse(await remote.output.next());
    assertEquals([ending, fault], ["refused", "tls_certificate_error"]);
  }
});
