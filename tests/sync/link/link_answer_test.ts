/** Answers that are called off, over QUIC on loopback. */
import assert from "node:assert/strict";
import { systemClock } from "../../../src/base/clock.ts";
import { silentLogger } from "../../../src/base/log.ts";
import { FEATURE_GROUPS } from "../../../src/protocol/mod.ts";
import { type LinkHandler, PeerLink } from "../../../src/sync/link/peer_link.ts";
import { EndpointPair } from "../../support/quic_pair.ts";
import { testHello } from "../../support/test_hello.ts";

const MIB = 1024 * 1024;
/** Of a stream, and of four of them, to get to the end of it soon. */
const WINDOW_BYTES = 1 * MIB;
const PROFILE = {
  streamWindowBytes: WINDOW_BYTES,
  connectionWindowBytes: 4 * WINDOW_BYTES,
  connectionWindowBytesMax: 4 * WINDOW_BYTES,
};

Deno.test("answers called off at full speed leave the connection as it was, whatever was on its way", async () => {
  await using pair = await EndpointPair.open({
    client: { profile: PROFILE },
    server: { profile: PROFILE },
  });
  const { near, far } = await pair.connect();
  const server: LinkHandler = {
    handleMessage() {},
    async handleRequest(_request, { send }) {
      const piece = new Uint8Array(256 * 1024);
      for (;;) await send.write(piece);
    },
  };
  const common = {
    hello: testHello(FEATURE_GROUPS),
    clock: systemClock,
    logger: silentLogger,
  };
  const client: LinkHandler = { handleMessage() {}, handleRequest: () => Promise.resolve() };
  const [link, other] = await Promise.all([
    PeerLink.open(near, { ...common, handler: client }),
    PeerLink.open(far, { ...common, handler: server }),
  ]);
  const buffer = new Uint8Array(256 * 1024);
  for (let i = 0; i < 12; i++) {
    const answer = await link.ask({ kind: "get-dirs", session: 1, dirs: [] }, 1);
    let bytes = 0;
    while (bytes < WINDOW_BYTES / 2) {
      bytes += await answer.read(buffer) ?? assert.fail("it has no end");
    }
    // As much on its way as the windows let through.
    for (let before = -1; before < near.stats().receivedBytes;) {
      before = near.stats().receivedBytes;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    answer.stop(0x10);
    while (other.serving > 0) await new Promise((resolve) => setTimeout(resolve, 1));
  }
  assert.ok(
    near.stats().receivedBytes > 8 * WINDOW_BYTES,
    "more than leaving it unread would allow",
  );
  await link.close();
});
