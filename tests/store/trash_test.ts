import assert from "node:assert/strict";
import {
  type Change,
  CommitBatch,
  expireTrash,
  Keeper,
  pruneVersions,
  type Root,
  TRASH_DAYS,
} from "../../src/store/mod.ts";
import { at, staged, testEach, tree } from "./support.ts";

const NOON = Date.UTC(2026, 7, 14, 12);
const DAY_MS = 86_400_000;

async function commit(root: Root, changes: Change[], nowMs = NOON): Promise<string[]> {
  using batch = new CommitBatch(root, { keeper: new Keeper(root, () => nowMs), versionsMax: 3 });
  for (const change of changes) batch.add(change);
  return (await batch.commit()).map((result) =>
    result.outcome === "done" ? result.keptAt ?? "" : `${result.outcome} ${result.error.message}`
  );
}

function remove(root: Root, path: string): Change {
  return { kind: "remove", path: at(path), expected: root.lstat(at(path))! };
}

testEach("the trash mirrors the share, one folder a day", async (root, path) => {
  Deno.mkdirSync(`${path}/d/e`, { recursive: true });
  Deno.writeTextFileSync(`${path}/d/e/f`, "1");
  assert.deepEqual(await commit(root, [remove(root, "d/e/f")]), [
    ".landropic/trash/2026-08-14/d/e/f",
  ]);
  Deno.renameSync(`${path}/.landropic/trash/2026-08-14/d/e/f`, `${path}/d/e/f`);
  assert.equal(Deno.readTextFileSync(`${path}/d/e/f`), "1");
});

testEach("the trash keeps every version of one day apart", async (root, path) => {
  const places: string[] = [];
  for (const text of ["1", "2", "3"]) {
    Deno.writeTextFileSync(`${path}/f`, text);
    places.push(...await commit(root, [remove(root, "f")]));
  }
  assert.deepEqual(places, [
    ".landropic/trash/2026-08-14/f",
    ".landropic/trash/2026-08-14~2/f",
    ".landropic/trash/2026-08-14~3/f",
  ]);
  assert.deepEqual(places.map((place) => Deno.readTextFileSync(`${path}/${place}`)), [
    "1",
    "2",
    "3",
  ]);
});

testEach(
  "the trash takes a file where a directory of that name went before, and back",
  async (root, path) => {
    Deno.writeTextFileSync(`${path}/x`, "file");
    const first = await commit(root, [remove(root, "x")]);
    Deno.mkdirSync(`${path}/x`);
    Deno.writeTextFileSync(`${path}/x/below`, "below");
    const second = await commit(root, [remove(root, "x/below"), remove(root, "x")]);
    Deno.writeTextFileSync(`${path}/x`, "again");
    const third = await commit(root, [remove(root, "x")]);
    const texts = [first[0]!, second[0]!, third[0]!].map((place) =>
      Deno.readTextFileSync(`${path}/${place}`)
    );
    assert.deepEqual(texts, ["file", "below", "again"]);
  },
);

testEach("the trash takes names and paths as long as there are", async (root, path) => {
  const name = "n".repeat(255);
  Deno.mkdirSync(`${path}/${name}/${name}`, { recursive: true });
  Deno.writeTextFileSync(`${path}/${name}/${name}/${name}`, "x");
  for (const keep of ["trash", "versions"] as const) {
    const [place] = await commit(root, [
      { ...remove(root, `${name}/${name}/${name}`), keep } as Change,
    ]);
    assert.equal(Deno.readTextFileSync(`${path}/${place}`), "x");
    Deno.renameSync(`${path}/${place}`, `${path}/${name}/${name}/${name}`);
  }
});

testEach("versions keeps the last ones and no others", async (root, path) => {
  Deno.mkdirSync(`${path}/.landropic/versions`, { recursive: true });
  Deno.writeTextFileSync(`${path}/.landropic/versions/f~notes`, "mine");
  for (let i = 0; i < 6; i++) {
    Deno.writeTextFileSync(`${path}/f`, String(i));
    await commit(root, [{
      kind: "file",
      path: at("f"),
      staged: staged(root, "new"),
      expected: root.lstat(at("f"))!,
      keep: "versions",
    }], NOON + i * 1000);
  }
  const kept = tree(`${path}/.landropic/versions`);
  assert.deepEqual(
    kept.map((name) => Deno.readTextFileSync(`${path}/.landropic/versions/${name}`)),
    [
      "3",
      "4",
      "5",
      "mine",
    ],
  );
  assert.deepEqual(kept[0], "f~20260814T120003000Z");
  assert.equal(pruneVersions(root, at("f"), 1).length, 2);
  assert.equal(pruneVersions(root, at("other/f"), 1).length, 0);
});

testEach("expireTrash() removes old days and nothing else", (root, path) => {
  const trash = `${path}/.landropic/trash`;
  for (const day of ["2026-08-14", "2026-07-15", "2026-07-14", "2026-07-14~2", "2020-01-01"]) {
    Deno.mkdirSync(`${trash}/${day}/deep/er`, { recursive: true });
    Deno.writeTextFileSync(`${trash}/${day}/deep/er/f`, "x");
  }
  Deno.mkdirSync(`${trash}/mine`);
  const outside = Deno.makeTempDirSync();
  Deno.writeTextFileSync(`${outside}/f`, "x");
  Deno.symlinkSync(outside, `${trash}/2020-01-01/link`);
  Deno.symlinkSync(outside, `${trash}/2020-01-02`);
  const removed = expireTrash(root, NOON).map((each) => each.split("/").at(-1)).sort();
  assert.equal(TRASH_DAYS, 30);
  assert.deepEqual(removed, ["2020-01-01", "2026-07-14", "2026-07-14~2"]);
  assert.equal(Deno.readTextFileSync(`${outside}/f`), "x");
  assert.deepEqual([...Deno.readDirSync(trash)].map((entry) => entry.name).sort(), [
    "2020-01-02",
    "2026-07-15",
    "2026-08-14",
    "mine",
  ]);
  assert.deepEqual(expireTrash(root, NOON + DAY_MS).length, 1);
  Deno.removeSync(outside, { recursive: true });
});
