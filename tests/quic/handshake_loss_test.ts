import assert from "node:assert/strict";
import { patternBytes, readAll } from "../support/quic_streams.ts";
import { EndpointPair, TEST_ALPN } from "../support/quic_pair.ts";
import { UdpRelay } from "../support/udp_relay.ts";

/** Datagrams of each side that a handshake and the first bytes behind it take. */
const DATAGRAMS = 3;

/** Connects and moves some bytes, with one datagram lost on the way. */
async function connectWithout(from: "client" | "server", nth: number): Promise<void> {
  await using pair = await EndpointPair.open();
  await using relay = await UdpRelay.open(pair.server.localAddress.port);
  relay.lose(from, nth);
  const near = await pair.client.connect(
    { host: "127.0.0.1", port: relay.port },
    { alpn: TEST_ALPN, verify: () => {} },
  );
  const far = await pair.accept();
  const sent = patternBytes(5000);
  const stream = await near.openUni();
  await stream.write(sent);
  await stream.finish();
  const { value: incoming } = await far.incomingUni.next();
  assert.deepEqual(await readAll(incoming), sent);
}

Deno.test("a handshake survives the loss of any one of its datagrams", async () => {
  const sides = ["client", "server"] as const;
  await Promise.all(
    sides.flatMap((from) =>
      Array.from({ length: DATAGRAMS }, (_, nth) => connectWithout(from, nth))
    ),
  );
});
