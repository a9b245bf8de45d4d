/**
 * Exposure: whether others than the user of this machine can connect to a listener.
 *
 * There are three ways in: the address that is bound, a trusted load balancer that passes clients on
 * (`proxy-protocol=`), and the mode of a Unix socket. Two protections depend on exposure: the proxy refuses to be open by
 * accident, and the destination guard is on by default.
 *
 * @module
 */

import type { Endpoint } from "../listeners/endpoint.ts";
import { formatAddress, isLoopback } from "../addresses/host.ts";
import type { ProxyOptions } from "./options.ts";
import { UsageError } from "../text/usage_error.ts";

/** How others can connect to a listener. */
export type Exposure = "address" | "balancer" | "mode";

/** The mode bits that let others connect to a Unix socket: on Linux they need permission to write (unix(7)). */
const OTHERS_MAY_WRITE = 0o022;

/** How others can connect to a listener; undefined if they cannot. */
export function exposureOf({ address, trusts, mode = 0 }: Endpoint): Exposure | undefined {
  if ("path" in address) return (mode & OTHERS_MAY_WRITE) === 0 ? undefined : "mode";
  if (!isLoopback(address.host)) return "address";
  return trusts && "balancer";
}

/** How others can connect to a listener, in words for the operator. */
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
 * Whether clients may reach private addresses. If the options do not say, they may unless a listener is exposed.
 *
 * @throws {UsageError} If a listener is exposed and everybody could use the proxy: nobody has to log in, and the operator
 * has not allowed this. The message names the exposure, and what to do.
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
 * Blocks of clients do not restrict a Unix socket, because its clients have no addresses. A load balancer may
 * authenticate its clients itself: an operator who sets `privateDestinations` has thought of them.
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
