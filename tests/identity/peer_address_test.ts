import assert from "node:assert/strict";
import { formatPeerAddress, parsePeerAddress } from "../../src/identity/peer_address.ts";
import { refused } from "./trust_fixture.ts";

Deno.test("parsePeerAddress() reads host names, IPv4, IPv6 and zones, and formatPeerAddress() writes them", () => {
  for (
    const [text, host, port] of [
      ["192.168.1.4:9876", "192.168.1.4", 9876],
      ["attic.local:1", "attic.local", 1],
      ["[::1]:65535", "::1", 65535],
      ["[fe80::1%eth0]:9876", "fe80::1%eth0", 9876],
      ["[::ffff:10.0.0.1]:80", "::ffff:10.0.0.1", 80],
    ] as const
  ) {
    assert.deepEqual(parsePeerAddress(text), { host, port });
    assert.equal(formatPeerAddress({ host, port }), text);
  }
});

Deno.test("parsePeerAddress() refuses everything else", () => {
  for (
    const text of [
      "",
      "host",
      ":9876",
      "host:",
      "host:0",
      "host:65536",
      "host:99999",
      "host:9876x",
      "::1:9876",
      "[::1]",
      "[::1%a b]:1",
      "ho st:1",
      "host:1\n",
      "\u202ehost:1",
      "host:-1",
      "a".repeat(300) + ":1",
    ]
  ) assert.throws(() => parsePeerAddress(text), refused("address_invalid"), text);
});
