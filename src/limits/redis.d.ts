/**
 * What `redis_store.ts` uses of the client of Redis and Valkey.
 *
 * @module
 */

/** How the client connects. */
export interface ClientOptions {
  url: string;
  /** Reject at once while the server is gone, and keep nothing to send later. */
  disableOfflineQueue: boolean;
  /** Whether the server may announce its maintenance: Redis alone does, and the client wants variables for it. */
  maintNotifications: "disabled";
  socket: {
    connectTimeout: number;
    /** Milliseconds until the next attempt. */
    reconnectStrategy: (retries: number) => number;
  };
}

/** A client of Redis or Valkey. */
export interface Client {
  on(event: "ready", listener: () => void): this;
  on(event: "error", listener: (error: Error) => void): this;
  connect(): Promise<unknown>;
  scriptLoad(script: string): Promise<string>;
  evalSha(sha: string, options: { keys: string[]; arguments: string[] }): Promise<unknown>;
  destroy(): void;
  close(): Promise<void>;
}

/** Makes a client, which connects when it is told to. */
export function createClient(options: ClientOptions): Client;
