import assert from "node:assert/strict";
import { systemClock } from "../../../src/base/clock.ts";
import type { RelPath } from "../../../src/base/paths.ts";
import { EMPTY_SHAPE } from "../../../src/base/tree.ts";
import { type VectorMember, type VersionVector } from "../../../src/base/version_vector.ts";
import { storeAgreement } from "../../../src/sync/plan/agreement.ts";
import type { Snapshot } from "../../../src/sync/scan/snapshot.ts";
import { fileRecord, PEER, ROOT, TempIndex } from "../../index/temp_index.ts";

const [own, theirs] = ["00".repeat(8), "11".repeat(8)] as [VectorMember, VectorMember];

function vector(ownCounter: number, theirCounter: number): VersionVector {
  const items = [
    { member: own, counter: ownCounter },
    { member: theirs, counter: theirCounter },
  ];
  return items.filter(({ counter }) => counter > 0);
}

Deno.test("storeAgreement() takes no edit for agreed on that came after the comparison", async () => {
  using temp = new TempIndex();
  await using index = await temp.open();
  const root = index.openRoot(ROOT);
  const tombstone = (name: string, vector: VersionVector) =>
    ({ name, kind: "file", vector, deletedAtMs: 1 }) as const;
  root.putDir("", {
    scannedAtMs: 1,
    entries: [
      { ...fileRecord("as agreed"), vector: vector(256, 0) },
      { ...fileRecord("edited"), vector: vector(512, 0) },
      { ...fileRecord("made anew"), vector: vector(512, 0) },
    ],
    tombstones: [
      tombstone("gone", vector(256, 0)),
      tombstone("gone again", vector(512, 0)),
    ],
  });
  const stamp = (path: string, isDeleted: boolean) => ({
    path: path as RelPath,
    vector: vector(256, 256),
    isDeleted,
  });
  storeAgreement(root, PEER, {
    rootId: new Uint8Array(32),
    root: EMPTY_SHAPE,
    pages: [],
    adopted: [],
    stamps: [
      stamp("as agreed", false),
      stamp("edited", false),
      stamp("gone", true),
      stamp("gone again", true),
      stamp("made anew", true),
      stamp("unheard of", true),
    ],
  }, { snapshot: {} as Snapshot, clock: systemClock });
  const { entries, tombstones } = root.getDir("")!;
  assert.deepEqual(entries.map(({ name, vector }) => [name, vector]), [
    ["as agreed", vector(256, 256)],
    ["edited", vector(512, 0)],
    ["made anew", vector(512, 0)],
  ]);
  assert.deepEqual(tombstones.map(({ name, vector }) => [name, vector]), [
    ["gone", vector(256, 256)],
    ["gone again", vector(512, 0)],
    ["unheard of", vector(256, 256)],
  ]);
});
