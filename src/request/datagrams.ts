/**
 * The datagrams of a request (SOCKS5's UDP ASSOCIATE): who may send where, and what is recorded.
 *
 * @module
 */

import { formatAuthority } from "../addresses/host.ts";
import { Fault } from "../faults.ts";
import type { Recording } from "../observe/record.ts";
import type { Egress } from "../policy/egress.ts";
import { judge, questionOf } from "../policy/judgement.ts";
import { refuseDenied } from "../policy/rules.ts";
import type { TcpAddress } from "../runtime/contract.ts";
import { Association } from "../traffic/association.ts";
import { Meter } from "./records.ts";
import type { Requester } from "./requester.ts";

/** An open association. */
export interface OpenAssociation {
  readonly association: Association;
  /** The address that takes the client's datagrams. */
  readonly bound: TcpAddress;
}

/**
 * Opens an association, which ends with the requester. `hint` is the address from which the client will send, as far as
 * it knows. Rejects with a `Fault` if this client may not have one, or if there are too many sockets already.
 */
export async function openAssociation(
  requester: Requester,
  hint: TcpAddress,
  recording: Recording,
): Promise<OpenAssociation> {
  const { services, id } = requester;
  const { runtime, resolver, clock, log, ownAddresses, settings } = services;
  const { local, remote } = requester.client;
  // Behind a load balancer, neither address belongs to a connection between this machine and the client.
  if (!("host" in local && "host" in remote) || requester.passedOn) {
    throw new Fault("http_request_denied", "Datagrams are for clients that connect by TCP themselves", {
      socks5: 7,
    });
  }
  const release = services.claimAssociation();
  const meter = new Meter(requester, recording);
  const question = (target: TcpAddress) =>
    questionOf(requester.client, { protocol: "udp", user: recording.user, target });
  const egress = new DatagramEgress(requester, recording);
  const datagrams = recording.datagrams = {
    targets: 0,
    sent: 0,
    received: 0,
    dropped: () => association.dropped,
  };
  const association = new Association({
    runtime,
    clock,
    hint,
    local: local.host,
    client: remote.host,
    resolve: (host, signal) => resolver.resolve(host, signal),
    authorize: (target) => {
      const asked = question(target);
      refuseDenied(services.rules().decide(asked));
      if ((services.rules().route(asked) ?? "direct") !== "direct") {
        throw new Fault("http_request_denied", "Datagrams do not go through an upstream");
      }
    },
    from: (host, target) => egress.from(host, services.rules().bind(question(target))?.terms),
    // The client's connection shows one address of this machine for certain: the one that the client connected to.
    judge: (address, target) =>
      judge(services, question(target), { address, ends: { local, remote: address } }),
    admit: settings.privateDestinations === "deny"
      ? (address) => ownAddresses.refuseBindable(address)
      : undefined,
    paces: recording.paces,
    observer: {
      addressed: (target) => {
        if (datagrams.targets++ === 0) recording.target = formatAuthority(target);
      },
      sent: (count, to) => {
        recording.dialed ??= formatAuthority(to);
        datagrams.sent++;
        meter.sent(count);
      },
      received: (count) => {
        datagrams.received++;
        meter.received(count);
      },
      refused: (target, fault) => {
        recording.fault ??= fault;
        log.debug(`${id}: Dropping datagrams to ${formatAuthority(target)}: ${fault.message}`);
      },
    },
  });
  const close = (): void => {
    association.close();
    release();
  };
  requester.cleanUp = close;
  try {
    return { association, bound: await requester.interruptible(association.open()) };
  } catch (error) {
    close();
    throw error;
  }
}

/** The addresses that an association sends from: one of each rule and family, so that it needs few sockets. */
class DatagramEgress {
  readonly #requester: Requester;
  readonly #recording: Recording;
  readonly #chosen = new Map<string, string>();

  constructor(requester: Requester, recording: Recording) {
    this.#requester = requester;
    this.#recording = recording;
  }

  from(host: string, egress: Egress | undefined): string | undefined {
    if (!egress) return undefined;
    const key = `${host.includes(":")} ${egress.text}`;
    const { id, services: { runtime } } = this.#requester;
    const from = this.#chosen.get(key) ??
      egress.addressFor(host, { id, user: this.#recording.user }, runtime);
    this.#chosen.set(key, from);
    this.#recording.from ??= from;
    return from;
  }
}
