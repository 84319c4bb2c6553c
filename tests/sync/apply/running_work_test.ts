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

Deno.test("RunningWork throws what failed while nobody waited, and settles all the same", async () => {
  const work = new RunningWork(3);
  const last = Promise.withResolvers<void>();
  await work.start(last.promise);
  const broken = Promise.withResolvers<void>();
  await work.start(broken.promise);
  broken.reject(new Error("broken"));
  await new Promise((resolve) => setTimeout(resolve));
  await assert.rejects(work.finish(), /broken/);
  let isSettled = false;
  const settling = work.settle().then(() => isSettled = true);
  await new Promise((resolve) => setTimeout(resolve));
  assert.equal(isSettled, false);
  last.resolve();
  await settling;
  assert.ok(work.isIdle);
});
