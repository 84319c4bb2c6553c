import assert from "node:assert/strict";
import fc from "fast-check";
import * as fs from "node:fs";
import type { RelPath } from "../../../src/base/paths.ts";
import { ProtocolError, STATUS } from "../../../src/protocol/mod.ts";
import { encodeChunkLists, recipeOf, type StagedFile } from "../../../src/store/mod.ts";
import type { WantedContent } from "../../../src/sync/delta/mod.ts";
import {
  FakeRemote,
  type GetterFixture,
  getterFixture,
  isSame,
  joined,
  MTIME_MS,
  noise,
  oldOf,
  partialNames,
  wantedOf,
} from "./support.ts";

const MIB = 2 ** 20;

/** Gets a file and closes it as if it were in place; what came, and what it cost. */
async function get(
  fixture: GetterFixture,
  remote: FakeRemote,
  more: Partial<WantedContent> = {},
): Promise<{ bytesFetched: number; bytesReused: number }> {
  const traffic = { bytesFetched: 0, bytesReused: 0 };
  using getter = fixture.getter(remote);
  const got = await getter.get(wantedOf(remote, more), traffic);
  assertContents(got, remote.contents);
  assert.deepEqual(got.digest, remote.recipe.digest);
  got.staged[Symbol.dispose]();
  fs.rmSync(`${fixture.folder}/.landropic/partial`, { recursive: true, force: true });
  got.close(true);
  return traffic;
}

function assertContents({ staged }: { staged: StagedFile }, expected: Uint8Array): void {
  assert.equal(staged.stat().size, expected.length);
  const bytes = new Uint8Array(expected.length);
  assert.equal(staged.readAt(bytes, 0), bytes.length);
  assert.ok(isSame(bytes, expected), "contents differ");
}

const OLD = noise(3 * MIB, "old");
/** More than a chunk or two at either end of what changed. */
const EDIT_BYTES_MAX = 4 * 128 * 1024;

Deno.test("ContentGetter fetches nothing if the share holds the contents under any name", async () => {
  await using fixture = await getterFixture({ other: OLD });
  const remote = new FakeRemote(OLD);
  const { digest } = remote.recipe;
  const known = await get(fixture, remote, { digest });
  assert.deepEqual(known, { bytesFetched: 0, bytesReused: OLD.length });
  assert.deepEqual(remote.asked, [], "not even a recipe");
  const learned = await get(fixture, remote);
  assert.deepEqual(learned, known);
  assert.deepEqual(remote.asked, ["list"]);
});

Deno.test("ContentGetter believes no record whose file has changed", async () => {
  await using fixture = await getterFixture({ other: OLD });
  const path = `${fixture.folder}/other`;
  fs.writeFileSync(path, noise(OLD.length, "changed"));
  fs.utimesSync(path, MTIME_MS / 1000, MTIME_MS / 1000);
  const remote = new FakeRemote(OLD);
  for (const more of [{}, { digest: remote.recipe.digest }]) {
    const { bytesFetched } = await get(fixture, remote, more);
    assert.equal(bytesFetched, OLD.length);
  }
});

const EDITS: { readonly [name: string]: (old: Uint8Array) => Uint8Array<ArrayBuffer> } = {
  "a byte inserted at the front": (old) => joined(noise(1, "x"), old),
  "bytes inserted in the middle": (old) =>
    joined(old.subarray(0, MIB + 5), noise(999, "x"), old.subarray(MIB + 5)),
  "a byte changed": (old) => {
    const edited = joined(old);
    edited[MIB + 77]! ^= 1;
    return edited;
  },
  "bytes appended": (old) => joined(old, noise(100_000, "x")),
  "the end cut off": (old) => joined(old.subarray(0, 2 * MIB + 123)),
  "the front cut off": (old) => joined(old.subarray(MIB / 2 + 123)),
  "halves swapped": (old) => joined(old.subarray(old.length / 2), old.subarray(0, old.length / 2)),
  "nothing changed but its time": (old) => joined(old),
};

for (const [name, edit] of Object.entries(EDITS)) {
  for (const isHashed of [true, false]) {
    const known = isHashed ? "" : ", when the old version was never hashed";
    Deno.test(`ContentGetter fetches little after ${name}${known}`, async () => {
      await using fixture = await getterFixture(isHashed ? { f: OLD } : {});
      if (!isHashed) {
        fs.writeFileSync(`${fixture.folder}/f`, OLD);
        fs.utimesSync(`${fixture.folder}/f`, MTIME_MS / 1000, MTIME_MS / 1000);
        await fixture.share.scan({ checksum: false, filters: [] });
      }
      const remote = new FakeRemote(edit(OLD));
      const old = oldOf(fixture.folder);
      const { bytesFetched, bytesReused } = await get(fixture, remote, { old });
      assert.ok(bytesFetched <= EDIT_BYTES_MAX, `${bytesFetched} fetched`);
      assert.equal(bytesFetched + bytesReused, remote.contents.length);
    });
  }
}

