/**
 * Names that given name servers know, and the addresses of the machine.
 *
 * The name server runs in the process of the runtime under test, which proves that lookups do not block it.
 *
 * @module
 */

import { deepStrictEqual, ok, strictEqual } from "node:assert";
import { Buffer } from "node:buffer";
import { networkInterfaces } from "node:os";
import type { Runtime } from "../../src/runtime/contract.ts";
import {
  addressRecords,
  type NameRecord,
  type NameScript,
  NameServer,
  zone,
} from "../support/name_server.ts";
import { type Case, rejectionCode } from "./links.ts";

const HUNDRED = Array.from({ length: 100 }, (_, i) => `192.0.2.${i}`);

const never = new Promise<void>(() => {});

/** A case with a name server of its own. `ask` resolves a name with it. */
function served(
  name: string,
  script: NameScript,
  body: (ask: (host: string) => ReturnType<Runtime["resolve"]>, server: NameServer) => Promise<void>,
): Case {
  return {
    name: `name servers: ${name}`,
    async run(runtime) {
      await using server = await NameServer.start(script);
      await body((host) => runtime.resolve(host, { servers: [server.authority] }), server);
    },
  };
}

export const RESOLVE_CASES: Case[] = [
  served(
    "both families are asked for at once; IPv6 comes first, and the shortest TTL counts",
    ({ type }) => ({
      records: addressRecords(type === "A" ? ["192.0.2.1"] : ["2001:db8::1"], type === "A" ? 42 : 77),
    }),
    async (ask, server) => {
      deepStrictEqual(await ask("a.test"), { addresses: ["2001:db8::1", "192.0.2.1"], ttl: 42 });
      deepStrictEqual([...server.questions.all].sort(), ["a.test A", "a.test AAAA"]);
    },
  ),
  served(
    "a name may have addresses of one family only, and a hundred of them",
    zone({ "four.test": ["192.0.2.1"], "six.test": ["2001:db8::1"], "many.test": HUNDRED }, 7),
    async (ask) => {
      deepStrictEqual(await ask("four.test"), { addresses: ["192.0.2.1"], ttl: 7 });
      deepStrictEqual(await ask("six.test"), { addresses: ["2001:db8::1"], ttl: 7 });
      deepStrictEqual((await ask("many.test")).addresses, HUNDRED);
    },
  ),
  served(
    "what is not answered in the one family does not hold the other up",
    ({ type }) => ({
      records: type === "A" ? addressRecords(["192.0.2.1"]) : [],
      after: type === "A" ? undefined : never,
    }),
    async (ask) => deepStrictEqual((await ask("a.test")).addresses, ["192.0.2.1"]),
  ),
  served(
    "NXDOMAIN and no records are dns_error; SERVFAIL, REFUSED and malformed answers are name_server_failed",
    ({ name, type }) => {
      const [kind] = name.split(".");
      // An answer about one family says nothing about the other.
      if (kind === "half") return { rcode: type === "A" ? "SERVFAIL" : "NXDOMAIN" };
      if (kind === "nxdomain" || kind === "servfail" || kind === "refused") {
        return { rcode: kind.toUpperCase() as "NXDOMAIN" | "SERVFAIL" | "REFUSED" };
      }
      const [here, there] = ["circle.test", "there.test"];
      if (kind === "circle") {
        return {
          records: [{ name: here, type: "CNAME", data: there }, { name: there, type: "CNAME", data: here }],
        };
      }
      return kind === "short"
        ? { records: addressRecords(["192.0.2.1"]), forge: (answer) => [answer.subarray(0, -1)] }
        : {};
    },
    async (ask) => {
      for (const kind of ["nxdomain", "empty"]) {
        strictEqual(await rejectionCode(ask(`${kind}.test`)), "dns_error", kind);
      }
      for (const kind of ["servfail", "refused", "half", "circle", "short"]) {
        strictEqual(await rejectionCode(ask(`${kind}.test`)), "name_server_failed", kind);
      }
    },
  ),
  served(
    "every name that DNS can carry is asked for, and no other",
    ({ type }) => ({ records: type === "A" ? addressRecords(["192.0.2.1"]) : [] }),
    async (ask, server) => {
      const hosts = [
        "under_score.test",
        "-lead.test",
        "trail-.test",
        "_dmarc.test",
        "a__b.-.test",
        "Case.TEST.",
      ];
      for (const host of hosts) deepStrictEqual((await ask(host)).addresses, ["192.0.2.1"], host);
      const asked = server.questions.all.length;
      for (const host of ["a..test", ".test", "", `${"x".repeat(64)}.test`]) {
        strictEqual(await rejectionCode(ask(host)), "dns_error", host);
      }
      strictEqual(server.questions.all.length, asked);
    },
  ),
  served(
    "aliases are followed to the addresses behind them, and the shortest TTL counts",
    ({ type }) => ({
      records: [
        { type: "CNAME", data: "there.test", ttl: 9 },
        { name: "There.test", type: "CNAME", data: "far.test", ttl: 7 },
        { name: "far.TEST", type, data: type === "A" ? "192.0.2.1" : "2001:db8::1" } as NameRecord,
        { name: "other.test", type, data: type === "A" ? "192.0.2.7" : "2001:db8::7" } as NameRecord,
      ],
    }),
    async (ask) => deepStrictEqual(await ask("a.test"), { addresses: ["2001:db8::1", "192.0.2.1"], ttl: 7 }),
  ),
  served(
    "an answer with another id, question or kind is not taken for one",
    ({ type }) => ({
      records: addressRecords(type === "A" ? ["192.0.2.1"] : []),
      forge: (answer) => {
        const forged = [2, 12 + 1, 0].map((at) => {
          const message = Buffer.from(answer);
          message[at] ^= at === 2 ? 0x80 : 1;
          message[message.length - 1] = 66;
          return message;
        });
        return [Buffer.alloc(0), answer.subarray(0, 1), answer.subarray(0, 11), ...forged, answer];
      },
    }),
    async (ask) => deepStrictEqual((await ask("a.test")).addresses, ["192.0.2.1"]),
  ),
  served(
    "an answer from another port is not taken for one",
    ({ type }) => ({
      records: addressRecords(type === "A" ? ["192.0.2.1"] : []),
      stranger: { records: addressRecords(["192.0.2.66"]) },
    }),
    async (ask) => deepStrictEqual((await ask("a.test")).addresses, ["192.0.2.1"]),
  ),
  {
    name: "name servers: what refuses datagrams is name_server_failed at once, and the next one is asked",
    needs: "refused datagrams",
    async run(runtime) {
      let gone: string;
      {
        await using closed = await NameServer.start(() => undefined);
        gone = closed.authority;
      }
      strictEqual(await rejectionCode(runtime.resolve("a.test", { servers: [gone] })), "name_server_failed");
      await using server = await NameServer.start(zone({ "a.test": ["192.0.2.1"] }));
      const servers = [gone, server.authority];
      deepStrictEqual((await runtime.resolve("a.test", { servers })).addresses, ["192.0.2.1"]);
    },
  },
  {
    name: "name servers: 500 names that hang keep no other from being resolved, and end with their signal",
    async run(runtime) {
      await using server = await NameServer.start((question, nth) =>
        question.name.startsWith("hang") ? undefined : zone({ "a.test": ["192.0.2.1"] })(question, nth)
      );
      const servers = [server.authority];
      const reason = new Error("Not any more");
      let settled = 0;
      const hanging: { controller: AbortController; end: Promise<unknown> }[] = [];
      for (let i = 0; i < 500; i++) {
        const controller = new AbortController();
        const { signal } = controller;
        const end = runtime.resolve(`hang${i}.test`, { servers, signal }).catch((error) => error);
        end.then(() => settled++);
        hanging.push({ controller, end });
        // If more were sent at once, the socket's buffer could not hold them.
        if (i % 25 === 24) await server.questions.find((question) => question.startsWith(`hang${i}.test`));
      }
      for (let i = 0; i < 50; i++) {
        deepStrictEqual((await runtime.resolve("a.test", { servers })).addresses, ["192.0.2.1"]);
      }
      strictEqual(settled, 0);
      for (const { controller } of hanging) controller.abort(reason);
      for (const { end } of hanging) strictEqual(await end, reason);
    },
  },
  {
    name: "name servers: an answer may take two seconds",
    async run(runtime) {
      let ready: Promise<unknown> | undefined;
      await using server = await NameServer.start((question, nth) => {
        // Acts like a server that asks others: a repeated question is answered as soon as the answer is there.
        ready ??= new Promise((resolve) => setTimeout(resolve, 2_000));
        return { ...zone({ "a.test": ["192.0.2.1"] })(question, nth), after: ready };
      });
      const { addresses } = await runtime.resolve("a.test", { servers: [server.authority] });
      deepStrictEqual(addresses, ["192.0.2.1"]);
    },
  },
  {
    name: "name servers: silence is dns_timeout",
    async run(runtime) {
      await using server = await NameServer.start(() => undefined);
      strictEqual(
        await rejectionCode(runtime.resolve("a.test", { servers: [server.authority] })),
        "dns_timeout",
      );
    },
  },
  {
    name: "name servers: the next one is asked where one is silent",
    async run(runtime) {
      await using silent = await NameServer.start(() => undefined);
      await using server = await NameServer.start(zone({ "a.test": ["192.0.2.1"] }));
      const servers = [silent.authority, server.authority];
      deepStrictEqual((await runtime.resolve("a.test", { servers })).addresses, ["192.0.2.1"]);
    },
  },
  {
    name: "ownAddresses() are those of the interfaces",
    // deno-lint-ignore require-await
    async run(runtime) {
      const own = Object.values(networkInterfaces()).flatMap((list = []) =>
        list.map(({ address }) => address)
      );
      ok(own.includes("127.0.0.1"));
      deepStrictEqual([...runtime.ownAddresses()].sort(), own.map((host) => host.replace(/%.*/, "")).sort());
    },
  },
];
