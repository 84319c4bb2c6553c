/** What sessions replace and delete: where it goes, how long it stays, and how it is brought back. */
import assert from "node:assert/strict";
import * as fs from "node:fs";
import { join } from "node:path";
import { type RunOptions, runSession } from "../../support/session_pair.ts";
import { twoFolders } from "../../support/two_folders.ts";
import { assertSameTree, describeTree, writeTree } from "../../support/tree.ts";

/** Two folders, and sessions between them that must go without a hitch. */
class Pair implements Disposable {
  readonly #folders = twoFolders();
  readonly left = this.#folders.left;
  readonly right = this.#folders.right;
  #edits = 0;

  async sync(options: RunOptions): Promise<void> {
    const limits = { kind: "count", count: 1000 } as const;
    const how = { deleteLimit: limits, ...options };
    const { a, b, left, right } = this.#folders;
    const { errors, summary } = await runSession(a, left, b, right, how);
    assert.deepEqual([errors, summary.conflicts], [[], 0]);
  }

  /** Writes a file with a time of its own, later than all before. */
  edit(path: string, text: string): void {
    const seconds = 1_700_000_000 + ++this.#edits;
    fs.mkdirSync(join(path, ".."), { recursive: true });
    fs.writeFileSync(path, text);
    fs.utimesSync(path, seconds, seconds);
  }

  [Symbol.dispose](): void {
    this.#folders.folder[Symbol.dispose]();
  }
}

/** Files below landropic's own folder, without its housekeeping. */
function kept(root: string, what: "versions" | "trash"): string[] {
  const folder = `${root}/.landropic/${what}`;
  if (!fs.existsSync(folder)) return [];
  return fs.readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1)).sort();
}

const read = (path: string) => fs.readFileSync(path, "utf8");
const VERSION = /^d\/f~\d{8}T\d{9}Z$/;

for (const mode of ["push", "pull", "two-way"] as const) {
  Deno.test(`the last N versions stay by ${mode}, where files are replaced and deleted`, async () => {
    using pair = new Pair();
    const [source, target] = mode === "pull" ? [pair.right, pair.left] : [pair.left, pair.right];
    const how = { mode, versions: 2, deleteExtra: mode !== "two-way" };
    for (const text of ["one", "two", "three", "four"]) {
      pair.edit(`${source}/d/f`, text);
      await pair.sync(how);
    }
    const versions = kept(target, "versions");
    assert.equal(versions.length, 2);
    for (const path of versions) assert.match(path, VERSION);
    const texts = () =>
      kept(target, "versions").map((p) => read(`${target}/.landropic/versions/${p}`));
    assert.deepEqual(texts(), ["two", "three"]);
    fs.rmSync(`${source}/d/f`);
    await pair.sync(how);
    assert.ok(!fs.existsSync(`${target}/d/f`));
    assert.deepEqual(texts(), ["three", "four"]);
    // The side that decided to delete keeps nothing: it was its own wish.
    assert.deepEqual([kept(source, "versions"), kept(target, "trash")], [[], []]);
  });
}

Deno.test("a version is brought back by mv, and is then what it was", async () => {
  using pair = new Pair();
  pair.edit(`${pair.left}/d/f`, "precious");
  fs.chmodSync(`${pair.left}/d/f`, 0o750);
  await pair.sync({ mode: "push" });
  const before = describeTree(pair.right);
  pair.edit(`${pair.left}/d/f`, "ruined");
  await pair.sync({ mode: "push", versions: 3 });
  const [version] = kept(pair.right, "versions");
  fs.renameSync(`${pair.right}/.landropic/versions/${version}`, `${pair.right}/d/f`);
  assert.deepEqual(describeTree(pair.right), before);
  await pair.sync({ mode: "pull" });
  assert.equal(read(`${pair.left}/d/f`), "precious");
});

Deno.test("the owner's --versions holds for peers that ask for none, or for fewer", async () => {
  using pair = new Pair();
  for (const [versions, text] of [[0, "one"], [1, "two"], [0, "three"], [1, "four"]] as const) {
    pair.edit(`${pair.left}/d/f`, text);
    await pair.sync({ mode: "push", versions, servedVersions: 3 });
  }
  assert.equal(kept(pair.right, "versions").length, 3);
  pair.edit(`${pair.right}/d/f`, "five");
  await pair.sync({ mode: "pull", servedVersions: 3 });
  // What the owner of the share wants is no matter of the other side's folder.
  assert.deepEqual(kept(pair.left, "versions"), []);
});

