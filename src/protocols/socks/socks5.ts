/**
 * SOCKS5 as a client speaks it (RFC 1928), with user names and passwords (RFC 1929).
 *
 * CONNECT and UDP ASSOCIATE are served; BIND is not. GSSAPI is not spoken, though RFC 1928 section 3 demands
 * it: no common client depends on it.
 *
 * Each message is read in the stage in which it may come and in no other, so that a request that skips
 * authentication is not taken for a request (sing-box, CVE-2023-43644).
 *
 * @module
 */

import { Fault, malformed } from "../../faults.ts";
import type { Address } from "../../runtime/contract.ts";
import type { ByteBuffer } from "../../streams/byte_buffer.ts";
import type { ClientProtocol } from "../common/client_protocol.ts";
import type {
  Credentials,
  Handshake,
  HandshakeEvent,
  HandshakeOptions,
  Refusal,
} from "../common/handshake.ts";
import { readAddress, writeAddress } from "./socks5_address.ts";

const VER = 0x05;

/** RFC 1929 section 2: the version of the subnegotiation, not of SOCKS. */
const SUBNEGOTIATION_VER = 0x01;

/** RFC 1928 section 3. */
const METHOD = {
  NO_AUTHENTICATION_REQUIRED: 0x00,
  USERNAME_PASSWORD: 0x02,
  NO_ACCEPTABLE_METHODS: 0xFF,
} as const;

/** RFC 1929 section 2: any value but 0 is a failure. */
const STATUS = { SUCCESS: 0x00, FAILURE: 0x01 } as const;

/** RFC 1928 section 4. */
const CMD = { CONNECT: 0x01, UDP_ASSOCIATE: 0x03 } as const;

/**
 * RFC 1928 section 6. The replies to other faults are in `FAULTS`; the one to an unknown address type is in
 * `readAddress`.
 */
const REP = { SUCCEEDED: 0x00, COMMAND_NOT_SUPPORTED: 0x07 } as const;

const RSV = 0x00;

/** What the handshake waits for. The stages come in this order. */
type Stage =
  /** The greeting. */
  | "greeting"
  /** The end: the greeting offered no suitable method. */
  | "mismatched"
  /** User name and password. */
  | "identifying"
  /** `accepted()`. No byte is read before it. */
  | "judging"
  /** The request. */
  | "requesting"
  /** `established()` or `refused()`. */
  | "answering";

/** One SOCKS5 handshake: greeting, authentication if it is required, request. */
export class Socks5Handshake implements Handshake<"socks5"> {
  /** See `Handshake`. */
  readonly protocol = "socks5";
  readonly #credentialsRequired: boolean;
  #stage: Stage = "greeting";

  /** One object serves one request. */
  constructor({ credentialsRequired }: HandshakeOptions) {
    this.#credentialsRequired = credentialsRequired;
  }

  /** See `Handshake`. */
  read(buffer: ByteBuffer): HandshakeEvent | undefined {
    switch (this.#stage) {
      case "greeting":
        return this.#readGreeting(buffer);
      case "identifying":
        return this.#readCredentials(buffer);
      case "requesting":
        return this.#readRequest(buffer);
      case "mismatched":
      case "judging":
      case "answering":
        return undefined;
    }
  }

