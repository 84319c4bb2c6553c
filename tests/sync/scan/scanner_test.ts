import assert from "node:assert/strict";
import * as fs from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { systemClock } from "../../../src/base/clock.ts";
import { type DirPath, joinPath, type RelPath } from "../../../src/base/paths.ts";
import { decodePage, encodePage, type FileEntry, shapeOf } from "../../../src/base/tree.ts";
import { type DirPatch, EMPTY_RECORD } from "../../../src/index/mod.ts";
import { encodeDir, mergeDir } from "../../../src/index/dir_codec.ts";
import { DirView } from "../../../src/index/dir_view.ts";
import {
  openRoot,
  type Root,
  type RootImplementation,
  StoreError,
} from "../../../src/store/mod.ts";
import {
  VECTOR_MEMBERS_MAX,
  type VectorMember,
  vectorMember,
} from "../../../src/base/version_vector.ts";
import { FilterStack } from "../../../src/sync/filter/mod.ts";
import type { ScanMemory, ScanOptions } from "../../../src/sync/scan/scan_options.ts";
import { scan } from "../../../src/sync/scan/scanner.ts";
import type { Snapshot } from "../../../src/sync/scan/snapshot.ts";

/** Remembers as the index does, in encoded form. */
class Memory implements ScanMemory {
  readonly dirs = new Map<DirPath, Uint8Array>();
  puts = 0;
  #counter = 0;

  foldDir(path: DirPath): DirView | undefined {
    const bytes = this.dirs.get(path);
    return bytes && new DirView(bytes);
  }

  viewDir(path: DirPath): DirView | undefined {
    return this.foldDir(path);
  }

  dirsByInode(): Map<number, RelPath> {
    return new Map(
      [...this.dirs.keys()].flatMap((path) =>
        [...this.viewDir(path)!.dirInodes()].map(([ino, name]) => [ino, joinPath(path, name)])
      ),
    );
  }

  reviseDir(path: DirPath, patch: DirPatch): void {
    this.puts++;
    const known = new DirView(this.dirs.get(path) ?? encodeDir(EMPTY_RECORD));
    this.dirs.set(path, mergeDir(known, patch));
  }

  nextEditCounter(): number {
    return ++this.#counter;
  }

  noteEarlier(): void {}

  buryDir(path: DirPath): void {
    for (const dir of [...this.dirs.keys()]) {
      if (dir === path || dir.startsWith(`${path}/`)) this.dirs.delete(dir);
    }
  }
}

async function scanned(
  root: Root,
  memory: Memory,
  filters: string[] = [],
  more: Partial<Pick<ScanOptions, "checksum" | "digestOf">> = {},
): Promise<Snapshot> {
  return await scan({
    root,
    memory,
    member: vectorMember("DEVICE", "00"),
    filter: (text) => FilterStack.root(filters, text),
    checksum: false,
    digestOf: () => Promise.reject(new Error("no file is to be read")),
    clock: systemClock,
    signal: new AbortController().signal,
    ...more,
  });
}

/** Everything that a snapshot says, to compare. */
function contentsOf(snapshot: Snapshot) {
  const { dirs, files, bytes } = snapshot;
  const pages = [...dirs].map(([path, { page, opaque, isIncomplete }]) => ({
    path,
    entries: decodePage(page.unpack()),
    opaque: opaque.toSorted(),
    isIncomplete,
  }));
  return { pages, files, bytes };
}

const NAMES = ["a", "b", "ä", "🙂", "e e", "long-name-that-others-begin-like", "long-name-x"];
const nameArbitrary = fc.constantFrom(...NAMES);
const dirArbitrary = fc.constantFrom("", "d", "d/d", "e");
/** In the past, so that no file is too fresh to trust. */
const TIME_S = 1_600_000_000;

/** Whatever is done to a folder between two scans; what can't be done is left. */
type Edit =
  | { do: "write"; dir: string; name: string; bytes: number; age: number }
  | { do: "replace"; dir: string; name: string; bytes: number }
  | { do: "rename"; dir: string; name: string; to: string }
  | { do: "remove"; dir: string; name: string }
  | { do: "link"; dir: string; name: string; to: string }
  | { do: "chmod"; dir: string; name: string; mode: number }
  | { do: "bad-name" | "make-dir"; dir: string; name: string }
  | { do: "ignore"; dir: string; rules: string };

