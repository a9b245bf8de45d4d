import { assertEquals } from "@std/assert";
import { Fault, toFault } from "../../src/faults.ts";
import { ByteBuffer } from "../../src/streams/byte_buffer.ts";
import type { Refusal } from "../../src/protocols/common/handshake.ts";
import { HttpHandshake } from "../../src/protocols/http1/handshake.ts";
import { HANDSHAKE_OPTIONS } from "../support/http1.ts";
import { bytes } from "../support/virtual_network.ts";
import { settingsWith } from "../support/settings.ts";

const TOKEN = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFG";

function handshake(): HttpHandshake {
  return new HttpHandshake({
    ...HANDSHAKE_OPTIONS,
    credentialsRequired: true,
    scheme: "Bearer",
    settings: settingsWith({ disguised: true }),
  });
}

function text({ bytes }: Refusal): string {
  return String.fromCharCode(...bytes);
}

/** What a stranger gets who asks this, and whose credentials are wrong. */
function answer(request: string, fault = new Fault("proxy_authentication_required")): Refusal {
  const codec = handshake();
  try {
    codec.read(ByteBuffer.of(bytes(request)));
  } catch (error) {
    return codec.refused(toFault(error, "client"));
  }
  return codec.refused(fault);
}

/** A CONNECT, with more fields. */
function connect(...fields: string[]): string {
  return ["CONNECT a.test:443 HTTP/1.1", "Host: a.test:443", ...fields, "", ""].join("\r\n");
}

Deno.test("strangers: who asks for a page gets the 404 of a web server, and the same for a wrong token", () => {
  const heads = [
    "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET http://a.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n",
    `GET http://a.test/ HTTP/1.1\r\nHost: a.test\r\nProxy-Authorization: Bearer ${TOKEN}\r\n\r\n`,
  ];
  const answers = heads.map((head) => text(answer(head)));
  assertEquals(new Set(answers).size, 1);
  assertEquals(answers[0].split("\r\n")[0], "HTTP/1.1 404 Not Found");
  assertEquals(/proxy|via|sluice|test|7-1/i.test(answers[0]), false, answers[0]);
});

Deno.test("strangers: CONNECT is 400 and the end, as on a web server that cannot read it", () => {
  const nonsense = answer("hello\r\n\r\n");
  assertEquals(text(nonsense).split("\r\n")[0], "HTTP/1.1 400 Bad Request");
  assertEquals(/\r\nConnection: close\r\n/.test(text(nonsense)), true);
  const heads = [
    connect(),
    connect(`Proxy-Authorization: Bearer ${TOKEN}`),
    connect("Proxy-Authorization: Basic YTpi"),
    `${connect()}early bytes`,
    connect("Connection: close"),
    "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
  ];
  for (const head of heads) assertEquals(answer(head), nonsense, head);
});

Deno.test("strangers: HEAD has no body, and what is no request is 400", () => {
  const [head, body] = text(answer("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n")).split("\r\n\r\n");
  assertEquals([head.split("\r\n")[0], body], ["HTTP/1.1 404 Not Found", ""]);
  for (const nonsense of ["\x05\x01\x00\r\n\r\n", "GET\r\n\r\n", "GET / HTTP/1.1\r\n\r\n"]) {
    assertEquals(
      text(answer(nonsense)).split("\r\n")[0],
      "HTTP/1.1 400 Bad Request",
      JSON.stringify(nonsense),
    );
  }
});

Deno.test("strangers: who does not finish a head is hung up on, as by a web server", () => {
  assertEquals(answer("GET / HT", new Fault("client_timeout")).bytes.length, 0);
});

Deno.test("strangers: who was let in is told what is wrong", () => {
  const codec = handshake();
  const head =
    `CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\nProxy-Authorization: Bearer ${TOKEN}\r\n\r\n`;
  const buffer = ByteBuffer.of(bytes(head));
  const event = codec.read(buffer);
  assertEquals(event?.type === "credentials" && event.credentials, { user: "", password: TOKEN });
  codec.accepted();
  assertEquals(codec.read(buffer)?.type, "request");
  const refused = text(codec.refused(new Fault("connection_refused")));
  assertEquals(refused.includes("Proxy-Status: test; error=connection_refused"), true, refused);
});
