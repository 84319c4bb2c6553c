import assert from "node:assert/strict";
import fc from "fast-check";
import { deviceIdFromFingerprint, shortId } from "../../src/identity/device_id.ts";
import { IdentityError } from "../../src/identity/identity_error.ts";
import {
  EMPTY_DOCUMENT,
  encodeTrustDocument,
  parseTrustDocument,
  PEERS_MAX,
} from "../../src/identity/trust_document.ts";
import { grantShare, removePeer, rotateKey, sightPeer } from "../../src/identity/trust_edits.ts";
import { fingerprint, NOW_MS, only, refused, spki, trust, trusting } from "./trust_fixture.ts";

const PATH = "/home/x/peers.json";

function parse(json: unknown) {
  return parseTrustDocument(new TextEncoder().encode(JSON.stringify(json)), PATH);
}

/** The stored form of one plain entry, with changes. */
function stored(changes: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    id: deviceIdFromFingerprint(fingerprint(1)),
    alias: "attic",
    addedAt: "2026-11-22T20:00:00.000Z",
    method: "code",
    state: "trusted",
    grants: [],
    addresses: [],
    ...changes,
  };
}

/** Entries in every state there is. */
function everyState() {
  let entries = trusting("attic", "cellar", "Küche", "roof");
  entries = grantShare(entries, fingerprint(0), { share: "photos", access: "write" });
  entries = sightPeer(entries, {
    fingerprint: fingerprint(0),
    spki: spki(0),
    announcedName: "Dachboden",
    address: "[fe80::1%eth0]:9876",
  }, NOW_MS);
  const to = (from: number, to: number) => ({
    oldFingerprint: fingerprint(from),
    newFingerprint: fingerprint(to),
    newSpki: spki(to),
  });
  entries = rotateKey(entries, to(1, 11), NOW_MS);
  entries = rotateKey(entries, to(2, 12), NOW_MS);
  entries = sightPeer(entries, { fingerprint: fingerprint(12) }, NOW_MS);
  return removePeer(entries, "roof", NOW_MS);
}

Deno.test("parseTrustDocument() reads back what encodeTrustDocument() wrote", () => {
  for (const entries of [[], trusting("attic"), everyState()]) {
    const document = { entries, unknownFields: {} };
    assert.deepEqual(parseTrustDocument(encodeTrustDocument(document), PATH), document);
  }
});

Deno.test("encodeTrustDocument() writes JSON that a person can read", () => {
  const entries = trust([], 1, { alias: "attic", spki: spki(1), address: "10.0.0.1:9876" });
  assert.deepEqual(
    JSON.parse(new TextDecoder().decode(encodeTrustDocument({ entries, unknownFields: {} }))),
    {
      version: 1,
      peers: [stored({ spki: spki(1).toBase64(), addresses: ["10.0.0.1:9876"] })],
    },
  );
});

Deno.test("parseTrustDocument() keeps fields it does not know, in the file and in each entry", () => {
  const json = {
    version: 1,
    comment: { by: ["hand"] },
    peers: [stored({ quota: 7, nested: { a: null } })],
  };
  const document = parse(json);
  assert.deepEqual(JSON.parse(new TextDecoder().decode(encodeTrustDocument(document))), json);
  // Also through a change.
  const changed = { ...document, entries: removePeer(document.entries, "attic", NOW_MS) };
  const written = JSON.parse(new TextDecoder().decode(encodeTrustDocument(changed)));
  assert.equal(written.peers[0].quota, 7);
  assert.equal(written.peers[0].state, "revoked");
});

Deno.test("parseTrustDocument() takes a field called __proto__ for a field", () => {
  const text = `{"version": 1, "peers": [], "__proto__": {"polluted": true}}`;
  const document = parseTrustDocument(new TextEncoder().encode(text), PATH);
  assert.ok(!("polluted" in {}));
  assert.ok(new TextDecoder().decode(encodeTrustDocument(document)).includes('"__proto__"'));
});

Deno.test("parseTrustDocument() reads an id typed by hand and disarms an alias typed by hand", () => {
  const id = deviceIdFromFingerprint(fingerprint(1));
  const entry = only(
    parse({
      version: 1,
      peers: [stored({ id: id.toLowerCase().replaceAll("-", " "), alias: "at\u202e:tic" })],
    }).entries,
  );
  assert.equal(entry.id, id);
  assert.deepEqual(entry.fingerprint, fingerprint(1));
  assert.equal(entry.alias, "at-tic");
  assert.equal(
    only(parse({ version: 1, peers: [stored({ alias: "\u202e" })] }).entries).alias,
    shortId(id),
  );
});

