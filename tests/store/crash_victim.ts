/**
 * Run by crash_test.ts: commits one batch of every kind of change and kills itself at the step whose
 * number is given; prints the number of steps if it gets through.
 */
import type { RelPath } from "../../src/base/paths.ts";
import { type Change, CommitBatch } from "../../src/store/commit_batch.ts";
import type { FileStat } from "../../src/store/file_stat.ts";
import { openRoot, type RootImplementation } from "../../src/store/root.ts";

const [path, implementation, killAt] = Deno.args as [string, RootImplementation, string];
const at = (name: string) => name as RelPath;

using root = openRoot(path, { implementation });
const stat = (name: string): FileStat => root.lstat(at(name))!;
const file = (name: string, expected: Change["expected"]): Change => {
  const staged = root.stage(0o644);
  staged.writeAt(new TextEncoder().encode(`new ${name}`), 0);
  staged.finish({ mode: 0o644, mtimeMs: 1_700_000_000_123 });
  return { kind: "file", path: at(name), staged, expected };
};

let step = 0;
using batch = new CommitBatch(root, {
  onStep: () => {
    if (step++ === Number(killAt)) Deno.kill(Deno.pid, "SIGKILL");
  },
});
for (
  const change of [
    { kind: "dir", path: at("made"), mode: 0o755, expected: "absent" },
    file("made/created", "absent"),
    file("replaced", stat("replaced")),
    { kind: "remove", path: at("removed"), expected: stat("removed") },
    file("was-dir", stat("was-dir")),
    { kind: "link", path: at("was-file"), target: "x", mtimeMs: 0, expected: stat("was-file") },
  ] satisfies Change[]
) batch.add(change);
const results = await batch.commit();
for (const result of results) if (result.outcome !== "done") throw result.error;
console.log(step);
