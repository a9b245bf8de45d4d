/**
 * The step that closes a connection.
 *
 * @module
 */

import { Fault, toFault } from "../faults.ts";
import type { ConnectionSteps } from "./step.ts";

/** How many bytes to read and throw away, at most, while the client takes in the last answer (RFC 9112 section 9.6). */
const MAX_LINGER_BYTES = 1024 * 1024;

/** Shared by all connections: a stack trace for each would cost more than the close. */
const DONE = new Fault("client_disconnected", "The connection is over");

/** Lets the last bytes arrive, or resets. */
export const CLOSING = {
  async closing({ client, id, services }, { manner }) {
    try {
      if (manner === "reset") client.cut(DONE);
      else {
        await client.writer.close();
        // Closing with unread bytes would reset the connection, and the client might lose the last answer.
        for (let left = MAX_LINGER_BYTES; left > 0;) {
          const bytes = await client.reader.read();
          if (!bytes) break;
          left -= bytes.length;
        }
        client.drop(DONE);
      }
    } catch (error) {
      services.log.debug(`${id}: ${toFault(error, "client").message}`);
      client.cut(DONE);
    }
    return { event: "closed", payload: {} };
  },
} satisfies Partial<ConnectionSteps>;
