import assert from "node:assert/strict";
import { memoryTransportPair } from "../../support/memory_transport.ts";
import { runSession } from "../../support/session_pair.ts";
import { twoFolders } from "../../support/two_folders.ts";
import { type TreeSpec, writeTree } from "../../support/tree.ts";

/** What a session may say, both ways together, that finds nothing to do. */
const BYTES_MAX = 2048;

for (const mode of ["push", "pull", "two-way"] as const) {
  Deno.test(`a ${mode} that finds nothing to do says the same few bytes for any number of files`, async () => {
    const spent: number[] = [];
    for (const count of [3, 1000]) {
      const { folder, a, b, left, right } = twoFolders();
      using _ = folder;
      writeTree(left, tree(count));
      const folders = [a, left, b, right] as const;
      const first = await runSession(...folders, { mode: mode === "pull" ? "push" : mode });
      assert.equal(first.summary.sent, count);
      const transports = memoryTransportPair();
      const { summary, errors } = await runSession(...folders, { mode, transports });
      assert.deepEqual(errors, []);
      assert.equal(summary.sent + summary.received, 0);
      spent.push(transports[0].bytesSent + transports[1].bytesSent);
    }
    assert.ok(Math.max(...spent) <= BYTES_MAX, `${spent} bytes`);
    assert.ok(spent[1]! - spent[0]! <= 16, `${spent} bytes: more for more files`);
  });
}

/** So many files, a hundred in a folder. */
function tree(count: number): TreeSpec {
  const spec: { [name: string]: { [name: string]: string } } = {};
  for (let i = 0; i < count; i++) (spec[`d${Math.floor(i / 100)}`] ??= {})[`f${i}`] = `${i}`;
  return spec;
}
