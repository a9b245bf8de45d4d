/**
 * The step that closes a connection.
 *
 * @module
 */

import { Fault, toFault } from "../faults.ts";
import type { Connection } from "./connection.ts";
import type { ConnectionSteps, Outcome } from "./step.ts";

/** How many bytes to read and throw away, at most, while the client takes in the last answer (RFC 9112 section 9.6). */
const MAX_LINGER_BYTES = 1024 * 1024;

/** Shared by all connections: a stack trace for each would cost more than the close. */
const DONE = new Fault("client_disconnected", "The connection is over");

/** Lets the last bytes arrive, or resets. */
export const CLOSING = {
  closing(connection, { manner }) {
    const { client } = connection;
    if (manner === "reset") client.cut(DONE);
    else if (client.writer.closed && client.reader.ended && client.reader.buffer.length === 0) {
      client.drop(DONE);
    } else return linger(connection);
    return CLOSED;
  },
} satisfies Partial<ConnectionSteps>;

const CLOSED: Outcome<"closing"> = { event: "closed", payload: {} };

async function linger({ client, id, services }: Connection): Promise<Outcome<"closing">> {
  try {
    await client.writer.close();
    // Closing with unread bytes would reset the connection, and the client might lose the last answer.
    for (let left = MAX_LINGER_BYTES; left > 0;) {
      const bytes = await client.reader.read();
      if (!bytes) break;
      left -= bytes.length;
    }
    client.drop(DONE);
  } catch (error) {
    services.log.debug(`${id}: ${toFault(error, "client").message}`);
    client.cut(DONE);
  }
  return CLOSED;
}
