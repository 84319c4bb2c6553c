import assert from "node:assert/strict";
import { CLOSE_CODE } from "../../src/base/wire_codes.ts";
import type { ClosedBy } from "../../src/quic/close_codes.ts";
import { ConnectionLost } from "../../src/quic/errors.ts";

for (
  const [by, isApplication, code, expected] of [
    // A server that stops, or has too many connections of a device whose runs were killed.
    ["peer", true, CLOSE_CODE.normal, "peer_unreachable"],
    ["local", true, CLOSE_CODE.normal, "failed"],
    ["peer", true, CLOSE_CODE.handshakeRefused, "peer_untrusted"],
    ["peer", true, CLOSE_CODE.handshakeTimeout, "peer_unreachable"],
    ["peer", true, CLOSE_CODE.protocolError, "protocol"],
    ["timeout", false, 0, "peer_unreachable"],
    ["peer", false, 0x02, "peer_unreachable"],
    ["transport", false, 0x100 + 42, "peer_untrusted"],
    ["transport", false, 0x100 + 40, "protocol"],
  ] as [ClosedBy, boolean, number, string][]
) {
  const kind = isApplication ? "application" : "QUIC";
  Deno.test(`ConnectionLost by ${by} with ${kind} code ${code} is ${expected}`, () => {
    const info = { by, isApplication, code, reason: "", words: "" };
    assert.equal(new ConnectionLost(info, "127.0.0.1:1").code, expected);
  });
}
