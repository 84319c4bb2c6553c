import assert from "node:assert/strict";
import * as fs from "node:fs";
import { noise } from "../../store/chunks/reference.ts";
import { type Progress, type RunOptions, runSession } from "../../support/session_pair.ts";
import { twoFolders } from "../../support/two_folders.ts";
import { writeTree } from "../../support/tree.ts";

const LATER_MS = 1_700_000_100_000;
const OLD = noise(3_000_000, "progress");

/** Two folders in step, and a session between them after `edit`. */
async function progressAfter(
  edit: (left: string, right: string) => void,
  options: RunOptions,
): Promise<Progress[]> {
  const { folder, a, b, left, right } = twoFolders();
  using _ = folder;
  writeTree(left, { large: OLD, small: "x", other: "y" });
  await runSession(a, left, b, right, { mode: "two-way" });
  edit(left, right);
  const { progress } = await runSession(a, left, b, right, options);
  return progress;
}

function assertWhole(progress: Progress[]): void {
  const last = progress.at(-1)!;
  assert.ok(last.totalBytes > 0);
  assert.equal(last.bytes, last.totalBytes);
  for (const [i, { bytes, files, totalFiles }] of progress.entries()) {
    assert.ok(bytes >= (progress[i - 1]?.bytes ?? 0), "it never goes back");
    assert.ok(files <= totalFiles);
  }
}

for (const mode of ["push", "pull", "two-way"] as const) {
  Deno.test(`the progress of a ${mode} of an edited file reaches the whole of it`, async () => {
    const edited = new Uint8Array(OLD.length + 1);
    edited.set(OLD, 1);
    const progress = await progressAfter((left, right) => {
      writeTree(mode === "pull" ? right : left, { large: edited }, LATER_MS);
    }, { mode });
    assertWhole(progress);
    assert.deepEqual([progress.at(-1)!.files, progress.at(-1)!.totalFiles], [1, 1]);
  });
}

Deno.test("progress counts a file that turns out to be the same on both sides, and reaches the whole", async () => {
  const progress = await progressAfter((left) => {
    const at = (LATER_MS + 1000) / 1000;
    fs.utimesSync(`${left}/small`, at, at);
  }, { mode: "push" });
  assertWhole(progress);
  assert.deepEqual([progress.at(-1)!.files, progress.at(-1)!.totalFiles], [1, 1]);
});

Deno.test("progress counts both versions of a conflict, and reaches the whole", async () => {
  const progress = await progressAfter((left, right) => {
    writeTree(left, { small: "one" }, LATER_MS);
    writeTree(right, { small: "three" }, LATER_MS + 1000);
  }, { mode: "two-way" });
  assertWhole(progress);
  assert.deepEqual([progress.at(-1)!.files, progress.at(-1)!.totalFiles], [2, 2]);
});

Deno.test("progress reaches the whole though a file of the plan can't be put in place", async () => {
  let isEdited = false;
  let target = "";
  const progress = await progressAfter((left, right) => {
    writeTree(left, { small: "new", other: "newer" }, LATER_MS);
    target = right;
  }, {
    mode: "push",
    onStep: () => {
      if (!isEdited) fs.writeFileSync(`${target}/small`, "in the last moment");
      isEdited = true;
    },
  });
  assertWhole(progress);
  assert.deepEqual([progress.at(-1)!.files, progress.at(-1)!.totalFiles], [1, 2]);
});
