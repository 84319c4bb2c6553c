import assert from "node:assert/strict";
import { MemoryNetwork, NullDiscovery, type PeerHint } from "../../src/discovery/mod.ts";

async function all(hints: AsyncIterable<PeerHint>): Promise<PeerHint[]> {
  const found: PeerHint[] = [];
  for await (const hint of hints) found.push(hint);
  return found;
}

Deno.test("MemoryNetwork members find what others announce, before and after they look", async () => {
  const network = new MemoryNetwork();
  await using desk = network.join("192.0.2.1");
  await using laptop = network.join("192.0.2.2");
  await using _announced = await desk.announce({ idPrefix: "abcdefgh", port: 7 });
  const found: PeerHint[] = [];
  for await (const hint of laptop.discover({ timeoutMs: 10_000 })) {
    found.push(hint);
    if (found.length === 2) break;
    await laptop.announce({ idPrefix: "XXXXXXXX", port: 8, slot: 42 });
  }
  assert.deepEqual(found.map(({ idPrefix, slot }) => [idPrefix, slot]), [
    ["ABCDEFGH", undefined],
    ["XXXXXXXX", 42],
  ]);
  assert.deepEqual(found[0]!.addresses, [{ host: "192.0.2.1", port: 7 }]);
  assert.equal((await all(laptop.discover({ timeoutMs: 0, slot: 42 }))).length, 1);
  assert.equal((await all(laptop.discover({ timeoutMs: 0, idPrefix: "abcdefgh" }))).length, 1);
});

Deno.test("MemoryNetwork forgets an announcement that is disposed", async () => {
  const network = new MemoryNetwork();
  await using desk = network.join("192.0.2.1");
  const handle = await desk.announce({ idPrefix: "ABCDEFGH", port: 7 });
  await handle[Symbol.asyncDispose]();
  assert.deepEqual(await all(desk.discover({ timeoutMs: 0 })), []);
});

Deno.test("MemoryNetwork carries false claims too, for tests of who believes them", async () => {
  const network = new MemoryNetwork();
  const takeBack = network.add({
    idPrefix: "ABCDEFGH",
    addresses: [{ host: "192.0.2.66", port: 1 }],
  });
  await using laptop = network.join("192.0.2.2");
  assert.equal((await all(laptop.discover({ timeoutMs: 0 }))).length, 1);
  takeBack();
  assert.equal((await all(laptop.discover({ timeoutMs: 0 }))).length, 0);
});

Deno.test("discover() ends with the signal's reason, with its discovery, and at its timeout", async () => {
  const network = new MemoryNetwork();
  const laptop = network.join("192.0.2.2");
  const reason = new Error("stopped");
  await assert.rejects(
    all(laptop.discover({ timeoutMs: Infinity, signal: AbortSignal.abort(reason) })),
    reason,
  );
  const controller = new AbortController();
  const searching = all(laptop.discover({ timeoutMs: Infinity, signal: controller.signal }));
  queueMicrotask(() => controller.abort(reason));
  await assert.rejects(searching, reason);
  assert.deepEqual(await all(laptop.discover({ timeoutMs: 1 })), []);
  const endless = all(laptop.discover({ timeoutMs: Infinity }));
  queueMicrotask(() => void laptop[Symbol.asyncDispose]());
  assert.deepEqual(await endless, []);
});

Deno.test("announce() refuses values out of range", async () => {
  const discovery = new MemoryNetwork().join("192.0.2.1");
  const bad = [
    { idPrefix: "ABCDEFG", port: 1 },
    { idPrefix: "ABCDEFG1", port: 1 },
    { idPrefix: "ABCDEFGH", port: 0 },
    { idPrefix: "ABCDEFGH", port: 65536 },
    { idPrefix: "ABCDEFGH", port: 1, slot: 0 },
    { idPrefix: "ABCDEFGH", port: 1, slot: 1.5 },
  ];
  for (const service of bad) {
    for (const each of [discovery, new NullDiscovery()]) {
      await assert.rejects(async () => await each.announce(service), RangeError);
    }
  }
});

Deno.test("NullDiscovery tells nobody and ends a search at once", async () => {
  await using discovery = new NullDiscovery();
  await using _announced = await discovery.announce({ idPrefix: "ABCDEFGH", port: 1 });
  assert.deepEqual(await all(discovery.discover()), []);
});
