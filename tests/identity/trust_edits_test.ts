import assert from "node:assert/strict";
import fc from "fast-check";
import { deviceIdFromFingerprint, shortId } from "../../src/identity/device_id.ts";
import { resolvePeer } from "../../src/identity/peer_resolver.ts";
import { ROTATION_KEEP_MS } from "../../src/identity/rotation.ts";
import { PEERS_MAX } from "../../src/identity/trust_document.ts";
import {
  type Entries,
  grantShare,
  removePeer,
  renamePeer,
  rotateKey,
  SIGHTING_INTERVAL_MS,
  sightPeer,
} from "../../src/identity/trust_edits.ts";
import {
  acceptedKeysOf,
  ADDRESSES_MAX,
  GRANTS_MAX,
  hasKey,
  keysOf,
} from "../../src/identity/trust_entry.ts";
import { nameKey } from "../../src/identity/peer_name.ts";
import { anyText } from "./arbitraries.ts";
import { fingerprint, NOW_MS, only, refused, spki, trust, trusting } from "./trust_fixture.ts";

const LATER_MS = NOW_MS + SIGHTING_INTERVAL_MS;

function rotation(from: number, to: number) {
  return { oldFingerprint: fingerprint(from), newFingerprint: fingerprint(to), newSpki: spki(to) };
}

Deno.test("trustDevice() adds a device with what is known of it and no grants", () => {
  const entries = trust([], 1, {
    spki: spki(1),
    announcedName: "att\u202eic",
    address: "10.0.0.1:9876",
    method: "token",
  });
  assert.deepEqual(only(entries), {
    id: deviceIdFromFingerprint(fingerprint(1)),
    fingerprint: fingerprint(1),
    spki: spki(1),
    alias: "attic",
    announcedName: "attic",
    addedAtMs: NOW_MS,
    method: "token",
    state: "trusted",
    grants: [],
    addresses: ["10.0.0.1:9876"],
    unknownFields: {},
  });
});

Deno.test("trustDevice() never stores a key that is not the fingerprint's", () => {
  assert.equal(only(trust([], 1, { spki: spki(2) })).spki, undefined);
});

Deno.test("trustDevice() finds a free alias for every device, whatever it calls itself", () => {
  const hostile = fc.oneof(
    fc.constantFrom(
      "laptop",
      "Laptop",
      "LAPTOP",
      "",
      "\u202e",
      "x".repeat(64),
      "x".repeat(1000),
      "a:b",
    ),
    anyText(90),
  );
  fc.assert(
    fc.property(fc.array(hostile, { minLength: 1, maxLength: 12 }), (names) => {
      const entries = names.reduce<Entries>(
        (entries, announcedName, n) => trust(entries, n, { announcedName }),
        [],
      );
      assert.equal(new Set(entries.map(({ alias }) => nameKey(alias))).size, names.length);
      for (const entry of entries) {
        assert.match(entry.alias, /^[^\p{Cc}\p{Cf}:/\\]{1,64}$/u);
        assert.equal(resolvePeer(entry.alias, entries), entry);
      }
    }),
    { numRuns: 50 },
  );
});

Deno.test("trustDevice() names a device without a name by its short id", () => {
  const id = deviceIdFromFingerprint(fingerprint(1));
  assert.equal(only(trust([], 1)).alias, `device-${shortId(id)}`);
});

Deno.test("trustDevice() refuses a chosen alias that another trusted peer has", () => {
  const entries = trusting("attic");
  assert.throws(() => trust(entries, 5, { alias: "ATTIC" }), refused("name_taken"));
  assert.throws(() => trust(entries, 5, { alias: "a:b" }), refused("name_invalid"));
  assert.throws(() => trust(entries, 5, { address: "nowhere" }), refused("address_invalid"));
  // Its own is not another's.
  assert.equal(only(trust(entries, 0, { alias: "Attic" })).alias, "Attic");
});

