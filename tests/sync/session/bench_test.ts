import assert from "node:assert/strict";
import { systemClock } from "../../../src/base/clock.ts";
import { silentLogger } from "../../../src/base/log.ts";
import { measureThroughput, PeerLink } from "../../../src/sync/mod.ts";
import { memoryTransportPair } from "../../support/memory_transport.ts";
import { serveEnd } from "../../support/served_end.ts";
import { testDevice } from "../../support/test_device.ts";
import { testHello } from "../../support/test_hello.ts";
import { temporaryFolder } from "../../support/tree.ts";

const common = { hello: testHello(), clock: systemClock, logger: silentLogger };

async function connect() {
  const folder = temporaryFolder();
  const [a, b] = ["A", "B"].map((name) => testDevice(`${folder.path}/${name}`, name));
  const [near, far] = memoryTransportPair();
  const responder = await serveEnd(far, { device: b!, peer: a! });
  const handler = { handleMessage() {}, handleRequest: () => Promise.resolve() };
  const link = await PeerLink.begin(near, { handler, ...common });
  const stack = new AsyncDisposableStack();
  stack.use(folder);
  stack.use(responder);
  stack.use(link);
  return { link, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

for (const direction of ["upload", "download"] as const) {
  Deno.test(`measureThroughput() counts what goes through by ${direction}`, async () => {
    await using scene = await connect();
    const startMs = performance.now();
    const how = { durationMs: 50, clock: systemClock };
    const { bytes, seconds, rate } = await measureThroughput(scene.link, direction, how);
    assert.ok(bytes > 0 && bytes % (256 * 1024) === 0);
    assert.ok(seconds > 0 && seconds <= (performance.now() - startMs) / 1000);
    assert.equal(Math.round(rate), Math.round(bytes / seconds));
  });
}

Deno.test("a peer measures once at a time, and says that it is busy", async () => {
  await using scene = await connect();
  const how = { durationMs: 100, clock: systemClock };
  const results = await Promise.allSettled(
    ["download", "download"].map((direction) =>
      measureThroughput(scene.link, direction as "download", how)
    ),
  );
  assert.deepEqual(results.map(({ status }) => status).sort(), ["fulfilled", "rejected"]);
  // The next one is served again.
  await measureThroughput(scene.link, "upload", { ...how, durationMs: 1 });
});
