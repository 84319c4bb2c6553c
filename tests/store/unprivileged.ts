/** Run by permissions_test.ts as a user without rights: prints what becomes of forbidden things. */
import { CommitBatch } from "../../src/store/commit_batch.ts";
import { openRoot, type RootImplementation } from "../../src/store/root.ts";
import { reasonOf } from "../../src/store/store_error.ts";
import type { RelPath } from "../../src/base/paths.ts";

const [path, implementation] = Deno.args as [string, RootImplementation];
const at = (name: string) => name as RelPath;

function reason(attempt: () => unknown): string {
  try {
    attempt();
    return "done";
  } catch (error) {
    return reasonOf(error) ?? String(error);
  }
}

Deno.mkdirSync(`${path}/closed`);
Deno.writeTextFileSync(`${path}/closed/f`, "x");
Deno.writeTextFileSync(`${path}/unreadable`, "x", { mode: 0o200 });
Deno.mkdirSync(`${path}/readonly`);
Deno.chmodSync(`${path}/closed`, 0);
Deno.chmodSync(`${path}/readonly`, 0o500);
Deno.mkdirSync(`${path}/unwritable`);
Deno.writeTextFileSync(`${path}/unwritable/f`, "x");
Deno.chmodSync(`${path}/unwritable`, 0o100);
Deno.mkdirSync(`${path}/moved`, { mode: 0o555 });

using root = openRoot(path, { implementation });
const stage = (mode: number) => {
  const file = root.stage(mode);
  file.finish({ mode, mtimeMs: 0 });
  return file;
};
using batch = new CommitBatch(root);
batch.add({ kind: "dir", path: at("made"), mode: 0o555, expected: "absent" });
for (const name of ["foreign/f", "readonly/f", "made/f", "good"]) {
  batch.add({ kind: "file", path: at(name), staged: stage(0o400), expected: "absent" });
}
batch.add({ kind: "remove", path: at("unwritable/f"), expected: { kind: "file" } });
batch.add({ kind: "move", from: at("moved"), path: at("made/moved"), expected: { kind: "dir" } });
const results = (await batch.commit()).map((result) =>
  result.outcome === "done" ? "done" : `${result.outcome}: ${result.error.reason}`
);
console.log(JSON.stringify({
  list: reason(() => root.list(at("closed"))),
  read: reason(() => root.openFile(at("unreadable"))),
  write: reason(() => root.makeDir(at("readonly/d"), 0o755)),
  results,
  modes: ["made", "made/f", "made/moved", "readonly", "unwritable", "good"].map((name) =>
    root.lstat(at(name))!.mode.toString(8)
  ),
}));