Deno.test("trustDevice() of a trusted device changes only what is newly given", () => {
  let entries = trusting("attic");
  entries = grantShare(entries, fingerprint(0), { share: "photos", access: "write" });
  entries = sightPeer(entries, { fingerprint: fingerprint(0), address: "10.0.0.1:1" }, NOW_MS);
  const before = only(entries);
  const again = only(trust(entries, 0, { announcedName: "evil", method: "token" }, LATER_MS));
  assert.deepEqual(again, { ...before, announcedName: "evil", method: "token" });
});

Deno.test("trustDevice() brings a removed device back without its grants, under a free alias", () => {
  let entries = trusting("attic", "cellar");
  entries = grantShare(entries, fingerprint(0), { share: "photos", access: "write" });
  entries = removePeer(entries, "attic", NOW_MS);
  entries = renamePeer(entries, "cellar", "attic");
  entries = trust(entries, 0, {}, LATER_MS);
  const back = entries[0]!;
  assert.equal(back.state, "trusted");
  assert.equal(back.alias, "attic-2");
  assert.equal(back.addedAtMs, LATER_MS);
  assert.equal(back.revokedAtMs, undefined);
  assert.deepEqual(back.grants, []);
});

Deno.test("trustDevice() knows PEERS_MAX devices, tombstones included", () => {
  const full: Entries = Array.from({ length: PEERS_MAX }, (_, n) => ({
    ...only(trust([], n)),
    state: "revoked",
  }));
  assert.throws(() => trust(full, PEERS_MAX), refused("trust_store_full"));
  assert.equal(trust(full, 3).length, PEERS_MAX);
});

Deno.test("renamePeer() changes the alias alone, to one that is free", () => {
  const entries = trusting("attic", "cellar");
  const renamed = renamePeer(entries, "cellar", " Keller ");
  assert.deepEqual(renamed, [entries[0], { ...entries[1], alias: "Keller" }]);
  assert.throws(() => renamePeer(entries, "cellar", "Attic"), refused("name_taken"));
  assert.throws(() => renamePeer(entries, "cellar", "a\u202eb"), refused("name_invalid"));
  assert.throws(() => renamePeer(entries, "kitchen", "x"), refused("peer_unknown"));
  assert.equal(renamePeer(entries, "attic", "attic"), entries);
});

Deno.test("removePeer() leaves a tombstone without grants, whose name is free", () => {
  let entries = trusting("attic", "cellar");
  entries = grantShare(entries, fingerprint(0), { share: "photos", access: "read" });
  entries = removePeer(entries, "attic", LATER_MS);
  assert.equal(entries.length, 2);
  assert.equal(entries[0]!.state, "revoked");
  assert.equal(entries[0]!.revokedAtMs, LATER_MS);
  assert.deepEqual(entries[0]!.grants, []);
  assert.deepEqual(acceptedKeysOf(entries[0]!, LATER_MS), []);
  renamePeer(entries, "cellar", "attic");
  assert.throws(() => removePeer(entries, "attic", LATER_MS), refused("revoked"));
});

Deno.test("sightPeer() notes address, name and time, and never touches the alias", () => {
  const before = trusting("attic");
  const entries = sightPeer(before, {
    fingerprint: fingerprint(0),
    spki: spki(0),
    announcedName: "evil \x1b[2J",
    address: "[fe80::1%eth0]:9876",
  }, LATER_MS);
  assert.deepEqual(only(entries), {
    ...only(before),
    spki: spki(0),
    announcedName: "evil [2J",
    addresses: ["[fe80::1%eth0]:9876"],
    lastSeenMs: LATER_MS,
  });
});

Deno.test("sightPeer() keeps the latest ADDRESSES_MAX addresses, each once", () => {
  let entries = trusting("attic");
  for (const n of [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 3]) {
    entries = sightPeer(entries, { fingerprint: fingerprint(0), address: `10.0.0.${n}:1` }, NOW_MS);
  }
  const { addresses } = only(entries);
  assert.equal(addresses.length, ADDRESSES_MAX);
  assert.deepEqual(addresses.slice(0, 3), ["10.0.0.3:1", "10.0.0.10:1", "10.0.0.9:1"]);
  assert.equal(new Set(addresses).size, addresses.length);
});

