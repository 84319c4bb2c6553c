import assert from "node:assert/strict";
import { NO_EVIDENCE } from "../../src/quic/path_class.ts";
import { PathMemory } from "../../src/quic/mod.ts";

const WAN = { rttMs: 40, packets: 900, lost: 1 };
const LAN = { rttMs: 1, packets: 600, lost: 0 };

Deno.test("PathMemory gives back what was seen of a host, and nothing of others", () => {
  const memory = new PathMemory([["10.0.0.1", LAN]]);
  assert.equal(memory.isChanged, false);
  memory.note("10.0.0.2", WAN);
  assert.deepEqual(memory.get("10.0.0.1"), LAN);
  assert.deepEqual(memory.get("10.0.0.2"), WAN);
  assert.deepEqual(memory.get("10.0.0.3"), NO_EVIDENCE);
  assert.equal(memory.isChanged, true);
  assert.deepEqual([...memory.entries()], [["10.0.0.1", LAN], ["10.0.0.2", WAN]]);
});

Deno.test("PathMemory is not changed by what it knows, nor by nothing", () => {
  const memory = new PathMemory([["10.0.0.1", LAN]]);
  memory.note("10.0.0.1", { ...LAN });
  memory.note("10.0.0.2", NO_EVIDENCE);
  assert.equal(memory.isChanged, false);
  assert.equal([...memory.entries()].length, 1);
});

Deno.test("PathMemory learns nothing of loopback", () => {
  const memory = new PathMemory();
  for (const host of ["127.0.0.1", "::1", "::ffff:127.0.0.1"]) {
    memory.note(host, WAN);
    assert.deepEqual(memory.get(host), NO_EVIDENCE);
  }
  assert.equal(memory.isChanged, false);
});

Deno.test("PathMemory keeps the hosts of latest use, a bounded number, and counts that stay small", () => {
  const memory = new PathMemory();
  for (let i = 0; i < 200; i++) {
    memory.note("10.9.9.9", { rttMs: 9, packets: 100 + i, lost: 0 });
    memory.note(`10.0.0.${i}`, WAN);
  }
  assert.equal([...memory.entries()].length, 64);
  assert.equal(memory.get("10.9.9.9").packets, 299);
  assert.deepEqual(memory.get("10.0.0.1"), NO_EVIDENCE);
  assert.deepEqual(memory.get("10.0.0.199"), WAN);
  memory.note("10.0.0.1", { rttMs: 5, packets: 30_000, lost: 40 });
  assert.deepEqual(memory.get("10.0.0.1"), { rttMs: 5, packets: 15_000, lost: 20 });
});
