import fc from "fast-check";
import { compareNames } from "../../src/base/paths.ts";
import type { VectorMember, VersionVector } from "../../src/base/version_vector.ts";
import type {
  DirPatch,
  DirRecord,
  EntryKind,
  EntryRecord,
  Tombstone,
} from "../../src/index/dir_record.ts";

/** Names as they come from disks: any Unicode but "/" and controls, short enough to collide. */
export const names: fc.Arbitrary<string> = fc.oneof(
  fc.constantFrom("a", "b", "c", "d", "e"),
  fc.string({ unit: "binary", minLength: 1, maxLength: 12 })
    .map((name) => name.toWellFormed().replace(/[/\p{Cc}]/gu, "_")),
);

export const digests = fc.uint8Array({ minLength: 32, maxLength: 32 })
  .map((bytes) => new Uint8Array(bytes));

export const vectors: fc.Arbitrary<VersionVector> = fc
  .uniqueArray(
    fc.record({
      member: fc.nat(7).map((n) => n.toString(16).padStart(16, "0") as VectorMember),
      counter: fc.integer({ min: 1, max: 5 }),
    }, { noNullPrototype: true }),
    { selector: (item) => item.member, minLength: 1, maxLength: 4 },
  )
  .map((items) => items.sort((a, b) => (a.member < b.member ? -1 : 1)));

const kinds = fc.constantFrom<EntryKind>("file", "dir", "link");
const nanos = fc.integer({ min: 0, max: 999_999 });
const times = fc.maxSafeInteger();
const optional = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined });

export const entries: fc.Arbitrary<EntryRecord> = fc.record({
  name: names,
  kind: kinds,
  mode: fc.integer({ min: 0, max: 0o7777 }),
  size: fc.maxSafeNat(),
  mtimeMs: times,
  mtimeNs: nanos,
  ctimeMs: times,
  ctimeNs: nanos,
  ino: fc.maxSafeNat(),
  racy: fc.boolean(),
  digest: optional(digests),
  target: optional(names),
  vector: optional(vectors),
}, { noNullPrototype: true }).map((entry) => ({
  ...entry,
  digest: entry.kind === "file" ? entry.digest : undefined,
  target: entry.kind === "link" ? entry.target : undefined,
}));

export const tombstones: fc.Arbitrary<Tombstone> = fc.record({
  name: names,
  kind: kinds,
  vector: vectors,
  deletedAtMs: times,
}, { noNullPrototype: true });

type Item =
  | { readonly is: "entry"; readonly name: string; readonly entry: EntryRecord }
  | { readonly is: "tombstone"; readonly name: string; readonly tombstone: Tombstone }
  | { readonly is: "removed"; readonly name: string };

const items: fc.Arbitrary<Item> = fc.oneof(
  {
    weight: 4,
    arbitrary: entries.map((entry) => ({ is: "entry" as const, name: entry.name, entry })),
  },
  {
    weight: 1,
    arbitrary: tombstones.map((tombstone) => ({
      is: "tombstone" as const,
      name: tombstone.name,
      tombstone,
    })),
  },
  { weight: 1, arbitrary: names.map((name) => ({ is: "removed" as const, name })) },
);

export const patches: fc.Arbitrary<DirPatch> = fc.record({
  scannedAtMs: fc.maxSafeNat(),
  shape: optional(digests),
  items: fc.uniqueArray(items, { selector: (item) => item.name, maxLength: 20 }),
}).map(({ scannedAtMs, shape, items }) => {
  const sorted = items.sort((a, b) => compareNames(a.name, b.name));
  return {
    scannedAtMs,
    shape,
    entries: sorted.flatMap((item) => item.is === "entry" ? [item.entry] : []),
    tombstones: sorted.flatMap((item) => item.is === "tombstone" ? [item.tombstone] : []),
    removed: sorted.flatMap((item) => item.is === "removed" ? [item.name] : []),
  };
});

export const records: fc.Arbitrary<DirRecord> = patches.map(
  ({ removed: _removed, ...record }) => record,
);