Deno.test("sightPeer() changes nothing without news within SIGHTING_INTERVAL_MS", () => {
  const sighting = { fingerprint: fingerprint(0), address: "10.0.0.1:1", announcedName: "a" };
  const entries = sightPeer(trusting("attic"), sighting, NOW_MS);
  assert.equal(sightPeer(entries, sighting, NOW_MS + SIGHTING_INTERVAL_MS - 1), entries);
  assert.equal(sightPeer(entries, { fingerprint: fingerprint(0) }, NOW_MS), entries);
  const later = sightPeer(entries, sighting, NOW_MS + SIGHTING_INTERVAL_MS);
  assert.equal(only(later).lastSeenMs, NOW_MS + SIGHTING_INTERVAL_MS);
  // A clock that was set back must not freeze the time of the last sighting.
  const back = sightPeer(entries, sighting, NOW_MS - SIGHTING_INTERVAL_MS);
  assert.equal(only(back).lastSeenMs, NOW_MS - SIGHTING_INTERVAL_MS);
});

Deno.test("sightPeer() of unknown and removed devices changes nothing", () => {
  const entries = removePeer(trusting("attic"), "attic", NOW_MS);
  for (const n of [0, 1]) {
    const sighting = { fingerprint: fingerprint(n), address: "10.0.0.1:1" };
    assert.equal(sightPeer(entries, sighting, LATER_MS), entries);
  }
});

Deno.test("grantShare() sets, changes and takes away one grant", () => {
  const grant = (entries: Entries, share: string, access: "read" | "write" | undefined) =>
    grantShare(entries, fingerprint(0), { share, access });
  let entries = grant(grant(trusting("attic"), "photos", "read"), "music", "write");
  assert.equal(grant(entries, "photos", "read"), entries);
  entries = grant(entries, "photos", "write");
  assert.deepEqual(only(entries).grants, [
    { share: "music", access: "write" },
    { share: "photos", access: "write" },
  ]);
  entries = grant(entries, "music", undefined);
  assert.equal(grant(entries, "music", undefined), entries);
  assert.deepEqual(only(entries).grants, [{ share: "photos", access: "write" }]);
  for (let n = 1; n < GRANTS_MAX; n++) entries = grant(entries, `share ${n}`, "read");
  assert.throws(() => grant(entries, "one more", "read"), refused("trust_store_full"));
  assert.throws(() => grant(entries, "", "read"), RangeError);
  const removed = removePeer(entries, "attic", NOW_MS);
  assert.throws(() => grant(removed, "photos", "read"), refused("peer_unknown"));
});

Deno.test("rotateKey() accepts both keys for ROTATION_KEEP_MS, then the new one alone", () => {
  const entries = rotateKey(trusting("attic"), rotation(0, 1), NOW_MS);
  const entry = only(entries);
  assert.equal(entry.id, deviceIdFromFingerprint(fingerprint(0)));
  const endMs = NOW_MS + ROTATION_KEEP_MS;
  assert.deepEqual(acceptedKeysOf(entry, NOW_MS), [fingerprint(1), fingerprint(0)]);
  assert.equal(acceptedKeysOf(entry, endMs - 1).length, 2);
  assert.deepEqual(acceptedKeysOf(entry, endMs), [fingerprint(1)]);
});

Deno.test("sightPeer() under the new key makes it the key in use and keeps alias and grants", () => {
  let entries = grantShare(trusting("attic"), fingerprint(0), { share: "photos", access: "read" });
  entries = rotateKey(entries, rotation(0, 1), NOW_MS);
  const usedMs = NOW_MS + 1000;
  entries = sightPeer(entries, { fingerprint: fingerprint(1), spki: spki(1) }, usedMs);
  const entry = only(entries);
  assert.equal(entry.id, deviceIdFromFingerprint(fingerprint(1)));
  assert.deepEqual(entry.spki, spki(1));
  assert.equal(entry.alias, "attic");
  assert.equal(entry.grants.length, 1);
  assert.equal(entry.successor, undefined);
  // The thirty days count from the announcement, not from the first use.
  const endMs = NOW_MS + ROTATION_KEEP_MS;
  assert.deepEqual(acceptedKeysOf(entry, endMs - 1), [fingerprint(1), fingerprint(0)]);
  assert.deepEqual(acceptedKeysOf(entry, endMs), [fingerprint(1)]);
  assert.ok(hasKey(entry, fingerprint(0)));
  // Met under the old key once more: still the same device, in the new key's name.
  const again = only(sightPeer(entries, { fingerprint: fingerprint(0) }, LATER_MS + usedMs));
  assert.equal(again.id, entry.id);
});

