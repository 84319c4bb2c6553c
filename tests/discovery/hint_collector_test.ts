import assert from "node:assert/strict";
import type { PeerHint } from "../../src/discovery/mod.ts";
import {
  ADDRESSES_MAX,
  HintCollector,
  INSTANCES_MAX,
  INSTANCES_PER_SOURCE_MAX,
  UPDATES_MAX,
} from "../../src/discovery/hint_collector.ts";

function hint(instance: string, hosts: string[], more: Partial<PeerHint> = {}): PeerHint {
  const addresses = hosts.map((host) => ({ host, port: 1 }));
  return { instance, idPrefix: "ABCDEFGH", addresses, ...more };
}

const hostsOf = (found: PeerHint | undefined) => found?.addresses.map(({ host }) => host);

Deno.test("HintCollector passes on news alone, with all addresses known so far", () => {
  const collector = new HintCollector({});
  const first = collector.handleHint(hint("a", ["192.0.2.1", "fe80::1%eth0"]), "192.0.2.1");
  assert.deepEqual(hostsOf(first), ["192.0.2.1", "fe80::1%eth0"]);
  assert.equal(collector.handleHint(hint("a", ["192.0.2.1"]), "192.0.2.1"), undefined);
  assert.deepEqual(
    hostsOf(collector.handleHint(hint("a", ["198.51.100.1"]), "198.51.100.1")),
    ["192.0.2.1", "198.51.100.1", "fe80::1%eth0"],
  );
});

Deno.test("HintCollector tells a slot that comes", () => {
  const collector = new HintCollector({});
  collector.handleHint(hint("a", ["192.0.2.1"]), "192.0.2.1");
  assert.equal(collector.handleHint(hint("a", ["192.0.2.1"], { slot: 5 }), "192.0.2.1")?.slot, 5);
});

Deno.test("HintCollector keeps what is wanted, and others take no place", () => {
  const collector = new HintCollector({ idPrefix: "abcdefgh", slot: 7 });
  for (let i = 0; i < 1000; i++) {
    const other = hint(`x${i}`, ["192.0.2.1"], { slot: 8 });
    assert.equal(collector.handleHint(other, `192.0.2.${i}`), undefined);
  }
  const otherId = hint("b", ["192.0.2.1"], { slot: 7, idPrefix: "ABCDEFGX" });
  assert.equal(collector.handleHint(otherId, "192.0.2.1"), undefined);
  assert.ok(collector.handleHint(hint("a", ["192.0.2.1"], { slot: 7 }), "192.0.2.1"));
});

Deno.test("HintCollector bounds announcements, in all and of one sender", () => {
  const collector = new HintCollector({});
  let found = 0;
  for (let i = 0; i < 100; i++) {
    if (collector.handleHint(hint(`one${i}`, ["192.0.2.1"]), "192.0.2.1")) found++;
  }
  assert.equal(found, INSTANCES_PER_SOURCE_MAX);
  for (let i = 0; i < 1000; i++) {
    if (collector.handleHint(hint(`many${i}`, ["192.0.2.1"]), `sender ${i}`)) found++;
  }
  assert.equal(found, INSTANCES_MAX);
});

Deno.test("HintCollector bounds the addresses and the updates of one announcement", () => {
  const collector = new HintCollector({});
  let news = 0;
  let last: PeerHint | undefined;
  for (let i = 0; i < 100; i++) {
    const update = collector.handleHint(hint("a", [`192.0.2.${i}`]), "192.0.2.1");
    if (update) [news, last] = [news + 1, update];
  }
  assert.equal(news, 1 + UPDATES_MAX);
  assert.equal(last?.addresses.length, 1 + UPDATES_MAX);
  const many = Array.from({ length: 100 }, (_, i) => `198.51.100.${i}`);
  const wide = new HintCollector({}).handleHint(hint("b", many), "192.0.2.1");
  assert.equal(wide?.addresses.length, ADDRESSES_MAX);
});

Deno.test("HintCollector forgets the addresses of a port that is no more", () => {
  const collector = new HintCollector({});
  collector.handleHint(hint("a", ["192.0.2.1"]), "192.0.2.1");
  const addresses = [{ host: "192.0.2.2", port: 2 }, { host: "192.0.2.3", port: 2 }];
  const moved = collector.handleHint(hint("a", [], { addresses }), "192.0.2.1");
  assert.deepEqual(moved?.addresses, addresses);
});
