import assert from "node:assert/strict";
import { closeWords } from "../../src/quic/close_codes.ts";
import { ConnectionLost } from "../../src/quic/errors.ts";

Deno.test("closeWords() keeps application, QUIC and TLS codes apart", () => {
  assert.equal(closeWords(true, 1), "handshake refused");
  assert.equal(closeWords(false, 1), "internal error");
  assert.equal(closeWords(false, 372), "peer sent no certificate");
  assert.equal(closeWords(false, 376), "no common protocol");
  assert.equal(closeWords(false, 256 + 99), "TLS alert 99");
  assert.equal(closeWords(false, 0x7777), "QUIC error 30583");
  assert.equal(closeWords(true, 99), "unknown application code 99");
});

Deno.test("ConnectionLost tells the user who ended it and what to make of it", () => {
  const lost = (by: "peer" | "timeout" | "local", isApplication: boolean, code: number) =>
    new ConnectionLost(
      { by, isApplication, code, reason: "", words: closeWords(isApplication, code) },
      "192.0.2.1:443",
    );
  assert.equal(lost("timeout", false, 0).code, "peer_unreachable");
  assert.equal(lost("peer", true, 1).code, "peer_untrusted");
  assert.equal(lost("peer", true, 2).code, "peer_unreachable");
  assert.equal(lost("peer", true, 3).code, "protocol");
  assert.equal(lost("peer", false, 372).code, "peer_untrusted");
  assert.equal(lost("peer", false, 376).code, "protocol");
  assert.match(lost("peer", true, 1).message, /192\.0\.2\.1:443.*handshake refused/);
});