Deno.test("rotateKey() twice with the same key prolongs nothing", () => {
  const entries = rotateKey(trusting("attic"), rotation(0, 1), NOW_MS);
  assert.equal(rotateKey(entries, rotation(0, 1), LATER_MS), entries);
});

Deno.test("rotateKey() refuses revoked, unknown and replaced keys, and keys already known", () => {
  const reason = refused("rotation_refused");
  const entries = trusting("attic", "cellar", "kitchen");
  assert.throws(() => rotateKey(entries, rotation(7, 8), NOW_MS), reason);
  const removed = removePeer(entries, "attic", NOW_MS);
  assert.throws(() => rotateKey(removed, rotation(0, 8), NOW_MS), reason);
  // To the key of another device, trusted or removed.
  assert.throws(() => rotateKey(entries, rotation(1, 2), NOW_MS), reason);
  assert.throws(() => rotateKey(removed, rotation(1, 0), NOW_MS), reason);
  // A second, other successor.
  const announced = rotateKey(entries, rotation(0, 8), NOW_MS);
  assert.throws(() => rotateKey(announced, rotation(0, 9), NOW_MS), reason);
  assert.throws(() => rotateKey(announced, rotation(1, 8), NOW_MS), reason);
  // From a key that is not in use yet, no longer in use, or retired.
  assert.throws(() => rotateKey(announced, rotation(8, 9), NOW_MS), reason);
  assert.throws(() => rotateKey(announced, rotation(0, 8), NOW_MS + ROTATION_KEEP_MS), reason);
  const used = sightPeer(announced, { fingerprint: fingerprint(8) }, NOW_MS);
  assert.throws(() => rotateKey(used, rotation(0, 9), NOW_MS), reason);
  assert.throws(() => rotateKey(used, rotation(8, 0), NOW_MS), reason);
  assert.equal(rotateKey(used, rotation(8, 9), NOW_MS)[0]!.successor!.announcedAtMs, NOW_MS);
});

Deno.test("removePeer() of a rotating device revokes every key of it", () => {
  for (const isUsed of [false, true]) {
    let entries = rotateKey(trusting("attic"), rotation(0, 1), NOW_MS);
    if (isUsed) entries = sightPeer(entries, { fingerprint: fingerprint(1) }, NOW_MS);
    entries = removePeer(entries, "attic", NOW_MS);
    assert.deepEqual(acceptedKeysOf(only(entries), NOW_MS), []);
    assert.ok(hasKey(only(entries), fingerprint(0)) && hasKey(only(entries), fingerprint(1)));
  }
});

Deno.test("trustDevice() of one key of a removed device brings back that key alone", () => {
  for (const n of [0, 1]) {
    let entries = rotateKey(trusting("attic"), rotation(0, 1), NOW_MS);
    entries = trust(removePeer(entries, "attic", NOW_MS), n, { spki: spki(n) });
    assert.deepEqual(acceptedKeysOf(only(entries), NOW_MS), [fingerprint(n)]);
    assert.deepEqual(keysOf(only(entries)), [fingerprint(n)]);
    assert.deepEqual(only(entries).spki, spki(n));
  }
});

Deno.test("trustDevice() under the announced key of a trusted device is its use", () => {
  const entries = trust(rotateKey(trusting("attic"), rotation(0, 1), NOW_MS), 1);
  assert.equal(only(entries).id, deviceIdFromFingerprint(fingerprint(1)));
  assert.equal(only(entries).alias, "attic");
  assert.deepEqual(acceptedKeysOf(only(entries), NOW_MS), [fingerprint(1), fingerprint(0)]);
});
