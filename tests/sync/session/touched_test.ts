import assert from "node:assert/strict";
import * as fs from "node:fs";
import { runSession } from "../../support/session_pair.ts";
import { twoFolders } from "../../support/two_folders.ts";
import { assertSameTree, writeTree } from "../../support/tree.ts";

const FILES = 300;
const EARLIER_MS = 1_700_000_000_000;
const LATER_MS = EARLIER_MS + 100_000;

function files(pick: (i: number) => boolean, text: string) {
  const names = Array.from({ length: FILES }, (_, i) => i).filter(pick);
  return { d: Object.fromEntries(names.map((i) => [`f${i}`, `${text} ${i}`])) };
}

for (
  const [mode, edited] of [
    ["push", "own"],
    ["pull", "peer's"],
    ["two-way", "own"],
    ["two-way", "peer's"],
  ] as const
) {
  Deno.test(`a ${mode} session sends of the ${edited} files those that changed, and only sets the times of others`, async () => {
    const { folder, a, b, left, right } = twoFolders();
    using _ = folder;
    const [source, target] = edited === "own" ? [left, right] : [right, left];
    writeTree(source, files(() => true, "old"), EARLIER_MS);
    await runSession(a, left, b, right, { mode });
    const isModified = (i: number) => i % 3 === 0;
    const isTouched = (i: number) => i % 3 === 1;
    writeTree(source, files(isModified, "new"), LATER_MS);
    writeTree(source, files(isTouched, "old"), LATER_MS);
    // Two at once of one that was touched, and one that changed.
    for (const name of ["f0", "f1"]) fs.chmodSync(`${source}/d/${name}`, 0o600);
    const { summary, items, errors, served } = await runSession(a, left, b, right, { mode });
    assert.deepEqual(errors, []);
    assertSameTree(target, source);
    const sent = mode === "push" || (mode === "two-way" && edited === "own");
    assert.deepEqual(
      [summary.sent, summary.received, summary.adjusted, summary.conflicts],
      [sent ? 100 : 0, sent ? 0 : 100, 100, 0],
    );
    const bytes = [...Array(FILES).keys()].filter(isModified)
      .reduce((sum, i) => sum + `new ${i}`.length, 0);
    assert.equal(sent ? summary.bytesSent : summary.bytesReceived, bytes);
    assert.deepEqual(
      items.map(({ action, path }) => `${action} ${path}`).sort(),
      [...Array(FILES).keys()].filter((i) => i % 3 < 2)
        .map((i) => `${isModified(i) ? "M" : "m"} d/f${i}`).sort(),
    );
    if (served !== undefined) assert.equal(sent ? served.received : served.sent, 100);
    const after = await runSession(a, left, b, right, { mode });
    assert.deepEqual(after.items, []);
  });
}

Deno.test("new times of all files are no reason to refuse, and none of them travels", async () => {
  const { folder, a, b, left, right } = twoFolders();
  using _ = folder;
  writeTree(left, files(() => true, "the same"), EARLIER_MS);
  await runSession(a, left, b, right, { mode: "two-way" });
  writeTree(left, files(() => true, "the same"), LATER_MS);
  const { summary, errors } = await runSession(a, left, b, right, { mode: "two-way" });
  assert.deepEqual(errors, []);
  assert.deepEqual([summary.sent, summary.adjusted, summary.bytesSent], [0, FILES, 0]);
  assertSameTree(right, left);
});

Deno.test("a session refuses new contents of all files, also where none was looked at before", async () => {
  const { folder, a, b, left, right } = twoFolders();
  using _ = folder;
  writeTree(left, files(() => true, "old"), EARLIER_MS);
  await runSession(a, left, b, right, { mode: "two-way" });
  writeTree(left, files(() => true, "new"), LATER_MS);
  await assert.rejects(runSession(a, left, b, right, { mode: "two-way" }), /Every file/);
  assert.equal(fs.readFileSync(`${right}/d/f0`, "utf8"), "old 0");
});

Deno.test("a dry run says which files would only get other times", async () => {
  const { folder, a, b, left, right } = twoFolders();
  using _ = folder;
  writeTree(left, { touched: "the same", changed: "old" }, EARLIER_MS);
  await runSession(a, left, b, right);
  writeTree(left, { touched: "the same", changed: "new" }, LATER_MS);
  const { items } = await runSession(a, left, b, right, { dryRun: true });
  assert.deepEqual(items.map(({ action, path }) => `${action} ${path}`), [
    "M changed",
    "m touched",
  ]);
});