Deno.test("a one-way run keeps nothing unless it is asked to", async () => {
  using pair = new Pair();
  pair.edit(`${pair.left}/d/f`, "one");
  pair.edit(`${pair.left}/g`, "x");
  await pair.sync({ mode: "push" });
  pair.edit(`${pair.left}/d/f`, "two");
  fs.rmSync(`${pair.left}/g`);
  await pair.sync({ mode: "push", deleteExtra: true });
  assertSameTree(pair.right, pair.left);
  assert.deepEqual([kept(pair.right, "versions"), kept(pair.right, "trash")], [[], []]);
});

Deno.test("what a two-way run replaces or deletes is in the trash of that side, and mv restores it", async () => {
  using pair = new Pair();
  writeTree(pair.left, { d: { replaced: "old", gone: "deleted later" }, here: "mine" });
  await pair.sync({ mode: "two-way" });
  const before = describeTree(pair.right);
  pair.edit(`${pair.left}/d/replaced`, "newer");
  fs.rmSync(`${pair.left}/d/gone`);
  fs.rmSync(`${pair.right}/here`);
  await pair.sync({ mode: "two-way" });
  assertSameTree(pair.left, pair.right);
  const today = fs.readdirSync(`${pair.right}/.landropic/trash`)[0]!;
  assert.match(today, /^\d{4}-\d\d-\d\d$/);
  assert.deepEqual(kept(pair.right, "trash"), [`${today}/d/gone`, `${today}/d/replaced`]);
  assert.equal(kept(pair.left, "trash").length, 1);
  const trash = `${pair.right}/.landropic/trash/${today}`;
  fs.renameSync(`${trash}/d/gone`, `${pair.right}/d/gone`);
  fs.renameSync(`${trash}/d/replaced`, `${pair.right}/d/replaced`);
  const leftTrash = kept(pair.left, "trash")[0]!;
  fs.renameSync(`${pair.left}/.landropic/trash/${leftTrash}`, `${pair.left}/here`);
  await pair.sync({ mode: "two-way" });
  assertSameTree(pair.left, pair.right);
  assert.deepEqual(describeTree(pair.right), before);
});

Deno.test("the trash keeps the same path deleted twice a day, and folders beside files", async () => {
  using pair = new Pair();
  for (const text of ["one", "two"]) {
    pair.edit(`${pair.left}/x`, text);
    await pair.sync({ mode: "two-way" });
    fs.rmSync(`${pair.left}/x`);
    await pair.sync({ mode: "two-way" });
  }
  writeTree(pair.left, { x: { inner: "three" } });
  await pair.sync({ mode: "two-way" });
  fs.rmSync(`${pair.left}/x`, { recursive: true });
  await pair.sync({ mode: "two-way" });
  const texts = kept(pair.right, "trash").map((p) => read(`${pair.right}/.landropic/trash/${p}`));
  assert.deepEqual(texts.sort(), ["one", "three", "two"]);
});

Deno.test("the trash is emptied of what is older than 30 days, on either side, and of nothing else", async () => {
  using pair = new Pair();
  const day = (daysAgo: number) =>
    new Date(Date.now() - daysAgo * 86_400_000).toISOString().slice(0, 10);
  const [old, young] = [day(32), day(28)];
  for (const root of [pair.left, pair.right]) {
    writeTree(`${root}/.landropic/trash`, {
      [old]: { d: { f: "x" } },
      [`${old}~2`]: { f: "y" },
      [young]: { f: "z" },
      "not a date": { f: "mine" },
    });
    writeTree(`${root}/.landropic/versions`, { [`f~20200101T000000000Z`]: "kept by number" });
  }
  await pair.sync({ mode: "two-way" });
  for (const root of [pair.left, pair.right]) {
    assert.deepEqual(fs.readdirSync(`${root}/.landropic/trash`).sort(), [young, "not a date"]);
    assert.equal(kept(root, "versions").length, 1);
  }
});
