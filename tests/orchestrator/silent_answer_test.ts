/** A trusted peer that says Hello, takes whatever comes, and never answers; over QUIC on loopback. */
import assert from "node:assert/strict";
import { systemClock } from "../../src/base/clock.ts";
import { silentLogger } from "../../src/base/log.ts";
import { reportPeer } from "../../src/orchestrator/diagnose/mod.ts";
import { runBench } from "../../src/orchestrator/mod.ts";
import { ALPN_SYNC } from "../../src/protocol/mod.ts";
import { PeerLink } from "../../src/sync/mod.ts";
import { LOOPBACK, OrchestratedDevice } from "../support/orchestrated_device.ts";
import { temporaryFolder } from "../support/tree.ts";

const { signal } = new AbortController();
const GIVEN_UP = { code: "timed_out", message: /^"b" is there, but has not answered/, hint: /"b"/ };

/** A device, and its peer b that only listens. */
async function setUp() {
  const stack = new AsyncDisposableStack();
  const { path } = stack.use(temporaryFolder());
  const a = stack.use(await OrchestratedDevice.open(path, "a"));
  const b = stack.use(await OrchestratedDevice.open(path, "b"));
  const endpoint = await b.orchestrator.initializeQuicTransport({ host: LOOPBACK, port: 0 });
  await b.trust(a, "a");
  await a.trust(b, "b", `${LOOPBACK}:${endpoint.localAddress.port}`);
  const handler = {
    handleMessage() {},
    handleRequest: () => new Promise<void>(() => {}),
  };
  endpoint.listen({
    alpns: () => [ALPN_SYNC],
    verify: (peer) => void b.orchestrator.verify(peer),
    onConnection: (connection) => {
      const { hello } = b.orchestrator;
      PeerLink.begin(connection, { hello, handler, clock: systemClock, logger: silentLogger })
        .catch(() => {});
    },
  });
  const address = { host: LOOPBACK, port: endpoint.localAddress.port };
  const entry = a.orchestrator.trust.resolve("b");
  return { a: a.orchestrator, entry, address, stack };
}

Deno.test("status PEER gives up a peer that does not say what it offers", async () => {
  const { a, entry, address, stack } = await setUp();
  await using _ = stack;
  await assert.rejects(reportPeer(a, entry, { address, signal, answerMs: 100 }), GIVEN_UP);
});

Deno.test("bench gives up a peer that measures nothing", async () => {
  const { a, entry, address, stack } = await setUp();
  await using _ = stack;
  const reach = { address, signal, retries: 0, waitMs: 0 };
  await assert.rejects(runBench(a, entry, { ...reach, durationMs: 100, answerMs: 200 }), GIVEN_UP);
});
