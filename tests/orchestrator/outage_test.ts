import assert from "node:assert/strict";
import fc from "fast-check";
import { noticeProgress, Outage, PROGRESS_BYTES } from "../../src/orchestrator/outage.ts";
import type { PlanItem } from "../../src/sync/mod.ts";
import { SILENT } from "../support/sync_scene.ts";
import { planSums } from "../support/plan_sums.ts";

Deno.test("Outage ends after N tries in a row without progress, and never sooner", () => {
  fc.assert(fc.property(
    fc.nat(6),
    fc.array(fc.constantFrom("loss", "progress"), { maxLength: 60 }),
    (retries, events) => {
      const outage = new Outage({ retries, timeoutMs: undefined });
      let inARow = 0;
      for (const event of events) {
        if (event === "progress") {
          outage.handleProgress();
          inARow = 0;
        } else assert.equal(outage.handleLoss(), ++inARow <= retries);
        assert.equal(outage.failures, inARow);
        assert.equal(outage.left.retries, Math.max(0, retries - inARow));
      }
    },
  ));
});

Deno.test("Outage gives each outage the whole time, and none more than that", () => {
  const outage = new Outage({ retries: 3, timeoutMs: 1_000 });
  outage.handleWait(600);
  assert.equal(outage.left.timeoutMs, 400);
  // Reached, and lost again before anything has moved: still the same outage.
  outage.handleLoss();
  outage.handleWait(300);
  assert.equal(outage.left.timeoutMs, 100);
  outage.handleWait(300);
  assert.equal(outage.left.timeoutMs, 0);
  outage.handleProgress();
  assert.deepEqual(outage.left, { retries: 3, timeoutMs: 1_000 });
});

Deno.test("noticeProgress() takes a thing that is done for progress, or many bytes, and nothing else", () => {
  let noticed = 0;
  const observer = noticeProgress(SILENT, () => noticed++);
  const item: PlanItem = {
    action: "+",
    path: "f",
    bytes: 1,
    direction: ">",
    type: "f",
  } as PlanItem;
  const progress = (bytes: number) =>
    observer.progress({ files: 0, totalFiles: 2, bytes, totalBytes: 1e9, rate: 0 });
  observer.plan(planSums({ send: 1, bytes: 1 }));
  observer.fileError({ path: "f", code: "io", message: "" });
  observer.item(item);
  observer.item({ ...item, action: "!", operation: { side: "remote", index: 0 } });
  progress(PROGRESS_BYTES - 1);
  assert.equal(noticed, 0);
  progress(PROGRESS_BYTES);
  assert.equal(noticed, 1);
  observer.item({ ...item, operation: { side: "remote", index: 0 } });
  assert.equal(noticed, 2);
});
