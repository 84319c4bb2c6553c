/**
 * A process for processes_test.ts: commits numbered states to the index until it is told to stop or
 * killed, and prints each number once it is committed.
 *
 * Arguments: index file, root path, number of states.
 */
import type { DirPath } from "../../src/base/paths.ts";
import { openIndex } from "../../src/index/mod.ts";
import { DEVICE, dirRecord, fileRecord, PEER } from "./temp_index.ts";
import { pageOfState } from "./state_page.ts";

const [path, rootPath, count] = Deno.args as [string, string, string];
await using index = await openIndex({ path, deviceId: DEVICE });
const root = index.openRoot({ path: rootPath, folderId: "my-folder" });
const first = (root.getDir("a" as DirPath)?.scannedAtMs ?? 0) + 1;
for (let state = first; state < first + Number(count); state++) {
  const record = { ...dirRecord(fileRecord("f", { size: state })), scannedAtMs: state };
  const { shape, page } = pageOfState(state);
  root.transaction(() => {
    root.putDir("a" as DirPath, record);
    root.putPages([{ shape, page }]);
    root.putDir("b" as DirPath, record);
    root.setAncestor(PEER, { shape });
  });
  Deno.stdout.writeSync(new TextEncoder().encode(`${state}\n`));
}
