import assert from "node:assert/strict";
import fc from "fast-check";
import * as fs from "node:fs";
import type { RelPath } from "../../../src/base/paths.ts";
import {
  CHUNKERS,
  openRoot,
  type Recipe,
  type Root,
  type StagedFile,
  StoreError,
  type StoreReason,
} from "../../../src/store/mod.ts";
import type { WantedContent } from "../../../src/sync/delta/mod.ts";
import {
  FakeRemote,
  type GetterFixture,
  getterFixture,
  type GetterOptions,
  isSame,
  joined,
  noise,
  oldOf,
  partialNames,
  wantedOf,
} from "./support.ts";

const MIB = 2 ** 20;
const CONTENTS = noise(24 * MIB, "large");
/** A piece in the air and the front of a chunk, for each request under way. */
const SLACK_BYTES = 3 * (CHUNKERS[0]!.maxBytes + 100_000);

class Cut extends Error {}

/** Makes the peer's connection break once so many bytes have come. */
function cutAfter(remote: FakeRemote, bytes: number): void {
  let left = bytes;
  remote.onPiece = (count) => {
    left -= count;
    if (left < 0) throw new Cut();
  };
}

/** One run; the bytes that came, and whether the file is complete and right. */
async function run(
  fixture: GetterFixture,
  remote: FakeRemote,
  options: GetterOptions & { wanted?: Partial<WantedContent>; expect?: Error | object } = {},
): Promise<{ fetched: number; reused: number; isDone: boolean }> {
  const traffic = { bytesFetched: 0, bytesReused: 0 };
  using getter = fixture.getter(remote, options);
  try {
    const got = await getter.get(wantedOf(remote, options.wanted), traffic);
    const bytes = new Uint8Array(remote.contents.length);
    got.staged.readAt(bytes, 0);
    assert.equal(got.staged.stat().size, bytes.length);
    assert.ok(isSame(bytes, remote.contents), "contents differ");
    got.staged.finish({ mode: 0o644, mtimeMs: 0 });
    (options.root ?? fixture.share.root).publish(got.staged, "done" as RelPath);
    got.staged[Symbol.dispose]();
    got.close(true);
    return { fetched: traffic.bytesFetched, reused: traffic.bytesReused, isDone: true };
  } catch (error) {
    if (options.expect) {
      assert.throws(() => {
        throw error;
      }, options.expect);
    } else if (!(error instanceof Cut)) throw error;
    return { fetched: traffic.bytesFetched, reused: 0, isDone: false };
  }
}