Deno.test("ContentGetter finds chunks in files that share groups with the wanted one", async () => {
  await using fixture = await getterFixture({ "v1.img": OLD, unrelated: noise(MIB, "u") });
  const remote = new FakeRemote(joined(noise(5000, "x"), OLD));
  const { bytesFetched } = await get(fixture, remote, { path: "v2.img" as RelPath });
  assert.ok(bytesFetched <= EDIT_BYTES_MAX, `${bytesFetched} fetched`);
});

Deno.test("ContentGetter finds chunks anywhere in the share, also where no group is equal", async () => {
  const files: Record<string, Uint8Array> = {};
  const parts: Uint8Array[] = [];
  // More than are open at once.
  for (let i = 0; i < 20; i++) {
    const bytes = files[`file ${i}`] = noise(400_000, `part ${i}`);
    parts.push(bytes.subarray(40_000, 340_000), noise(1000, `gap ${i}`));
  }
  await using fixture = await getterFixture(files);
  const remote = new FakeRemote(joined(...parts));
  const { bytesFetched, bytesReused } = await get(fixture, remote);
  // Each part has two broken chunks or so, of eight.
  assert.ok(bytesFetched < remote.contents.length / 2, `${bytesFetched} fetched`);
  assert.equal(bytesFetched + bytesReused, remote.contents.length);
});

Deno.test("ContentGetter ignores recipes of files that are gone", async () => {
  await using fixture = await getterFixture({ gone: OLD, there: OLD });
  fs.rmSync(`${fixture.folder}/gone`);
  const remote = new FakeRemote(joined(noise(1, "x"), OLD));
  assert.ok((await get(fixture, remote)).bytesFetched <= EDIT_BYTES_MAX);
  fs.rmSync(`${fixture.folder}/there`);
  assert.equal((await get(fixture, remote)).bytesFetched, remote.contents.length);
  await fixture.share.scan({ checksum: false, filters: [] });
  assert.equal((await get(fixture, remote)).bytesFetched, remote.contents.length);
});

Deno.test("ContentGetter asks for no recipe where the share knows no contents", async () => {
  await using fixture = await getterFixture({ small: noise(100, "s") });
  const remote = new FakeRemote(noise(9 * MIB, "first"));
  const { bytesFetched } = await get(fixture, remote);
  assert.deepEqual(remote.asked, ["whole"]);
  assert.equal(bytesFetched, remote.contents.length);
  assert.deepEqual(partialNames(fixture.folder).filter((name) => name.endsWith(".json")), []);
});

Deno.test("ContentGetter fetches what is in a file twice only once", async () => {
  await using fixture = await getterFixture({ other: noise(MIB, "other") });
  const block = noise(MIB, "block");
  const remote = new FakeRemote(joined(block, block, noise(1234, "x"), block));
  const { bytesFetched, bytesReused } = await get(fixture, remote);
  assert.ok(bytesFetched < 1.5 * MIB, `${bytesFetched} fetched`);
  assert.equal(bytesFetched + bytesReused, remote.contents.length);
});

Deno.test("ContentGetter makes holes of zeros, fresh or over an old version", async () => {
  for (const old of [undefined, noise(20 * MIB, "dense")]) {
    await using fixture = await getterFixture({ ...(old && { f: old }), other: noise(MIB, "o") });
    const remote = new FakeRemote(
      joined(noise(70_000, "a"), new Uint8Array(20 * MIB), noise(70_000, "b")),
    );
    const traffic = { bytesFetched: 0, bytesReused: 0 };
    using getter = fixture.getter(remote);
    const wanted = wantedOf(remote, { old: old && oldOf(fixture.folder) });
    const got = await getter.get(wanted, traffic);
    assertContents(got, remote.contents);
    assert.ok(traffic.bytesFetched < MIB, `${traffic.bytesFetched} fetched`);
    if (!old) assert.ok(got.staged.stat().blocks * 512 < 2 * MIB, "holes");
    got.staged[Symbol.dispose]();
  }
});

