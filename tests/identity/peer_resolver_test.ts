import assert from "node:assert/strict";
import { deviceIdFromFingerprint, shortId } from "../../src/identity/device_id.ts";
import { resolvePeer } from "../../src/identity/peer_resolver.ts";
import { removePeer, rotateKey } from "../../src/identity/trust_edits.ts";
import { fingerprint, NOW_MS, refused, spki, trust, trusting } from "./trust_fixture.ts";

const ENTRIES = trusting("attic", "cellar", "Küche");
const ATTIC = ENTRIES[0]!.id;
const CELLAR = ENTRIES[1]!.id;

Deno.test("resolvePeer() finds a peer by alias, id in any spelling, and prefix of the id", () => {
  for (
    const text of [
      "attic",
      " attic ",
      ATTIC,
      ATTIC.toLowerCase(),
      ATTIC.replaceAll("-", " "),
      ATTIC.slice(0, 7),
      ATTIC.slice(0, 30).toLowerCase(),
    ]
  ) assert.equal(resolvePeer(text, ENTRIES).alias, "attic", text);
  assert.equal(resolvePeer("Ku\u0308che", ENTRIES).alias, "Küche");
});

Deno.test("resolvePeer() takes any prefix that fits one trusted peer, and refuses one that fits more", () => {
  // Enough devices that some share a first character.
  const many = Array.from({ length: 60 }, (_, n) => n).reduce(
    (entries, n) => trust(entries, n, { alias: `peer ${n}` }),
    trusting(),
  );
  let ambiguous = 0;
  for (const entry of many) {
    const plain = entry.id.replaceAll("-", "");
    for (let length = 1; length <= 6; length++) {
      const prefix = plain.slice(0, length);
      const fitting = many.filter(({ id }) => id.replaceAll("-", "").startsWith(prefix));
      if (fitting.length === 1) {
        assert.equal(resolvePeer(prefix, many), entry);
      } else {
        ambiguous++;
        const hint = new RegExp(`^it could be .*${shortId(entry.id)}|and \\d+ more`);
        assert.throws(() => resolvePeer(prefix, many), refused("peer_ambiguous", hint));
      }
    }
  }
  assert.ok(ambiguous > 0);
});

Deno.test("resolvePeer() does not count removed peers among those a prefix fits", () => {
  const removed = removePeer(ENTRIES, "cellar", NOW_MS);
  const first = CELLAR.slice(0, 7);
  assert.throws(() => resolvePeer(first, removed), refused("peer_unknown"));
  assert.throws(() => resolvePeer("cellar", removed), refused("revoked"));
  assert.throws(() => resolvePeer(CELLAR, removed), refused("revoked"));
});

Deno.test("resolvePeer() names the known peers where it finds none", () => {
  assert.throws(() => resolvePeer("Attic", ENTRIES), refused("peer_unknown", /attic .*cellar/));
  assert.throws(() => resolvePeer("", ENTRIES), refused("peer_unknown"));
  assert.throws(() => resolvePeer("-", ENTRIES), refused("peer_unknown"));
  assert.throws(() => resolvePeer("x", []), refused("peer_unknown", /landropic pair/));
  const stranger = deviceIdFromFingerprint(fingerprint(99));
  assert.throws(() => resolvePeer(stranger, ENTRIES), refused("peer_unknown"));
  assert.throws(
    () => resolvePeer("\u202e\u0007", ENTRIES),
    (error: Error) => !/\p{Cc}|\p{Cf}/u.test(error.message),
  );
});

Deno.test("resolvePeer() reports the typo in a whole id instead of an unknown peer", () => {
  const typo = (ATTIC[0] === "A" ? "B" : "A") + ATTIC.slice(1);
  assert.throws(() => resolvePeer(typo, ENTRIES), refused("device_id_malformed"));
  assert.throws(
    () => resolvePeer(ATTIC.slice(0, -1) + "AA", ENTRIES),
    refused("device_id_malformed"),
  );
});

Deno.test("resolvePeer() is not misled by a peer that is called like the short id of another", () => {
  const short = shortId(ENTRIES[0]!.id);
  const entries = trust(ENTRIES, 3, { announcedName: short });
  assert.equal(entries.at(-1)!.alias, short);
  assert.throws(() => resolvePeer(short, entries), refused("peer_ambiguous"));
  assert.equal(resolvePeer(ATTIC, entries).alias, "attic");
});

Deno.test("resolvePeer() knows a rotating device by both of its ids", () => {
  const rotation = {
    oldFingerprint: fingerprint(0),
    newFingerprint: fingerprint(9),
    newSpki: spki(9),
  };
  const entries = rotateKey(ENTRIES, rotation, NOW_MS);
  assert.equal(resolvePeer(ATTIC, entries).alias, "attic");
  assert.equal(resolvePeer(deviceIdFromFingerprint(fingerprint(9)), entries).alias, "attic");
});
