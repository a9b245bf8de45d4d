/**
 * What `udp_test.ts` runs in a network of its own, where this machine has a public address: a client asks the proxy, by
 * TCP and by UDP, for a server at that address. Exits with 0 where nothing arrives.
 *
 *     own_address.ts ADDRESS COMMAND…
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import process from "node:process";
import { request, SOCKS5_GREETING, socks5Request } from "./exchanges.ts";
import { Origin } from "../support/origin.ts";
import { ProxyProcess } from "../support/proxy.ts";

const [address, ...command] = process.argv.slice(2);
const flags = ["--deny-private", "--log-level", "debug"];
await using proxy = await ProxyProcess.start({ name: "inside", command, lacks: {} }, flags);
await using origin = await Origin.listen(undefined, { host: address });
const server = createSocket("udp4");
server.bind(0, address);
await once(server, "listening");
const heard: string[] = [];
server.on("message", (bytes) => heard.push(String(bytes)));

using web = await proxy.connect();
await web.send(request("GET", `http://${origin.authority}/`));
const { status } = await web.message();

using client = await proxy.connect();
await client.send(Buffer.concat([SOCKS5_GREETING, socks5Request("0.0.0.0", 0, 3)]));
const relay = (await client.read(12)).readUInt16BE(10);
const datagram = Buffer.concat([socks5Request(address, server.address().port), Buffer.from("secret")]);
datagram.fill(0, 0, 3);
const socket = createSocket("udp4");
await new Promise((resolve) => socket.send(datagram, relay, "127.0.0.1", resolve));
await Promise.race([proxy.said(/Dropping datagrams to/), once(server, "message")]);
client.end();
const { fault } = await proxy.record(`${address}:${server.address().port}`, client);
socket.close();
server.close();
console.log(JSON.stringify({ status, fault, heard }));