for (const knowsOthers of [false, true]) {
  const way = knowsOthers ? "assembled" : "whole";
  Deno.test(`a large file that travels ${way} goes on where it was cut, however often`, async () => {
    const cuts = fc.array(fc.integer({ min: 0, max: 12 * MIB }), { minLength: 1, maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(cuts, async (cuts) => {
        await using fixture = await getterFixture(
          knowsOthers ? { other: noise(MIB, "other") } : {},
        );
        let total = 0;
        let broken = 0;
        for (const cut of cuts) {
          const remote = new FakeRemote(CONTENTS);
          cutAfter(remote, cut);
          const { fetched, isDone } = await run(fixture, remote);
          total += fetched;
          if (isDone) fs.rmSync(`${fixture.folder}/done`);
          // A file that is complete has nothing to go on with.
          total = isDone ? 0 : total;
          broken = isDone ? 0 : broken + 1;
        }
        const { fetched, reused, isDone } = await run(fixture, new FakeRemote(CONTENTS));
        assert.ok(isDone);
        assert.equal(fetched + reused, CONTENTS.length);
        total += fetched;
        assert.ok(
          total <= CONTENTS.length + broken * SLACK_BYTES,
          `${total - CONTENTS.length} bytes came twice in ${broken} cuts`,
        );
        assert.deepEqual(partialNames(fixture.folder), []);
      }),
      { numRuns: 6 },
    );
  });
}

Deno.test("an edited file that was cut goes on, beside what the old version has", async () => {
  const old = noise(12 * MIB, "old");
  await using fixture = await getterFixture({ f: old });
  const contents = joined(CONTENTS.subarray(0, 10 * MIB), old, CONTENTS.subarray(10 * MIB));
  const wanted = { old: oldOf(fixture.folder) };
  let total = 0;
  for (const cut of [3 * MIB, 9 * MIB]) {
    const remote = new FakeRemote(contents);
    cutAfter(remote, cut);
    total += (await run(fixture, remote, { wanted })).fetched;
  }
  const { fetched, isDone } = await run(fixture, new FakeRemote(contents), { wanted });
  assert.ok(isDone);
  total += fetched;
  assert.ok(total <= CONTENTS.length + 2 * SLACK_BYTES + 4 * 128 * 1024, `${total}`);
});

Deno.test("a file that was cut goes on where nothing but node:fs reaches the disk", async () => {
  const old = noise(4 * MIB, "old");
  await using fixture = await getterFixture({ f: old });
  using root = openRoot(fixture.folder, { implementation: "portable" });
  const contents = joined(CONTENTS.subarray(0, 10 * MIB), old, CONTENTS.subarray(10 * MIB));
  const options = { root, wanted: { old: oldOf(fixture.folder) } };
  const remote = new FakeRemote(contents);
  cutAfter(remote, 12 * MIB);
  const first = await run(fixture, remote, options);
  const { fetched, isDone } = await run(fixture, new FakeRemote(contents), options);
  assert.ok(isDone);
  const total = first.fetched + fetched;
  assert.ok(total <= CONTENTS.length + SLACK_BYTES + 4 * 128 * 1024, `${total}`);
  assert.deepEqual(partialNames(fixture.folder), []);
});

Deno.test("a file of a megabyte goes on where it was cut, too, and leaves nothing behind", async () => {
  const contents = noise(1.5 * MIB, "medium");
  for (const files of [{}, { other: noise(MIB, "other") }]) {
    await using fixture = await getterFixture(files);
    const remote = new FakeRemote(contents);
    cutAfter(remote, MIB);
    const first = await run(fixture, remote);
    assert.equal(first.isDone, false);
    const { fetched, isDone } = await run(fixture, new FakeRemote(contents));
    assert.ok(isDone);
    assert.ok(first.fetched + fetched <= contents.length + SLACK_BYTES / 3, `${fetched} fetched`);
    assert.deepEqual(partialNames(fixture.folder), []);
  }
});

/** Groups that end behind so many bytes. */
function groupsBehind({ groups }: Recipe, bytes: number): number {
  let count = 0;
  for (let g = 0, end = 0; g < groups.groupCount; g++) {
    end += groups.groupBytes(g);
    if (end > bytes) count++;
  }
  return count;
}

Deno.test("a file that goes on asks for no chunk lists of what is there", async () => {
  for (const files of [{}, { other: noise(MIB, "other") }]) {
    await using fixture = await getterFixture(files);
    const remote = new FakeRemote(CONTENTS);
    cutAfter(remote, 20 * MIB);
    await run(fixture, remote, { clock: fastClock() });
    const again = new FakeRemote(CONTENTS);
    let lists = 0;
    again.onRecipe = (answer, groups) => {
      lists += groups.length;
      return answer;
    };
    assert.ok((await run(fixture, again)).isDone);
    assert.ok(lists <= groupsBehind(again.recipe, 19 * MIB), `${lists} groups asked for`);
    assert.deepEqual(partialNames(fixture.folder), []);
  }
});

Deno.test("a saved recipe is believed as far as its hashes go", async () => {
  await using fixture = await getterFixture({ other: noise(MIB, "other") });
  const remote = new FakeRemote(CONTENTS);
  cutAfter(remote, 20 * MIB);
  await run(fixture, remote, { clock: fastClock() });
  const name = partialNames(fixture.folder).find((name) => name.endsWith(".recipe"));
  const path = `${fixture.folder}/.landropic/partial/${name}`;
  const saved = fs.readFileSync(path);
  saved[saved.length - 50]! ^= 1;
  fs.writeFileSync(path, saved);
  assert.ok((await run(fixture, new FakeRemote(CONTENTS))).isDone);
});

Deno.test("a small file whose version is gone at the peer leaves nothing behind", async () => {
  for (const files of [{}, { other: noise(MIB, "other") }]) {
    await using fixture = await getterFixture(files);
    const remote = new FakeRemote(noise(2 * MIB, "gone"));
    remote.endStatus = 1;
    const { isDone } = await run(fixture, remote, { expect: { reason: "changed" } });
    assert.equal(isDone, false);
    assert.deepEqual(partialNames(fixture.folder), []);
  }
});

Deno.test("a large file of which nothing came leaves nothing behind", async () => {
  const old = noise(12 * MIB, "old");
  await using fixture = await getterFixture({ f: old });
  const remote = new FakeRemote(joined(CONTENTS, old));
  cutAfter(remote, 0);
  assert.equal((await run(fixture, remote, { wanted: { old: oldOf(fixture.folder) } })).fetched, 0);
  assert.deepEqual(partialNames(fixture.folder), []);
});

/** A clock by which every checkpoint is due. */
function fastClock() {
  let now = 0;
  return { nowMs: () => now += 2000, wallMs: () => Date.now() };
}

Deno.test("what lies behind the last journal entry is hashed before it is believed", async () => {
  await using fixture = await getterFixture({ other: noise(MIB, "other") });
  const remote = new FakeRemote(CONTENTS);
  cutAfter(remote, 20 * MIB);
  await run(fixture, remote, { clock: fastClock() });
  const [journal, part] = partialNames(fixture.folder).map((name) =>
    `${fixture.folder}/.landropic/partial/${name}`
  );
  const { bytesFlushed, digest } = JSON.parse(Deno.readTextFileSync(journal!));
  assert.ok(bytesFlushed > MIB && bytesFlushed < 20 * MIB && digest.length === 64);
  // As after a power cut: the front is on the disk, the rest is anything.
  {
    using file = Deno.openSync(part!, { write: true });
    for (let at = bytesFlushed; at < file.statSync().size; at += 4096) {
      file.seekSync(at, Deno.SeekMode.Start);
      file.writeSync(new Uint8Array([1, 2, 3]));
    }
  }
  const { fetched, isDone } = await run(fixture, new FakeRemote(CONTENTS));
  assert.ok(isDone);
  const expected = CONTENTS.length - bytesFlushed;
  assert.ok(Math.abs(fetched - expected) <= 128 * 1024, `${fetched} fetched, not ${expected}`);
});

Deno.test("a journal of other contents vouches for nothing", async () => {
  await using fixture = await getterFixture({ other: noise(MIB, "other") });
  const first = new FakeRemote(CONTENTS);
  cutAfter(first, 20 * MIB);
  await run(fixture, first, { clock: fastClock() });
  // The same size and time, and other bytes in front.
  const contents = joined(noise(10 * MIB, "others"), CONTENTS.subarray(10 * MIB));
  const { fetched, isDone } = await run(fixture, new FakeRemote(contents));
  assert.ok(isDone);
  assert.ok(fetched >= 10 * MIB && fetched <= 20 * MIB, `${fetched} fetched`);
});

Deno.test("a journal does not outlive the bytes that it vouches for", async () => {
  await using fixture = await getterFixture({ other: noise(MIB, "other") });
  const others = joined(noise(10 * MIB, "others"), CONTENTS.subarray(10 * MIB));
  const first = new FakeRemote(CONTENTS);
  cutAfter(first, 20 * MIB);
  await run(fixture, first, { clock: fastClock() });
  // Other contents under the same size and time, by a run that can make no entry of its own; then back.
  const second = new FakeRemote(others);
  cutAfter(second, 5 * MIB);
  const root = failing(fixture.share.root, { onFlush: "io" });
  const clock = { nowMs: () => 0, wallMs: () => Date.now() };
  await run(fixture, second, { root, clock, expect: /./ });
  const { isDone } = await run(fixture, new FakeRemote(CONTENTS));
  assert.ok(isDone, "and right");
});

Deno.test("what came of a version that is no longer wanted is used for the next", async () => {
  for (const files of [{}, { other: noise(MIB, "other") }]) {
    await using fixture = await getterFixture(files);
    const first = new FakeRemote(CONTENTS);
    cutAfter(first, 20 * MIB);
    await run(fixture, first, { clock: fastClock() });
    const next = new FakeRemote(joined(noise(1, "x"), CONTENTS));
    const wanted = { mtimeMs: 1_700_000_999_000 };
    const { fetched, isDone } = await run(fixture, next, { wanted });
    assert.ok(isDone);
    assert.ok(fetched <= 6 * MIB, `${fetched} fetched`);
    assert.deepEqual(partialNames(fixture.folder), [], "both are gone");
  }
});

Deno.test("a file that was complete but not put in place needs nothing more", async () => {
  for (const files of [{}, { other: noise(MIB, "other") }]) {
    await using fixture = await getterFixture(files);
    {
      const remote = new FakeRemote(CONTENTS);
      using getter = fixture.getter(remote);
      const got = await getter.get(wantedOf(remote), { bytesFetched: 0, bytesReused: 0 });
      got.staged[Symbol.dispose]();
      got.close(false);
    }
    const { fetched, isDone } = await run(fixture, new FakeRemote(CONTENTS));
    assert.ok(isDone);
    assert.equal(fetched, 0);
  }
});

Deno.test("zeros in the wanted file replace whatever an earlier run left there", async () => {
  await using fixture = await getterFixture({ other: noise(MIB, "other") });
  const first = new FakeRemote(CONTENTS);
  cutAfter(first, 20 * MIB);
  await run(fixture, first);
  const contents = joined(
    CONTENTS.subarray(0, 4 * MIB),
    new Uint8Array(12 * MIB),
    CONTENTS.subarray(16 * MIB),
  );
  assert.ok((await run(fixture, new FakeRemote(contents))).isDone);
});

/** A root on which staged files can't be written, or not flushed. */
function failing(
  root: Root,
  fault: { onWrite?: StoreReason; afterBytes?: number; onFlush?: StoreReason },
): Root {
  let left = fault.afterBytes ?? 0;
  const wrap = (staged: StagedFile): StagedFile =>
    new Proxy(staged, {
      get(target, name) {
        if (name === "writeAt" && fault.onWrite) {
          return (bytes: Uint8Array<ArrayBuffer>, offset: number) => {
            left -= bytes.length;
            if (left < 0) throw new StoreError(fault.onWrite!, "Cannot write a staged file");
            target.writeAt(bytes, offset);
          };
        }
        const value = Reflect.get(target, name, target);
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
  return new Proxy(root, {
    get(target, name) {
      if (name === "stage") return (mode?: number) => wrap(target.stage(mode));
      if (name === "openOwnFile") {
        return (...args: Parameters<Root["openOwnFile"]>) => wrap(target.openOwnFile(...args));
      }
      if (name === "flushFiles") {
        return (files: StagedFile[]) => {
          if (fault.onFlush) return Promise.reject(new StoreError(fault.onFlush, "Cannot flush"));
          return Promise.all(files.map((file) => file.flush())).then(() => {});
        };
      }
      const value = Reflect.get(target, name, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

Deno.test("a full disk ends the file and keeps what came", async () => {
  for (const files of [{}, { other: noise(MIB, "other") }]) {
    await using fixture = await getterFixture(files);
    const root = failing(fixture.share.root, { onWrite: "no_space", afterBytes: 15 * MIB });
    const remote = new FakeRemote(CONTENTS);
    const first = await run(fixture, remote, { root, expect: { reason: "no_space" } });
    assert.ok(first.fetched < 20 * MIB, "the rest does not come for nothing");
    const second = await run(fixture, new FakeRemote(CONTENTS));
    assert.ok(second.isDone);
    assert.ok(second.fetched <= CONTENTS.length - 15 * MIB + SLACK_BYTES, `${second.fetched}`);
  }
});

Deno.test("a failed flush discards the file: what the disk has of it is unknown", async () => {
  for (const files of [{}, { other: noise(MIB, "other") }]) {
    await using fixture = await getterFixture(files);
    const root = failing(fixture.share.root, { onFlush: "io" });
    const options = { root, clock: fastClock(), expect: { reason: "io" } };
    const { isDone } = await run(fixture, new FakeRemote(CONTENTS), options);
    assert.equal(isDone, false);
    assert.deepEqual(partialNames(fixture.folder), []);
  }
});

Deno.test("without flushing nothing is vouched for, and what came is kept all the same", async () => {
  await using fixture = await getterFixture({ other: noise(MIB, "other") });
  const remote = new FakeRemote(CONTENTS);
  cutAfter(remote, 20 * MIB);
  await run(fixture, remote, { fsync: false, clock: fastClock() });
  assert.deepEqual(partialNames(fixture.folder).filter((name) => name.endsWith(".json")), []);
  const { fetched } = await run(fixture, new FakeRemote(CONTENTS), { fsync: false });
  assert.ok(fetched <= 4 * MIB + SLACK_BYTES);
});
