import assert from "node:assert/strict";
import { KeepAlive } from "../../../src/sync/link/keep_alive.ts";

/** A link to a peer that answers as long as it is told to. */
class FakeLink {
  answers = true;
  pings = 0;
  readonly ended = Promise.withResolvers<Error | undefined>();

  ping(): Promise<number> {
    this.pings++;
    return this.answers ? Promise.resolve(1) : new Promise(() => {});
  }

  close(_code?: number, error?: Error): Promise<void> {
    this.ended.resolve(error);
    return Promise.resolve();
  }
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 1));
}

Deno.test("KeepAlive asks again and again while the peer answers", async () => {
  const link = new FakeLink();
  using _alive = new KeepAlive(link, { intervalMs: 1 });
  await until(() => link.pings >= 10);
  assert.equal(await Promise.race([link.ended.promise, Promise.resolve("open")]), "open");
});

Deno.test("KeepAlive ends the link after two questions without an answer", async () => {
  const link = new FakeLink();
  using _alive = new KeepAlive(link, { intervalMs: 2 });
  await until(() => link.pings >= 1);
  link.answers = false;
  const before = link.pings;
  const error = await link.ended.promise;
  assert.equal((error as { code?: string }).code, "peer_unreachable");
  assert.equal(link.pings - before, 2);
});

Deno.test("KeepAlive.probe() ends the link when the peer is silent, and does nothing else", async () => {
  const link = new FakeLink();
  using alive = new KeepAlive(link, { intervalMs: 60_000, probeMs: 5 });
  alive.probe();
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.equal(await Promise.race([link.ended.promise, Promise.resolve("open")]), "open");
  link.answers = false;
  alive.probe();
  alive.probe();
  assert.ok(await link.ended.promise instanceof Error);
  assert.equal(link.pings, 2);
});
