/**
 * Names that given name servers know, and the addresses of the machine.
 *
 * The name server lives in the process of the runtime under test, which thereby shows that nothing blocks it.
 *
 * @module
 */

import { deepStrictEqual, ok, strictEqual } from "node:assert";
import { networkInterfaces } from "node:os";
import type { Runtime } from "../../src/runtime.ts";
import { addressRecords, type NameScript, NameServer, zone } from "../support/name_server.ts";
import { type Case, rejectionCode } from "./links.ts";

const HUNDRED = Array.from({ length: 100 }, (_, i) => `192.0.2.${i}`);

const never = new Promise<void>(() => {});

/** A case with a name server of its own; `ask` resolves a name by it. */
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
    "NXDOMAIN, SERVFAIL, REFUSED, no records and names that lead in a circle are dns_error",
    ({ name }) => {
      const [kind] = name.split(".");
      if (kind === "nxdomain" || kind === "servfail" || kind === "refused") {
        return { rcode: kind.toUpperCase() as "NXDOMAIN" | "SERVFAIL" | "REFUSED" };
      }
      const [here, there] = ["circle.test", "there.test"];
      return kind === "empty" ? {} : {
        records: [{ name: here, type: "CNAME", data: there }, { name: there, type: "CNAME", data: here }],
      };
    },
    async (ask) => {
      for (const kind of ["nxdomain", "servfail", "refused", "empty", "circle"]) {
        strictEqual(await rejectionCode(ask(`${kind}.test`)), "dns_error", kind);
      }
    },
  ),
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
        // More at once than the socket's buffer holds would be lost.
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
        // As a server that asks others: whoever asks again gets the answer as soon as it is there.
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