const edits: fc.Arbitrary<Edit> = fc.oneof(
  ...(["write", "replace", "rename", "remove", "link", "chmod", "bad-name", "make-dir"] as const)
    .map(
      (kind) =>
        fc.record({
          do: fc.constant(kind),
          dir: dirArbitrary,
          name: nameArbitrary,
          to: nameArbitrary,
          bytes: fc.nat(3),
          age: fc.nat(2),
          mode: fc.constantFrom(0o600, 0o644, 0o755),
        }) as fc.Arbitrary<Edit>,
    ),
  fc.record({
    do: fc.constant("ignore" as const),
    dir: dirArbitrary,
    rules: fc.constantFrom("", "a\n", "/b\nä\n", "*\n!a\n"),
  }),
);

function apply(folder: string, edit: Edit): void {
  const dir = join(folder, edit.dir);
  const path = join(dir, "name" in edit ? edit.name : ".landropicignore");
  try {
    switch (edit.do) {
      case "write":
        fs.writeFileSync(path, "x".repeat(edit.bytes));
        return fs.utimesSync(path, TIME_S, TIME_S + edit.age);
      case "replace":
        fs.writeFileSync(`${path}.new`, "y".repeat(edit.bytes));
        fs.utimesSync(`${path}.new`, TIME_S, TIME_S);
        return fs.renameSync(`${path}.new`, path);
      case "rename":
        return fs.renameSync(path, join(dir, edit.to));
      case "remove":
        return fs.rmSync(path, { recursive: true });
      case "link":
        return fs.symlinkSync(edit.to, path);
      case "chmod":
        return fs.chmodSync(path, edit.mode);
      case "bad-name":
        // No peer could be told of it.
        return fs.writeFileSync(`${path}\n`, "");
      case "make-dir":
        return void fs.mkdirSync(path);
      case "ignore":
        if (edit.rules === "") return fs.rmSync(path);
        fs.writeFileSync(path, edit.rules);
        return fs.utimesSync(path, TIME_S, TIME_S);
    }
  } catch (error) {
    if ((error as { code?: string }).code === undefined) throw error;
  }
}

const IMPLEMENTATIONS: readonly RootImplementation[] = Deno.build.os === "linux"
  ? ["linux", "portable"]
  : ["portable"];

