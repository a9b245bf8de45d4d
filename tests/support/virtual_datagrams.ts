/**
 * Datagrams in memory, for one machine that has every address.
 *
 * @module
 */

import { formatAuthority } from "../../src/addresses/host.ts";
import type { DatagramOptions, DatagramSocket, TcpAddress } from "../../src/runtime/contract.ts";

/** A network that loses no datagram to an open socket. */
export class VirtualDatagrams {
  readonly #sockets = new Map<string, DatagramOptions>();
  #ports = 40_000;

  /** How many sockets are open. */
  get open(): number {
    return this.#sockets.size;
  }

  /** See `Runtime.openDatagrams`. Port 0 gives the next from 40001. */
  // deno-lint-ignore require-await -- errors are rejections
  async bind(options: DatagramOptions): Promise<DatagramSocket> {
    const { host, port } = options.address;
    const address = { host, port: port || ++this.#ports };
    const key = formatAuthority(address);
    if (this.#sockets.has(key)) throw new Error(`The address is in use: ${key}`);
    this.#sockets.set(key, options);
    // A socket bound to all addresses sends from one of them.
    const source = {
      host: { "0.0.0.0": "192.0.2.1", "::": "2001:db8::1" }[host] ?? host,
      port: address.port,
    };
    return {
      address,
      send: (bytes, to) => {
        const copy = bytes.slice();
        if (this.#sockets.get(key) === options) {
          queueMicrotask(() => this.#receiver(to)?.onDatagram(copy, source));
        }
      },
      close: () => {
        if (this.#sockets.get(key) === options) this.#sockets.delete(key);
      },
    };
  }

  #receiver({ host, port }: TcpAddress): DatagramOptions | undefined {
    const any = host.includes(":") ? "::" : "0.0.0.0";
    return this.#sockets.get(formatAuthority({ host, port })) ??
      this.#sockets.get(formatAuthority({ host: any, port }));
  }
}

/** A socket on the network that keeps what it receives. */
export interface VirtualHost extends DatagramSocket {
  /** The datagrams that came, as `FROM TEXT`. */
  readonly heard: string[];
}

/** Opens a socket that keeps the datagrams that come. With a function for answers, it answers them. */
export async function virtualHost(
  network: VirtualDatagrams,
  address: TcpAddress,
  answer?: (bytes: Uint8Array) => Uint8Array,
): Promise<VirtualHost> {
  const heard: string[] = [];
  const socket = await network.bind({
    address,
    onDatagram: (bytes, from) => {
      heard.push(`${formatAuthority(from)} ${String.fromCharCode(...bytes)}`);
      if (answer) socket.send(answer(bytes), from);
    },
  });
  return { ...socket, heard };
}
