/**
 * TLS handshakes: which ends are trusted, and how each end learns of a refusal.
 *
 * @module
 */

import { match, ok, strictEqual } from "node:assert";
import type { Runtime, TlsClientOptions, TlsServerOptions } from "../../src/runtime/contract.ts";
import { certificates, pinOf } from "./certificates.ts";
import { type Case, discard, rejectionCode } from "./links.ts";
import {
  acceptOpenSsl,
  assertAlive,
  dialOpenSsl,
  GOOD,
  hear,
  onEveryWire,
  outcome,
  say,
  tryHands,
  type Wire,
} from "./tls_links.ts";

interface Trial {
  readonly server?: () => Partial<TlsServerOptions>;
  readonly client?: () => Partial<TlsClientOptions>;
  /** What the client's error says. Undefined: the handshake has to succeed. */
  readonly says?: RegExp;
}

function trial(name: string, { server, client, says }: Trial): Case[] {
  return onEveryWire(name, async (runtime, wire) => {
    const ends = await tryHands(runtime, wire, { server: server?.(), client: client?.() });
    if (says === undefined) {
      strictEqual(ends.client.message ?? ends.server.message, undefined);
      await assertAlive({ client: ends.client.stream!, server: ends.server.stream! });
    } else {
      strictEqual(ends.client.code, "tls_certificate_error", ends.client.message);
      match(ends.client.message!, says);
      // In TLS 1.3 the server is done before the client has judged, so its first read fails.
      const heard = ends.server.stream ? await rejectionCode(hear(ends.server.stream, 1)) : ends.server.code!;
      match(heard, /^(connection_terminated|tls_alert_received|tls_protocol_error)$/);
    }
    for (const { stream } of [ends.client, ends.server]) if (stream) await discard(stream);
  });
}

/** A client that a server with client certificates must refuse. The server must read nothing from it. */
function refusedClient(name: string, client: () => Partial<TlsClientOptions>): Case[] {
  return onEveryWire(name, async (runtime, wire) => {
    const { one, ca } = certificates();
    const accepted = outcome(runtime.acceptTls(wire.server, { certificates: [one], clientCa: ca }));
    const connected = await outcome(runtime.connectTls(wire.client, { ...GOOD.client(), ...client() }));
    // In TLS 1.3 the client is done before the server has judged, so its first read fails.
    const told = connected.stream ? await rejectionCode(exchange(connected.stream)) : connected.code;
    const { stream, code, message } = await accepted;
    strictEqual(stream, undefined, "the server has let the client in");
    strictEqual(code, "tls_certificate_error", message);
    match(told!, /^(tls_alert_received|connection_terminated|tls_protocol_error)$/);
    if (connected.stream) await discard(connected.stream);
  });
}

async function exchange(stream: Parameters<typeof say>[0]): Promise<void> {
  await say(stream, "let me in");
  await hear(stream, 1);
}

async function subjectSeen(runtime: Runtime, wire: Wire, serverName: string): Promise<string> {
  const { one, two, ca } = certificates();
  const ends = await tryHands(runtime, wire, {
    server: { certificates: [one, two] },
    client: { serverName, ca },
  });
  for (const { stream } of [ends.client, ends.server]) if (stream) await discard(stream);
  return ends.client.message ?? "good";
}

