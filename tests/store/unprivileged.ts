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

using root = openRoot(path, { implementation });
const stage = (mode: number) => {
  const file = root.stage(mode);
  file.finish({ mode, mtimeMs: 0 });
  return file;
};
using batch = new CommitBatch(root);
for (const [name, mode] of [["readonly/f", 0o644], ["good", 0o400]] as const) {
  batch.add({ kind: "file", path: at(name), staged: stage(mode), expected: "absent" });
}
const results = (await batch.commit()).map((result) =>
  result.outcome === "done" ? "done" : `${result.outcome}: ${result.error.reason}`
);
console.log(JSON.stringify({
  list: reason(() => root.list(at("closed"))),
  read: reason(() => root.openFile(at("unreadable"))),
  write: reason(() => root.makeDir(at("readonly/d"), 0o755)),
  good: results[1],
  belowReadOnly: results[0],
  mode: root.lstat(at("good"))!.mode,
}));