  /**
   * RFC 1928 section 3.
   *
   * ```
   * +----+----------+----------+          +----+--------+
   * |VER | NMETHODS | METHODS  |    →     |VER | METHOD |
   * +----+----------+----------+          +----+--------+
   * | 1  |    1     | 1 to 255 |          | 1  |   1    |
   * +----+----------+----------+          +----+--------+
   * ```
   */
  #readGreeting(buffer: ByteBuffer): HandshakeEvent | undefined {
    if (buffer.length < 2) return undefined;
    const [ver, nmethods] = buffer.bytes;
    if (ver !== VER) throw malformed(`This is not SOCKS5: the first byte is ${ver}`);
    if (buffer.length < 2 + nmethods) return undefined;
    const methods = buffer.take(2 + nmethods).subarray(2);
    const method = this.#credentialsRequired ? METHOD.USERNAME_PASSWORD : METHOD.NO_AUTHENTICATION_REQUIRED;
    if (!methods.includes(method)) {
      this.#stage = "mismatched";
      throw this.#mismatch(methods);
    }
    this.#stage = this.#credentialsRequired ? "identifying" : "requesting";
    return { type: "reply", bytes: Uint8Array.of(VER, method) };
  }

  #mismatch(methods: Uint8Array): Fault {
    const offered = `The SOCKS5 methods offered are ${methods.join(", ") || "none"}`;
    if (!this.#credentialsRequired) return malformed(`${offered}; 0, no authentication, is spoken here`);
    return new Fault(
      "proxy_authentication_required",
      `${offered}; 2, user name and password, is required here`,
    );
  }

  /**
   * RFC 1929 section 2.
   *
   * ```
   * +----+------+----------+------+----------+          +----+--------+
   * |VER | ULEN |  UNAME   | PLEN |  PASSWD  |    →     |VER | STATUS |
   * +----+------+----------+------+----------+          +----+--------+
   * | 1  |  1   | 1 to 255 |  1   | 1 to 255 |          | 1  |   1    |
   * +----+------+----------+------+----------+          +----+--------+
   * ```
   *
   * Empty strings are let through: they are wrong, or they are right, but that is for others to say.
   */
  #readCredentials(buffer: ByteBuffer): HandshakeEvent | undefined {
    if (buffer.length < 2) return undefined;
    const [ver, ulen] = buffer.bytes;
    if (ver !== SUBNEGOTIATION_VER) {
      throw malformed(`User name and password were expected, not a message of version ${ver}`);
    }
    const plen = buffer.at(2 + ulen);
    if (plen < 0 || buffer.length < 3 + ulen + plen) return undefined;
    const message = buffer.take(3 + ulen + plen);
    this.#stage = "judging";
    return {
      type: "credentials",
      credentials: credentialsIn(message.subarray(2, 2 + ulen), message.subarray(3 + ulen)),
    };
  }

  /** RFC 1929 section 2: the status that lets the request through. */
  accepted(): Uint8Array {
    if (this.#stage !== "judging") throw new Error(`Cannot accept credentials while ${this.#stage}`);
    this.#stage = "requesting";
    return Uint8Array.of(SUBNEGOTIATION_VER, STATUS.SUCCESS);
  }

  /**
   * RFC 1928 sections 4 and 5.
   *
   * ```
   * +----+-----+-------+------+----------+----------+
   * |VER | CMD |  RSV  | ATYP | DST.ADDR | DST.PORT |
   * +----+-----+-------+------+----------+----------+
   * | 1  |  1  | X'00' |  1   | Variable |    2     |
   * +----+-----+-------+------+----------+----------+
   * ```
   */
  #readRequest(buffer: ByteBuffer): HandshakeEvent | undefined {
    if (buffer.length < 4) return undefined;
    const [ver, cmd, rsv] = buffer.bytes;
    if (ver !== VER) throw malformed(`A SOCKS5 request was expected, not a message of version ${ver}`);
    if (cmd !== CMD.CONNECT && cmd !== CMD.UDP_ASSOCIATE) {
      throw malformed(`The SOCKS5 command ${cmd} is not served; 1, CONNECT, and 3, UDP ASSOCIATE, are`, {
        socks5: REP.COMMAND_NOT_SUPPORTED,
      });
    }
    if (rsv !== RSV) throw malformed(`The reserved octet of the SOCKS5 request is ${rsv}, not 0`);
    const read = readAddress(buffer.bytes);
    if (!read) return undefined;
    const { address: target, end } = read;
    const kind = cmd === CMD.CONNECT ? "tunnel" : "association";
    // Nothing listens on port 0. The request is wrong and no rule refused it, so the reply is a general failure, not 2.
    // A client that does not know yet where its datagrams will come from sends 0 (section 4).
    if (kind === "tunnel" && target.port === 0) {
      throw malformed("The port is 0; a target has one from 1 to 65535");
    }
    buffer.skip(end);
    this.#stage = "answering";
    return { type: "request", request: { kind, target } };
  }

  /** RFC 1928 section 6: succeeded. */
  established({ local }: { readonly local: Address }): Uint8Array {
    return reply(REP.SUCCEEDED, local);
  }

  /** Each stage has its own refusal. There is none for half a greeting, or for bytes that are not a greeting. */
  refused(fault: Fault): Refusal {
    return { bytes: this.#refusal(fault), retryable: false };
  }

  #refusal(fault: Fault): Uint8Array {
    switch (this.#stage) {
      case "greeting":
        return new Uint8Array(0);
      case "mismatched":
        return Uint8Array.of(VER, METHOD.NO_ACCEPTABLE_METHODS);
      case "identifying":
      case "judging":
        return Uint8Array.of(SUBNEGOTIATION_VER, STATUS.FAILURE);
      case "requesting":
      case "answering":
        return reply(fault.socks5);
    }
  }
}

/** SOCKS5. */
export const SOCKS5: ClientProtocol<"socks5", "socks5" | "udp"> = {
  name: "socks5",
  begins: (first) => first === VER,
  detected: true,
  persistent: false,
  Handshake: Socks5Handshake,
  ruleWords: { tunnel: "socks5", association: "udp" },
  established: REP.SUCCEEDED,
  refused: (fault) => fault.socks5,
  urlSchemes: { plain: "socks5", tls: "socks5+tls" },
  browserWords: { plain: "SOCKS5", tls: "SOCKS5" },
};

/**
 * The proxy's users are text, and these are octets without a declared encoding. They are read as UTF-8, as Basic
 * credentials are (RFC 7617 section 2.1), so that a user is the same in every protocol. Trying another encoding, too,
 * would give each password two spellings. So credentials with invalid UTF-8 match no user, and neither do those with
 * control characters (section 2).
 */
function credentialsIn(user: Uint8Array, password: Uint8Array): Credentials | undefined {
  try {
    const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
    const credentials = { user: utf8.decode(user), password: utf8.decode(password) };
    return /\p{Cc}/u.test(credentials.user + credentials.password) ? undefined : credentials;
  } catch {
    return undefined;
  }
}

/** RFC 1928 section 6. A refusal, or a bound Unix socket, has no address: it is sent as 0.0.0.0:0. */
function reply(rep: number, bound?: Address): Uint8Array {
  return writeAddress([VER, rep, RSV], bound && "host" in bound ? bound : { host: "0.0.0.0", port: 0 });
}
