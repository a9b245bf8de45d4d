/**
 * The datagrams of a request (SOCKS5's UDP ASSOCIATE): who may send where, and what is recorded.
 *
 * @module
 */

import { formatAuthority } from "../addresses/host.ts";
import { Fault } from "../faults.ts";
import type { Recording } from "../observe/record.ts";
import { judge, questionOf } from "../policy/judgement.ts";
import { refuseDenied } from "../policy/rules.ts";
import type { TcpAddress } from "../runtime/contract.ts";
import { Association } from "../traffic/association.ts";
import { Meter } from "./records.ts";
import type { Requester } from "./requester.ts";

/** An association that stands. */
export interface OpenAssociation {
  readonly association: Association;
  /** Where it takes the client's datagrams. */
  readonly bound: TcpAddress;
}

/**
 * Opens an association, which ends with the requester. `hint` is where the client will send from, as far as it knows. Rejects with a `Fault` where the client may have none, or there is no room for its
 * sockets.
 */
export async function openAssociation(
  requester: Requester,
  hint: TcpAddress,
  recording: Recording,
): Promise<OpenAssociation> {
  const { services, id } = requester;
  const { runtime, resolver, clock, log, ownAddresses, settings } = services;
  const { local, remote } = requester.client;
  // Behind a load balancer neither address is one of this machine's connections with the client.
  if (!("host" in local && "host" in remote) || requester.passedOn) {
    throw new Fault("http_request_denied", "Datagrams are for clients that connect by TCP themselves", {
      socks5: 7,
    });
  }
  const release = services.claimAssociation();
  const meter = new Meter(requester, recording);
  const question = (target: TcpAddress) =>
    questionOf(requester.client, { protocol: "udp", user: recording.user, target });
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
    // The other end of a datagram is not known to be this machine, but where the client found us is.
    judge: (address, target) =>
      judge(services, question(target), { address, ends: { local, remote: address } }),
    admit: settings.privateDestinations === "deny"
      ? (address) => ownAddresses.refuseBindable(address)
      : undefined,
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
