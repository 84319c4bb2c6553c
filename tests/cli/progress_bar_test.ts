import assert from "node:assert/strict";
import fc from "fast-check";
import type { ProgressEvent } from "../../src/cli/events.ts";
import {
  BAR_INTERVAL_MS,
  formatEta,
  ProgressBar,
  renderProgress,
} from "../../src/cli/progress_bar.ts";

const HALF: ProgressEvent = {
  event: "progress",
  files: 120,
  totalFiles: 400,
  bytes: 1_200_000_000,
  totalBytes: 2_400_000_000,
  rate: 85_000_000,
};

Deno.test("renderProgress() drops parts from the end, and the bar without room, as the terminal narrows", () => {
  assert.equal(
    renderProgress(HALF, 200),
    " 50% [====================>                   ] 1.20 GB of 2.40 GB  85.0 MB/s  0:15 left  120 of 400 files",
  );
  assert.equal(
    renderProgress(HALF, 80),
    " 50% [======>      ] 1.20 GB of 2.40 GB  85.0 MB/s  0:15 left  120 of 400 files",
  );
  assert.equal(
    renderProgress(HALF, 60),
    " 50% [=====>     ] 1.20 GB of 2.40 GB  85.0 MB/s  0:15 left",
  );
  assert.equal(renderProgress(HALF, 50), " 50% 1.20 GB of 2.40 GB  85.0 MB/s  0:15 left");
  assert.equal(renderProgress(HALF, 40), " 50% 1.20 GB of 2.40 GB  85.0 MB/s");
  assert.equal(renderProgress(HALF, 12), " 50%");
  assert.equal(renderProgress(HALF, 1), "");
  assert.equal(renderProgress(HALF, 0), "");
});

Deno.test("renderProgress() never reaches the last column, whatever the numbers", () => {
  const number = fc.oneof(fc.double(), fc.nat(), fc.constantFrom(0, -1, NaN, Infinity));
  const event = fc.record({
    event: fc.constant("progress" as const),
    files: number,
    totalFiles: number,
    bytes: number,
    totalBytes: number,
    rate: number,
  });
  fc.assert(fc.property(event, fc.integer({ min: 1, max: 200 }), (progress, columns) => {
    const line = renderProgress(progress, columns);
    assert.ok(line.length < columns || line === "");
    assert.match(line, /^[\x20-\x7e]*$/);
  }));
});

Deno.test("renderProgress() shows a full bar at the end, and files where no bytes are counted", () => {
  const done = renderProgress({ ...HALF, bytes: HALF.totalBytes }, 80);
  assert.match(done, /^100% \[=+\] /);
  const empty = { ...HALF, bytes: 0, totalBytes: 0, files: 1, totalFiles: 4, rate: 0 };
  assert.match(renderProgress(empty, 80), /^ 25% .*-:-- left/);
  assert.match(renderProgress({ ...empty, files: 0, totalFiles: 0 }, 80), /^ {2}0% /);
});

Deno.test("formatEta() counts minutes and hours, and admits not to know", () => {
  const cases: [number, number, string][] = [
    [0, 100, "0:00 left"],
    [1, 100, "0:01 left"],
    [6_100, 100, "1:01 left"],
    [360_000, 100, "1:00:00 left"],
    [100, 0, "-:-- left"],
    [100, NaN, "-:-- left"],
    [1e12, 1, "-:-- left"],
    [-5, 10, "0:00 left"],
  ];
  for (const [bytes, rate, text] of cases) assert.equal(formatEta(bytes, rate), text);
});

Deno.test("ProgressBar draws at once, and then about ten times a second", () => {
  const bar = new ProgressBar();
  let drawn = 0;
  for (let ms = 0; ms < 1000; ms += 5) {
    if (bar.update(HALF, ms, 80) !== undefined) drawn++;
  }
  assert.equal(drawn, 1000 / BAR_INTERVAL_MS);
});
