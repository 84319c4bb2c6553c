import assert from "node:assert/strict";
import { datagramBytesFor, LOOPBACK_DATAGRAM_BYTES } from "../../src/quic/path_size.ts";
import { FakeSocket } from "../support/quic_fake_socket.ts";

const FAR = "192.0.2.1";

Deno.test("datagramBytesFor() takes what the path carries, within what the core writes", () => {
  const cases: [number | undefined, number][] = [
    [1472, 1472], // Ethernet, IPv4
    [1452, 1452], // Ethernet, IPv6
    [8972, 8972], // jumbo frames
    [65_508, LOOPBACK_DATAGRAM_BYTES], // another address of this machine
    [1280 - 48, 1232], // the smallest link of IPv6
    [548, 1200], // too narrow for QUIC: the handshake will tell
    [undefined, 1350],
  ];
  for (const [pathBytes, expected] of cases) {
    const socket = new FakeSocket();
    socket.pathPayloadBytes = () => pathBytes;
    assert.equal(datagramBytesFor(socket, { host: FAR, port: 1 }), expected, `${pathBytes}`);
  }
  for (const host of ["127.0.0.1", "::1", "127.9.9.9"]) {
    const bytes = datagramBytesFor(new FakeSocket(), { host, port: 1 });
    assert.equal(bytes, LOOPBACK_DATAGRAM_BYTES);
  }
});
