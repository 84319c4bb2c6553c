import assert from "node:assert/strict";
import * as fs from "node:fs";
import { type RunOptions, runSession } from "../../support/session_pair.ts";
import { testDevice } from "../../support/test_device.ts";
import { Link, temporaryFolder, type TreeSpec, writeTree } from "../../support/tree.ts";

async function run(left: TreeSpec, right: TreeSpec, options: RunOptions) {
  using folder = temporaryFolder();
  const [a, b] = ["A", "B"].map((name) => testDevice(`${folder.path}/home-${name}`, name));
  const paths = [`${folder.path}/left`, `${folder.path}/right`] as const;
  writeTree(paths[0], left);
  writeTree(paths[1], right, 1_600_000_000_000);
  const result = await runSession(a!, paths[0], b!, paths[1], options);
  assert.deepEqual(result.errors, []);
  const files = fs.readdirSync(paths[1], { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && !entry.parentPath.includes(".landropic"));
  return { served: result.served!, summary: result.summary, filesThere: files.length };
}

const tree = { a: "one", d: { b: "two and more" }, l: new Link("a") };

Deno.test("ServedTally counts what a push brings, replaces and deletes", async () => {
  const there = { a: "other", gone: "x", old: new Link("gone"), same: "s" };
  const { served, summary, filesThere } = await run({ ...tree, same: "s" }, there, {
    mode: "push",
    deleteExtra: true,
    compress: false,
  });
  assert.deepEqual([served.received, served.sent], [3, 0]);
  assert.deepEqual([served.deleted, served.errors], [2, 0]);
  assert.equal(served.bytesReceived + served.bytesReused, 15);
  assert.deepEqual([served.received, served.bytesReceived], [summary.sent, summary.bytesSent]);
  assert.equal(served.files, filesThere);
});

Deno.test("ServedTally counts what a pull takes, links too", async () => {
  const { served, summary, filesThere } = await run({}, tree, { mode: "pull" });
  assert.deepEqual([served.sent, served.received], [3, 0]);
  assert.equal(served.bytesSent, 15);
  assert.deepEqual([served.sent, served.bytesSent], [summary.received, summary.bytesReceived]);
  assert.equal(served.files, filesThere);
});

Deno.test("both sides count files that others take the place of, and copies made on the spot", async () => {
  const body = "some text that is long enough to be worth a copy";
  const there = { a: "file", b: "file", c: new Link("a"), body };
  const here = { a: { in: "a folder" }, b: new Link("body"), c: "file", body, body2: body };
  for (const mode of ["push", "pull"] as const) {
    const isPush = mode === "push";
    const [left, right]: TreeSpec[] = isPush ? [here, there] : [there, here];
    const options = { mode, deleteExtra: true, compress: false };
    const { served, summary, filesThere } = await run(left!, right!, options);
    // "a/in", "b", "c" and "body2"; the file "a" is gone.
    assert.equal(isPush ? summary.sent : summary.received, 4);
    assert.equal(isPush ? served.received : served.sent, 4);
    assert.equal(summary.deleted, 1);
    if (isPush) assert.equal(served.deleted, 1);
    assert.deepEqual([summary.adjusted > 0, summary.errors], [true, 0]);
    assert.deepEqual([served.files, filesThere], [4, 4]);
    assert.equal(summary.files, 4, mode);
  }
});

Deno.test("ServedTally counts both ways of a two-way session", async () => {
  const { served, filesThere } = await run({ left: "l1" }, { right: "r22" }, { mode: "two-way" });
  assert.deepEqual([served.sent, served.received], [1, 1]);
  assert.deepEqual([served.bytesSent, served.bytesReceived], [3, 2]);
  assert.deepEqual([served.files, filesThere], [2, 2]);
});
