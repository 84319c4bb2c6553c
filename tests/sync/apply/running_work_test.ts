import assert from "node:assert/strict";
import { RunningWork } from "../../../src/sync/apply/running_work.ts";

Deno.test("RunningWork has no more under way at once than it may", async () => {
  const work = new RunningWork(2);
  const pieces = [1, 2].map(() => Promise.withResolvers<void>());
  await work.start(pieces[0]!.promise);
  let isFree = false;
  const full = work.start(pieces[1]!.promise).then(() => isFree = true);
  await new Promise((resolve) => setTimeout(resolve));
  assert.equal(isFree, false);
  pieces[1]!.resolve();
  await full;
  pieces[0]!.resolve();
  await work.finish();
  assert.ok(work.isIdle);
});