Deno.test("ContentGetter keeps the holes of a file that it copies", async () => {
  const sparse = joined(noise(100_000, "a"), new Uint8Array(20 * MIB), noise(100_000, "b"));
  await using fixture = await getterFixture();
  const path = `${fixture.folder}/sparse`;
  {
    using file = Deno.openSync(path, { create: true, write: true });
    file.writeSync(sparse.subarray(0, 100_000));
    file.seekSync(sparse.length - 100_000, Deno.SeekMode.Start);
    file.writeSync(sparse.subarray(sparse.length - 100_000));
  }
  fs.utimesSync(path, MTIME_MS / 1000, MTIME_MS / 1000);
  await fixture.share.scan({ checksum: true, filters: [] });
  const remote = new FakeRemote(sparse);
  using getter = fixture.getter(remote);
  const wanted = wantedOf(remote, { digest: remote.recipe.digest });
  const got = await getter.get(wanted, { bytesFetched: 0, bytesReused: 0 });
  assertContents(got, sparse);
  assert.ok(got.staged.stat().blocks * 512 < 2 * MIB, "holes");
  got.staged[Symbol.dispose]();
});

Deno.test("ContentGetter lets files with the same contents wait for the first one", async () => {
  await using fixture = await getterFixture({ other: noise(MIB, "other") });
  const remote = new FakeRemote(OLD);
  const { digest } = remote.recipe;
  using getter = fixture.getter(remote);
  const traffic = Array.from({ length: 3 }, () => ({ bytesFetched: 0, bytesReused: 0 }));
  let publish = 0;
  await Promise.all(traffic.map(async (each, i) => {
    const path = `copy ${i}` as RelPath;
    // One learns the digest on the way only.
    const wanted = wantedOf(remote, { path, digest: i === 1 ? undefined : digest });
    const got = await getter.get(wanted, each);
    assertContents(got, remote.contents);
    if (publish++ === 0) {
      got.staged.finish({ mode: 0o644, mtimeMs: MTIME_MS });
      fixture.share.root.publish(got.staged, path);
      await fixture.share.scan({ checksum: true, filters: [] });
    }
    got.staged[Symbol.dispose]();
    got.close(true);
  }));
  assert.equal(traffic.reduce((sum, { bytesFetched }) => sum + bytesFetched, 0), OLD.length);
});

Deno.test("ContentGetter ends the waiting when it is disposed", async () => {
  await using fixture = await getterFixture();
  const remote = new FakeRemote(OLD);
  const getter = fixture.getter(remote);
  const wanted = wantedOf(remote, { digest: remote.recipe.digest });
  const first = await getter.get(wanted, { bytesFetched: 0, bytesReused: 0 });
  const second = getter.get({ ...wanted, path: "g" as RelPath }, {
    bytesFetched: 0,
    bytesReused: 0,
  });
  const refused = assert.rejects(second, /over/);
  fixture.abort.abort(new Error("over"));
  getter[Symbol.dispose]();
  await refused;
  first.staged[Symbol.dispose]();
});

Deno.test("ContentGetter hashes every chunk of a file that its record does not vouch for", async () => {
  const other = noise(OLD.length, "in truth");
  await using fixture = await getterFixture({ g: other });
  const { index, root } = fixture.share;
  // The index takes the file for another one: size and times are all it has to go by.
  const dir = index.getDir("")!;
  const claimed = recipeOf(OLD);
  const { mode, size, mtimeMs, mtimeNs, ctimeMs, ctimeNs, ino } = root.lstat("g" as RelPath)!;
  const times = { mtimeMs, mtimeNs, ctimeMs, ctimeNs };
  index.putDir("", {
    ...dir,
    entries: [{
      name: "g",
      kind: "file",
      mode,
      size,
      ...times,
      ino,
      racy: true,
      digest: claimed.digest,
    }],
  });
  const groups = Array.from(
    { length: claimed.groups.groupCount },
    (_, g) => claimed.groups.groupHash(g).slice(),
  );
  index.putRecipe(claimed.digest, claimed.bytes, groups);
  const remote = new FakeRemote(joined(noise(1, "x"), OLD));
  const { bytesFetched } = await get(fixture, remote);
  assert.equal(bytesFetched, remote.contents.length);
});

