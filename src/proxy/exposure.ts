/**
 * Exposure: whether others than the user of this machine can come to a listener.
 *
 * There are three doors: the address that is bound, whoever is trusted to pass others on (`proxy-protocol=`), and the
 * mode of a Unix socket. What is there against strangers goes by them: the refusal to be an open proxy by accident, and
 * the default of the destination guard.
 *
 * @module
 */

import type { Endpoint } from "../listeners/endpoint.ts";
import { formatAddress, isLoopback } from "../addresses/host.ts";
import type { ProxyOptions } from "./options.ts";
import { UsageError } from "../text/usage_error.ts";

/** How others come to a listener. */
export type Exposure = "address" | "balancer" | "mode";

/** Who else than its owner may connect to a Unix socket: on Linux that takes the permission to write (unix(7)). */
const OTHERS_MAY_WRITE = 0o022;

/** How others come to a listener; undefined where they do not. */
export function exposureOf({ address, trusts, mode = 0 }: Endpoint): Exposure | undefined {
  if ("path" in address) return (mode & OTHERS_MAY_WRITE) === 0 ? undefined : "mode";
  if (!isLoopback(address.host)) return "address";
  return trusts && "balancer";
}

/** How others come to a listener, in words for the operator. */
export function describeExposure(endpoint: Endpoint): string | undefined {
  const { address, trusts, mode = 0 } = endpoint;
  switch (exposureOf(endpoint)) {
    case "address":
      return `other machines can reach ${formatAddress(address)}`;
    case "balancer":
      return `proxy-protocol=${trusts} at ${formatAddress(address)} passes on clients from anywhere`;
    case "mode":
      return `mode ${mode.toString(8).padStart(4, "0")} lets others than its owner connect to ${
        formatAddress(address)
      }`;
  }
}

/**
 * Whether clients may reach private addresses, where the options leave that open: not where a listener is exposed.
 *
 * @throws {UsageError} Where a listener is exposed and anybody who gets there could use the proxy: no users are
 * asked for, and the operator has not said that this is meant. The message says what the exposure is, and what to do.
 */
export function destinationsFor(
  endpoints: readonly Endpoint[],
  options: Pick<
    ProxyOptions,
    "allowOpen" | "allowClients" | "authenticate" | "privateDestinations" | "tokens" | "users"
  >,
): "allow" | "deny" {
  const { allowOpen, authenticate, tokens, users, privateDestinations } = options;
  const open = authenticate || users || tokens || allowOpen
    ? undefined
    : endpoints.find((endpoint) => isOpen(exposureOf(endpoint), options));
  if (open) throw new UsageError(refusalOf(open));
  return privateDestinations ?? (endpoints.some(exposureOf) ? "deny" : "allow");
}

/**
 * Blocks of clients say nothing of a Unix socket, whose clients have no addresses. A load balancer may have asked its
 * clients who they are: an operator who says where they may go knows of them.
 */
function isOpen(
  exposure: Exposure | undefined,
  { allowClients = [], privateDestinations }: Pick<ProxyOptions, "allowClients" | "privateDestinations">,
): boolean {
  if (exposure === undefined || exposure === "mode") return exposure === "mode";
  if (allowClients.length > 0) return false;
  return exposure === "address" || privateDestinations === undefined;
}

function refusalOf(endpoint: Endpoint): string {
  const advice: Record<Exposure, string> = {
    address:
      "Listen on 127.0.0.1, name its users with --user or its clients with --allow-client, or say --allow-open",
    balancer: "Name its users with --user or its clients with --allow-client, or say --allow-open",
    mode: "Leave the mode at 0600, name its users with --user, or say --allow-open",
  };
  return `Refusing to listen on ${formatAddress(endpoint.address)}: ${
    describeExposure(endpoint)
  }, and anybody who ` +
    `gets there could use this proxy. ${advice[exposureOf(endpoint)!]} if that is what you want`;
}
