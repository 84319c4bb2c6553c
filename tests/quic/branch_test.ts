import assert from "node:assert/strict";
import { CLOSE_CODE } from "../../src/base/wire_codes.ts";
import {
  type Branch,
  CONNECTION_ID_BYTES,
  type QuicConnection,
  QuicEndpoint,
  type UdpKind,
} from "../../src/quic/mod.ts";
import { makeIdentity } from "../support/quic_identity.ts";
import { EndpointPair, TEST_ALPN } from "../support/quic_pair.ts";
import { patternBytes, readAll } from "../support/quic_streams.ts";

const TICKET = new Uint8Array(CONNECTION_ID_BYTES).fill(7);

function isTicket(sourceId: Uint8Array): boolean {
  return sourceId.length === TICKET.length && sourceId.every((byte, i) => byte === TICKET[i]);
}

Deno.test({
  name: "a client is served by another endpoint from its first datagram on, at the same port",
  ignore: Deno.build.os !== "linux",
  async fn() {
    const branched = Promise.withResolvers<Branch>();
    await using pair = await EndpointPair.open({
      listen: { branchFor: (id) => isTicket(id) ? branched.resolve : undefined },
    });
    const dialling = pair.dial({ sourceId: TICKET });
    const branch = await branched.promise;
    await using other = await QuicEndpoint.bind({
      identity: await makeIdentity("server"),
      branch: branch.socket,
    });
    const accepted = Promise.withResolvers<QuicConnection>();
    other.listen({
      alpns: () => [TEST_ALPN],
      verify: () => {},
      onConnection: accepted.resolve,
    });
    other.takeBranch(branch);
    const near = await dialling;
    const far = await accepted.promise;
    assert.equal(near.remoteAddress.port, pair.server.localAddress.port);
    assert.deepEqual(far.remoteAddress, { ...pair.client.localAddress, host: "127.0.0.1" });
    assert.equal(pair.server.connectionCount, 0);
    // Bytes flow, and another client still reaches the first endpoint.
    const bytes = patternBytes(1 << 20);
    const stream = await near.openUni();
    void stream.write(bytes).then(() => stream.finish());
    const [arrived] = [await far.incomingUni[Symbol.asyncIterator]().next()];
    assert.deepEqual(await readAll(arrived.value!), bytes);
    await using stranger = await QuicEndpoint.bind({ identity: await makeIdentity("client") });
    const plain = await stranger.connect(
      { host: "127.0.0.1", port: pair.server.localAddress.port },
      { alpn: TEST_ALPN, verify: () => {} },
    );
    await pair.accept();
    assert.equal(pair.server.connectionCount, 1);
    await plain.close(CLOSE_CODE.normal);
    await near.close(CLOSE_CODE.normal);
  },
});

for (const udp of (Deno.build.os === "linux" ? ["linux", "dgram"] : ["dgram"]) as UdpKind[]) {
  Deno.test(`a client is served where it knocked if nobody takes it [${udp}]`, async () => {
    const asked: number[] = [];
    await using pair = await EndpointPair.open({
      server: { udp },
      listen: {
        branchFor: (id) => {
          asked.push(id.length);
          // Where a socket can't be branched off, whoever would take it never hears of it.
          return udp === "dgram" ? () => assert.fail() : undefined;
        },
      },
    });
    const { near, far } = await pair.connect();
    assert.deepEqual(asked, [CONNECTION_ID_BYTES]);
    assert.equal(far.isClosed, false);
    await near.close(CLOSE_CODE.normal);
  });
}
