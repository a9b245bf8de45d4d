/**
 * The table of client protocols. To add one: a file with its codec and its row, and a line here.
 *
 * @module
 */

import { HTTP } from "./http1/handshake.ts";
import { LINE } from "./line/line.ts";
import { SOCKS4 } from "./socks/socks4.ts";
import { SOCKS5 } from "./socks/socks5.ts";

/** In the order in which messages list them. */
export const CLIENT_PROTOCOLS = [
  HTTP,
  SOCKS4,
  SOCKS5,
  LINE,
] as const;

/** Any of the rows. */
export type ClientProtocolRow = typeof CLIENT_PROTOCOLS[number];

/** The name of any of them. */
export type ClientProtocolName = ClientProtocolRow["name"];