Deno.test("ContentGetter notices that a file changes while it is copied from", async () => {
  const old = noise(12 * MIB, "source");
  await using fixture = await getterFixture({ f: old, g: old });
  for (const name of ["f", "g"]) {
    const remote = new FakeRemote(joined(noise(100_000, "x"), old, noise(100_000, "y")));
    let isChanged = false;
    remote.onRange = (bytes) => {
      if (!isChanged) {
        using file = Deno.openSync(`${fixture.folder}/${name}`, { write: true });
        // Every page, whichever have been copied by now.
        for (let at = 0; at < old.length; at += 4096) {
          file.seekSync(at, Deno.SeekMode.Start);
          file.writeSync(new Uint8Array([1, 2, 3]));
        }
      }
      isChanged = true;
      return bytes;
    };
    // Once as the version replaced, once as a related file.
    const more = name === "f" ? { old: oldOf(fixture.folder) } : { path: "h" as RelPath };
    if (name === "g") fs.rmSync(`${fixture.folder}/f`);
    const { bytesFetched } = await get(fixture, remote, more);
    assert.ok(isChanged);
    assert.ok(bytesFetched > 200_000);
  }
});

Deno.test("ContentGetter copes with an old version that disappears, grows or is a folder", async () => {
  const remote = new FakeRemote(joined(noise(1, "x"), OLD));
  const changes: ((path: string) => void)[] = [
    (path) => fs.rmSync(path),
    (path) => fs.appendFileSync(path, "more"),
    (path) => {
      fs.rmSync(path);
      fs.mkdirSync(path);
    },
  ];
  for (const change of changes) {
    await using fixture = await getterFixture({ f: OLD });
    const old = oldOf(fixture.folder);
    change(`${fixture.folder}/f`);
    const { bytesFetched } = await get(fixture, remote, { old });
    assert.equal(bytesFetched, remote.contents.length);
  }
});

Deno.test("ContentGetter says so if the peer no longer has the version", async () => {
  await using fixture = await getterFixture({ f: OLD });
  const old = oldOf(fixture.folder);
  const attempt = (remote: FakeRemote, more: Partial<WantedContent> = {}) => {
    using getter = fixture.getter(remote);
    return getter.get(wantedOf(remote, { old, ...more }), { bytesFetched: 0, bytesReused: 0 });
  };
  const reasons = { [STATUS.changed]: "changed", [STATUS.denied]: "denied", [STATUS.io]: "io" };
  for (const [status, reason] of Object.entries(reasons)) {
    const failure = Number(status) as 1 | 2 | 3;
    const remote = new FakeRemote(joined(noise(300_000, "x"), OLD));
    remote.onRecipe = (answer, groups) => groups.length === 0 ? failure : answer;
    await assert.rejects(attempt(remote), { reason });
    remote.onRecipe = (answer, groups) => groups.length > 0 ? failure : answer;
    await assert.rejects(attempt(remote), { reason });
    remote.onRecipe = (answer) => answer;
    remote.endStatus = failure;
    await assert.rejects(attempt(remote), { reason });
    // However wrong the bytes are, in an answer that ends so they prove nothing.
    remote.onRange = (bytes) => bytes.fill(0);
    await assert.rejects(attempt(remote), { reason });
  }
  const other = new FakeRemote(joined(noise(300_000, "y"), OLD));
  await assert.rejects(attempt(other, { size: 400_000 }), { reason: "changed" });
  await assert.rejects(attempt(other, { digest: recipeOf(noise(5, "z")).digest }), {
    reason: "changed",
  });
  assert.deepEqual(partialNames(fixture.folder), []);
});

Deno.test("ContentGetter ends the session of a peer that sends a bad recipe", async () => {
  await using fixture = await getterFixture({ f: OLD });
  const contents = joined(noise(300_000, "x"), OLD);
  const tampered: FakeRemote["onRecipe"][] = [
    () => new Uint8Array(0),
    (answer) => answer.subarray(0, answer.length - 1),
    (answer, groups) => {
      if (groups.length === 0) answer[30]! ^= 1;
      return answer.length === 0 ? answer : joined(answer, new Uint8Array(1));
    },
    (answer, groups) => groups.length === 0 ? answer : answer.fill(0),
    (answer, groups) => groups.length === 0 ? answer : answer.subarray(36),
    // Right chunk lists, of other groups.
    (answer, groups) =>
      groups.length === 0 ? answer : encodeChunkLists(recipeOf(OLD), groups.map(() => 1)),
  ];
  for (const onRecipe of tampered) {
    const remote = new FakeRemote(contents);
    remote.onRecipe = onRecipe;
    using getter = fixture.getter(remote);
    const wanted = wantedOf(remote, { old: oldOf(fixture.folder) });
    await assert.rejects(
      getter.get(wanted, { bytesFetched: 0, bytesReused: 0 }),
      ProtocolError,
    );
  }
});