for (const implementation of IMPLEMENTATIONS) {
  Deno.test(`scan() with a memory sees what one without sees, after any edits (${implementation})`, async () => {
    const steps = fc.array(fc.array(edits, { maxLength: 12 }), { minLength: 1, maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(steps, fc.boolean(), async (steps, excludes) => {
        const folder = fs.mkdtempSync(join(Deno.env.get("TMPDIR") ?? "/tmp", "landropic-scan-"));
        try {
          for (const dir of ["d", "d/d", "e"]) fs.mkdirSync(join(folder, dir));
          using root = openRoot(folder, { implementation });
          const memory = new Memory();
          for (const step of steps) {
            for (const edit of step) apply(folder, edit);
            const filters = excludes ? ["long-*"] : [];
            const seen = await scanned(root, memory, filters);
            assert.deepEqual(
              contentsOf(seen),
              contentsOf(await scanned(root, new Memory(), filters)),
            );
            for (const [path, { page, shape }] of seen.dirs) {
              assert.deepEqual(page.unpack(), encodePage(seen.list(path)));
              assert.deepEqual(shape, shapeOf(page.unpack()));
              for (const entry of seen.list(path)) {
                const at = joinPath(path, entry.name);
                const { size, mtimeMs } = entry as FileEntry;
                const file = entry.kind === "file" ? { size, mtimeMs } : undefined;
                assert.deepEqual(seen.file(at), file);
                assert.deepEqual(seen.entry(at), entry);
              }
            }
            // Nothing has changed, so there is nothing to write.
            const { puts } = memory;
            assert.deepEqual(contentsOf(await scanned(root, memory, filters)), contentsOf(seen));
            assert.equal(memory.puts, puts);
          }
        } finally {
          fs.rmSync(folder, { recursive: true });
        }
      }),
      { numRuns: 60 },
    );
  });
}

Deno.test("scan() finds every name again in a directory larger than one read of it", async () => {
  const folder = fs.mkdtempSync(join(Deno.env.get("TMPDIR") ?? "/tmp", "landropic-scan-"));
  try {
    for (let i = 0; i < 3000; i++) {
      const path = join(folder, `file-with-a-longish-name-${(i * 7919) % 3000}`);
      fs.writeFileSync(path, "");
      fs.utimesSync(path, TIME_S, TIME_S);
    }
    using root = openRoot(folder);
    const memory = new Memory();
    const first = await scanned(root, memory);
    assert.equal(first.files, 3000);
    assert.equal(memory.puts, 1);
    assert.deepEqual((await scanned(root, memory)).shape, first.shape);
    assert.equal(memory.puts, 1);
  } finally {
    fs.rmSync(folder, { recursive: true });
  }
});

Deno.test("scan() counts an entry once that a changing directory gives twice", async () => {
  const folder = fs.mkdtempSync(join(Deno.env.get("TMPDIR") ?? "/tmp", "landropic-scan-"));
  try {
    apply(folder, { do: "write", dir: "", name: "a", bytes: 3, age: 0 });
    apply(folder, { do: "write", dir: "", name: "b", bytes: 3, age: 0 });
    using root = openRoot(folder);
    const memory = new Memory();
    await scanned(root, memory);
    const doubled = new Proxy(root, {
      get(target, name) {
        if (name !== "list") return Reflect.get(target, name, target);
        return (...given: Parameters<Root["list"]>) => {
          const { entries, ...rest } = target.list(...given);
          // As they were, then changed; or changed, and then again.
          const again = target.list(given[0]).entries.map((entry) => ({ ...entry, size: 7 }));
          return { ...rest, entries: [...entries, ...again, ...again] };
        };
      },
    });
    const seen = await scanned(doubled, memory);
    assert.deepEqual(
      seen.list("").map(({ name, ...entry }) => [name, "size" in entry && entry.size]),
      [
        ["a", 7],
        ["b", 7],
      ],
    );
    assert.deepEqual([seen.files, seen.bytes], [2, 14]);
  } finally {
    fs.rmSync(folder, { recursive: true });
  }
});

Deno.test("scan() keeps the digests of files whose directory was moved, and of no others", async () => {
  const folder = fs.mkdtempSync(join(Deno.env.get("TMPDIR") ?? "/tmp", "landropic-scan-"));
  try {
    for (const dir of ["d", "d/d", "e"]) fs.mkdirSync(join(folder, dir));
    for (const dir of ["d", "d/d"]) {
      for (const name of ["a", "b", "c"]) {
        apply(folder, { do: "write", dir, name, bytes: 3, age: 0 });
      }
    }
    using root = openRoot(folder);
    const memory = new Memory();
    await scanned(root, memory);
    const digest = new Uint8Array(32).fill(7);
    for (const [path, bytes] of memory.dirs) {
      const { removed: _, ...record } = new DirView(bytes).decode();
      const entries = record.entries.map((e) => e.kind === "file" ? { ...e, digest } : e);
      memory.dirs.set(path, encodeDir({ ...record, entries }));
    }
    const named = (path: string) => {
      const { entries } = new DirView(memory.dirs.get(path as DirPath)!).decode();
      return entries.flatMap(({ name, digest }) => digest ? [name] : []);
    };
    // Below another one, by a name that comes before and by one that comes after.
    for (const [from, to] of [["d", "e/moved"], ["e/moved", "z"], ["z", "d"]] as const) {
      fs.renameSync(join(folder, from), join(folder, to));
      await scanned(root, memory);
      assert.deepEqual([named(to), named(`${to}/d`)], [["a", "b", "c"], ["a", "b", "c"]], to);
      assert.equal(memory.dirs.has(from as DirPath), false);
    }
    fs.renameSync(join(folder, "d"), join(folder, "e/x"));
    apply(folder, { do: "write", dir: "e/x", name: "a", bytes: 3, age: 0 });
    fs.writeFileSync(join(folder, "e/x/d/b2"), "xxx");
    fs.renameSync(join(folder, "e/x/d/b2"), join(folder, "e/x/d/b"));
    await scanned(root, memory);
    assert.deepEqual([named("e/x"), named("e/x/d")], [["b", "c"], ["a", "c"]]);
  } finally {
    fs.rmSync(folder, { recursive: true });
  }
});

Deno.test("scan() names files that may only have been touched, where nobody knows what they were", async () => {
  const folder = fs.mkdtempSync(join(Deno.env.get("TMPDIR") ?? "/tmp", "landropic-scan-"));
  try {
    const write = (name: string, bytes: number, age: number) =>
      apply(folder, { do: "write", dir: "d", name, bytes, age });
    apply(folder, { do: "make-dir", dir: "", name: "d" });
    for (const name of ["same", "grown", "touched", "known"]) write(name, 3, 2);
    using root = openRoot(folder);
    const memory = new Memory();
    assert.deepEqual((await scanned(root, memory)).sameSize, []);
    const known = memory.viewDir("d" as DirPath)!.find("known")!;
    memory.reviseDir("d" as DirPath, {
      ...EMPTY_RECORD,
      entries: [{ ...known, digest: new Uint8Array(32) }],
      removed: [],
    });
    write("grown", 4, 1);
    write("touched", 3, 1);
    write("known", 3, 1);
    write("new", 3, 1);
    assert.deepEqual((await scanned(root, memory)).sameSize, ["d/touched"]);
    assert.deepEqual((await scanned(root, memory)).sameSize, []);
  } finally {
    fs.rmSync(folder, { recursive: true });
  }
});

Deno.test("scan() leaves a file out of the page that it has to read and can't", async () => {
  const folder = fs.mkdtempSync(join(Deno.env.get("TMPDIR") ?? "/tmp", "landropic-scan-"));
  try {
    apply(folder, { do: "write", dir: "", name: "a", bytes: 3, age: 0 });
    apply(folder, { do: "write", dir: "", name: "b", bytes: 3, age: 0 });
    using root = openRoot(folder);
    const memory = new Memory();
    // First it is new, then it is known without a digest.
    for (const digestOf of [refusingA(undefined), refusingA("denied"), refusingA(undefined)]) {
      const seen = await scanned(root, memory, [], { checksum: true, digestOf });
      assert.deepEqual(seen.list("").map(({ name }) => name), ["b"]);
      assert.ok(seen.isHidden("a" as RelPath));
      assert.deepEqual(seen.problems.map(({ path }) => path), ["a"]);
      await scanned(root, memory);
    }
  } finally {
    fs.rmSync(folder, { recursive: true });
  }
});

/** Reads every file but one, which has changed or can't be opened. */
function refusingA(reason: "denied" | undefined): ScanOptions["digestOf"] {
  return (path) => {
    if (path !== "a") return Promise.resolve(new Uint8Array(32));
    return reason === undefined
      ? Promise.resolve(undefined)
      : Promise.reject(new StoreError(reason, "Cannot open it"));
  };
}

Deno.test("scan() sees edits and deletions of files whose vectors are full", async () => {
  const folder = fs.mkdtempSync(join(Deno.env.get("TMPDIR") ?? "/tmp", "landropic-scan-"));
  try {
    const write = (name: string, age: number) =>
      apply(folder, { do: "write", dir: "", name, bytes: 3, age });
    for (const name of ["edited", "gone"]) write(name, 2);
    using root = openRoot(folder);
    const memory = new Memory();
    await scanned(root, memory);
    // As many devices as there can be have had them, or a peer says so.
    const vector = Array.from({ length: VECTOR_MEMBERS_MAX }, (_, i) => ({
      member: i.toString(16).padStart(16, "0") as VectorMember,
      counter: Number.MAX_SAFE_INTEGER,
    }));
    const known = memory.viewDir("" as DirPath)!;
    const full = ["edited", "gone"].map((name) => ({ ...known.find(name)!, vector }));
    memory.reviseDir("" as DirPath, { ...EMPTY_RECORD, entries: full, removed: [] });
    write("edited", 1);
    fs.rmSync(join(folder, "gone"));
    const { entries } = contentsOf(await scanned(root, memory)).pages[0]!;
    assert.deepEqual(entries.map(({ name }) => name), ["edited"]);
    const found = memory.viewDir("" as DirPath)!;
    // Nothing is known of them now: neither is taken for an old version.
    assert.deepEqual(found.find("edited")!.vector ?? [], []);
    assert.deepEqual(found.tombstone(0).vector, []);
  } finally {
    fs.rmSync(folder, { recursive: true });
  }
});