export const TLS_HANDSHAKE_CASES: Case[] = [
  ...trial("a certificate signed by the given authority for the name is trusted", {}),
  ...trial("an IP address is a name too", { client: () => ({ serverName: "127.0.0.1" }) }),
  ...trial("an unknown authority is refused", {
    client: () => ({ ca: certificates().otherCa }),
    says: /certificate|issuer|signature/i,
  }),
  ...trial("the system's authorities do not know ours", {
    client: () => ({ ca: undefined }),
    says: /certificate|issuer/i,
  }),
  ...trial("a self-signed certificate is refused", {
    server: () => ({ certificates: [certificates().selfSigned] }),
    says: /self.signed|certificate/i,
  }),
  ...trial("an expired certificate is refused", {
    server: () => ({ certificates: [certificates().expired] }),
    says: /expired/i,
  }),
  ...trial("a certificate for another name is refused", {
    client: () => ({ serverName: "three.test" }),
    says: /three\.test/,
  }),
  ...trial("a certificate for another IP address is refused", {
    client: () => ({ serverName: "127.0.0.2" }),
    says: /127\.0\.0\.2/,
  }),
  ...trial("the right pin trusts a self-signed certificate for another name", {
    server: () => ({ certificates: [certificates().selfSigned] }),
    client: () => ({ serverName: "three.test", ca: undefined, pin: pinOf(certificates().selfSigned) }),
  }),
  ...trial("the wrong pin is refused although the authority is trusted", {
    client: () => ({ pin: pinOf(certificates().two) }),
    says: /pin/,
  }),
  ...trial("a client with a good certificate is let in", {
    server: () => ({ clientCa: certificates().ca }),
    client: () => ({ certificate: certificates().client }),
  }),
  ...trial("a client's certificate that nobody asks for does no harm", {
    client: () => ({ certificate: certificates().client }),
  }),
  ...refusedClient("a client without a certificate is refused", () => ({})),
  ...refusedClient("a client with a stranger's certificate is refused", () => ({
    certificate: certificates().strangerClient,
  })),
  ...onEveryWire("the wrong pin gets no byte of ours through", async (runtime, wire) => {
    const accepted = outcome(runtime.acceptTls(wire.server, GOOD.server()));
    const connected = await outcome(
      runtime.connectTls(wire.client, { serverName: "one.test", pin: `sha256/${"A".repeat(43)}=` }),
    );
    strictEqual(connected.code, "tls_certificate_error");
    const { stream } = await accepted;
    if (stream) ok(await rejectionCode(hear(stream, 1)) !== "no rejection");
  }),
  ...["two.test", "a.two.test", "one.test"].flatMap((name) =>
    onEveryWire(`the certificate for ${name} is the one that is shown`, async (runtime, wire) => {
      strictEqual(await subjectSeen(runtime, wire, name), "good");
    })
  ),
  ...onEveryWire("the first certificate is shown for a name that none covers", async (runtime, wire) => {
    match(await subjectSeen(runtime, wire, "three.test"), /three\.test/);
  }),
  ...[1, 2].flatMap((count) =>
    onEveryWire(
      `garbage instead of a hello is tls_protocol_error, with ${count} certificates`,
      async (runtime, wire) => {
        const { one, two } = certificates();
        const accepted = outcome(
          runtime.acceptTls(wire.server, { certificates: [one, two].slice(0, count) }),
        );
        await say(wire.client, "GET / HTTP/1.1\r\nHost: one.test\r\n\r\n");
        strictEqual((await accepted).code, "tls_protocol_error");
      },
    )
  ),
  ...onEveryWire("garbage instead of the server's answer is tls_protocol_error", async (runtime, wire) => {
    const connected = outcome(runtime.connectTls(wire.client, GOOD.client()));
    await say(wire.server, "HTTP/1.1 400 Bad Request\r\n\r\n");
    strictEqual((await connected).code, "tls_protocol_error");
  }),
  ...[1, 2].flatMap((count) =>
    onEveryWire(
      `an end within the hello is tls_protocol_error, with ${count} certificates`,
      async (runtime, wire) => {
        const { one, two } = certificates();
        const accepted = outcome(
          runtime.acceptTls(wire.server, { certificates: [one, two].slice(0, count) }),
        );
        const writer = wire.client.writable.getWriter();
        await writer.write(new Uint8Array([22, 3, 1, 1, 0, 1]));
        await writer.close();
        writer.releaseLock();
        strictEqual((await accepted).code, "tls_protocol_error");
      },
    )
  ),
  ...onEveryWire("an end instead of the server's answer is tls_protocol_error", async (runtime, wire) => {
    const connected = outcome(runtime.connectTls(wire.client, GOOD.client()));
    await wire.server.writable.close();
    strictEqual((await connected).code, "tls_protocol_error");
  }),
  ...[1, 2].flatMap((count) =>
    onEveryWire(
      `a slow hello is aborted by the signal, with ${count} certificates`,
      async (runtime, wire) => {
        const { one, two } = certificates();
        const abort = new AbortController();
        const accepted = runtime.acceptTls(wire.server, {
          certificates: [one, two].slice(0, count),
          signal: abort.signal,
        });
        await say(wire.client, "\x16\x03\x01");
        const reason = new Error("too slow");
        abort.abort(reason);
        strictEqual(await accepted.catch((error) => error), reason);
      },
    )
  ),
  ...onEveryWire("a signal that has fired already destroys the stream", async (runtime, wire) => {
    const reason = new Error("too late");
    const signal = AbortSignal.abort(reason);
    strictEqual(
      await runtime.acceptTls(wire.server, { ...GOOD.server(), signal }).catch((error) => error),
      reason,
    );
    strictEqual(
      await runtime.connectTls(wire.client, { ...GOOD.client(), signal }).catch((error) => error),
      reason,
    );
  }),
  ...onEveryWire("a server that says nothing is aborted by the signal", async (runtime, wire) => {
    const abort = new AbortController();
    const connected = runtime.connectTls(wire.client, { ...GOOD.client(), signal: abort.signal });
    const reason = new Error("too slow");
    abort.abort(reason);
    strictEqual(await connected.catch((error) => error), reason);
  }),
  {
    name: "tls with openssl s_client: a TLS 1.2 client is refused where TLS 1.3 is the oldest",
    async run(runtime) {
      const { stream, openssl } = await acceptOpenSsl(runtime, "-tls1_2");
      const { code, message } = await outcome(
        runtime.acceptTls(stream, { ...GOOD.server(), minVersion: "TLSv1.3" }),
      );
      strictEqual(code, "tls_protocol_error", message);
      await openssl.ended;
      match(openssl.errors, /alert protocol version|alert handshake failure/);
    },
  },
  {
    name: "tls with openssl s_server: a TLS 1.2 server is refused where TLS 1.3 is the oldest",
    async run(runtime) {
      const { stream, openssl } = await dialOpenSsl(runtime, "-tls1_2");
      const { code, message } = await outcome(
        runtime.connectTls(stream, { ...GOOD.client(), minVersion: "TLSv1.3" }),
      );
      strictEqual(code, "tls_alert_received", message);
      match(message!, /protocol version/);
      await openssl.ended;
    },
  },
  {
    name: "tls with openssl s_server: the alert for a missing client certificate is told",
    async run(runtime) {
      const { stream, openssl } = await dialOpenSsl(
        runtime,
        "-tls1_3",
        "-Verify",
        "1",
        "-verify_return_error",
      );
      const { stream: tls, code } = await outcome(runtime.connectTls(stream, GOOD.client()));
      strictEqual(tls ? await rejectionCode(hear(tls, 1)) : code, "tls_alert_received");
      await openssl.ended;
    },
  },
];