Deno.test("ContentGetter fetches a wrong chunk again, and gives up on a peer that sends many", async () => {
  await using fixture = await getterFixture({ f: OLD });
  const contents = joined(noise(300_000, "x"), OLD);
  const old = oldOf(fixture.folder);
  const accident = new FakeRemote(contents);
  let isFirst = true;
  accident.onRange = (bytes) => {
    if (isFirst) bytes[7]! ^= 1;
    isFirst = false;
    return bytes;
  };
  const { bytesFetched, bytesReused } = await get(fixture, accident, { old });
  assert.ok(bytesFetched + bytesReused > contents.length, "a chunk came twice");
  const hostile: FakeRemote["onRange"][] = [
    (bytes) => bytes.fill(0),
    // Ends before all announced has come.
    (bytes) => bytes.subarray(0, bytes.length - 1),
    () => new Uint8Array(0),
    (bytes) => bytes.reverse(),
  ];
  for (const onRange of hostile) {
    const remote = new FakeRemote(contents);
    remote.onRange = onRange;
    using getter = fixture.getter(remote);
    await assert.rejects(
      getter.get(wantedOf(remote, { old }), { bytesFetched: 0, bytesReused: 0 }),
      ProtocolError,
    );
    assert.ok(remote.asked.filter((what) => what === "ranges").length <= 4, "no endless tries");
  }
});

Deno.test("ContentGetter refuses contents that are not those announced", async () => {
  await using fixture = await getterFixture();
  const remote = new FakeRemote(noise(9 * MIB, "other than said"));
  using getter = fixture.getter(remote);
  const wanted = wantedOf(remote, { digest: recipeOf(noise(9, "announced")).digest });
  await assert.rejects(getter.get(wanted, { bytesFetched: 0, bytesReused: 0 }), {
    reason: "changed",
  });
  assert.deepEqual(partialNames(fixture.folder), []);
});

Deno.test("ContentGetter makes any file out of any other, and counts every byte once", async () => {
  const piece = fc.record({
    from: fc.constantFrom("old", "other", "new", "zeros"),
    start: fc.integer({ min: 0, max: 1_400_000 }),
    length: fc.integer({ min: 1, max: 700_000 }),
  });
  const pool = {
    old: noise(1_500_000, "pool old"),
    other: noise(1_500_000, "pool other"),
    new: noise(1_500_000, "pool new"),
    zeros: new Uint8Array(1_500_000),
  };
  await fc.assert(
    fc.asyncProperty(fc.array(piece, { minLength: 1, maxLength: 6 }), async (pieces) => {
      await using fixture = await getterFixture({ f: pool.old, g: pool.other });
      const contents = joined(
        ...pieces.map(({ from, start, length }) =>
          pool[from as keyof typeof pool].subarray(start, start + length)
        ),
        noise(300_000, "long enough"),
      );
      const remote = new FakeRemote(contents);
      const { bytesFetched, bytesReused } = await get(fixture, remote, {
        old: oldOf(fixture.folder),
      });
      assert.equal(bytesFetched + bytesReused, contents.length);
      assert.equal(bytesFetched, remote.ranges.reduce((sum, { length }) => sum + length, 0));
    }),
    { numRuns: 15 },
  );
});

Deno.test("AtHand.copyChecked() copies a file only if it has the digest, holes as holes", async () => {
  const contents = joined(noise(300_000, "checked"), new Uint8Array(4 * MIB), noise(5, "end"));
  await using fixture = await getterFixture({ f: contents, empty: new Uint8Array(0) });
  using getter = fixture.getter(new FakeRemote(contents));
  const { digest } = recipeOf(contents);
  const staged = await getter.atHand.copyChecked("f" as RelPath, digest);
  assertContents({ staged: staged! }, contents);
  assert.ok(staged!.stat().blocks * 512 < MIB, "holes");
  staged![Symbol.dispose]();
  const empty = recipeOf(new Uint8Array(0)).digest;
  const copy = await getter.atHand.copyChecked("empty" as RelPath, empty);
  assert.equal(copy!.stat().size, 0);
  copy![Symbol.dispose]();
  fs.appendFileSync(`${fixture.folder}/f`, "more");
  assert.equal(await getter.atHand.copyChecked("f" as RelPath, digest), undefined);
  await assert.rejects(getter.atHand.copyChecked("none" as RelPath, digest), {
    reason: "not_found",
  });
});