Deno.test("parseTrustDocument() refuses the whole file for anything wrong in it, and says where", () => {
  const id = deviceIdFromFingerprint(fingerprint(1));
  const typo = (id[0] === "A" ? "B" : "A") + id.slice(1);
  const successor = {
    id: deviceIdFromFingerprint(fingerprint(2)),
    spki: spki(2).toBase64(),
    announcedAt: "2026-11-22T20:00:00.000Z",
  };
  const badEntries: [unknown, RegExp][] = [
    [null, /no object/],
    [[], /no object/],
    [stored({ id: undefined }), /"id"/],
    [stored({ id: typo }), /typo in group 1 or 2/],
    [stored({ id: 7 }), /"id"/],
    [stored({ spki: spki(2).toBase64() }), /"spki" is not the key/],
    [stored({ spki: "%" }), /entry 2/],
    [stored({ alias: undefined }), /"alias"/],
    [stored({ alias: "" }), /"alias"/],
    [stored({ addedAt: "yesterday" }), /"addedAt" is no date/],
    [stored({ addedAt: 0 }), /"addedAt"/],
    [stored({ addedAt: "+275760-09-13T00:00:00Z" }), /"addedAt" is no date/],
    [stored({ state: "Trusted" }), /"state"/],
    [stored({ state: undefined }), /"state"/],
    [stored({ revokedAt: null }), /"revokedAt"/],
    [stored({ method: {} }), /"method"/],
    [stored({ grants: {} }), /"grants"/],
    [stored({ grants: [{ share: "a", access: "all" }] }), /"access"/],
    [stored({ grants: [{ share: "", access: "read" }] }), /"share"/],
    [stored({ grants: Array(257).fill({ share: "a", access: "read" }) }), /"grants"/],
    [stored({ addresses: ["nowhere"] }), /address/],
    [stored({ addresses: Array(9).fill("a:1") }), /"addresses"/],
    [stored({ lastSeen: "?" }), /"lastSeen"/],
    [stored({ successor: true }), /"successor"/],
    [stored({ successor: { ...successor, spki: undefined } }), /"spki"/],
    [stored({ successor: { ...successor, announcedAt: "" } }), /announcedAt/],
    [stored({ predecessor: { id: successor.id } }), /until/],
    // The same key twice, also where one of them is another device's next.
    [{ ...stored({ id: deviceIdFromFingerprint(fingerprint(3)) }) }, /twice/],
    [
      stored({
        successor: {
          ...successor,
          id: deviceIdFromFingerprint(fingerprint(3)),
          spki: spki(3).toBase64(),
        },
      }),
      /twice/,
    ],
    [stored({ predecessor: { id, until: "2026-11-22T20:00:00.000Z" } }), /twice/],
  ];
  const good = stored({ id: deviceIdFromFingerprint(fingerprint(3)), alias: "good" });
  for (const [entry, message] of badEntries) {
    assert.throws(() => parse({ version: 1, peers: [good, entry] }), (error) => {
      assert.ok(refused("trust_store_broken", /peers\.json/)(error), String(error));
      assert.match((error as IdentityError).message, message);
      return /entry 2/.test((error as IdentityError).message);
    });
  }
});

Deno.test("parseTrustDocument() refuses a file of another shape or version", () => {
  const encoder = new TextEncoder();
  for (
    const bytes of [
      new Uint8Array(),
      new Uint8Array([0xff]),
      encoder.encode("{"),
      encoder.encode("null"),
      encoder.encode("[]"),
      encoder.encode("{}"),
      encoder.encode('{"version": 1}'),
      encoder.encode('{"version": 2, "peers": []}'),
      encoder.encode('{"version": "1", "peers": []}'),
      encoder.encode('{"version": 1, "peers": {}}'),
      encoder.encode(JSON.stringify({ version: 1, peers: Array(PEERS_MAX + 1).fill(stored()) })),
      encodeTrustDocument({ entries: everyState(), unknownFields: {} }).slice(0, -10),
    ]
  ) assert.throws(() => parseTrustDocument(bytes, PATH), refused("trust_store_broken"));
  assert.deepEqual(parse({ version: 1, peers: [] }), EMPTY_DOCUMENT);
});

Deno.test("parseTrustDocument() throws only IdentityError, whatever the JSON", () => {
  const anything = fc.jsonValue({ maxDepth: 3 });
  fc.assert(fc.property(
    fc.oneof(
      anything,
      fc.record({ version: fc.constant(1), peers: fc.array(anything, { maxLength: 3 }) }),
      fc.tuple(fc.constantFrom(...Object.keys(stored()), "successor", "spki"), anything)
        .map(([key, value]) => ({ version: 1, peers: [stored({ [key]: value })] })),
    ),
    (json) => {
      try {
        parse(json);
      } catch (error) {
        assert.ok(error instanceof IdentityError, String(error));
      }
    },
  ));
});
