import assert from "node:assert/strict";
import { readTestOutput, summaryLine } from "../../../scripts/testing/test_output.ts";
import { temporaryFolder, writeTree } from "../../support/tree.ts";

/** What `deno test` prints for some files, with colours as on a terminal. */
async function outputOf(files: Record<string, string>): Promise<string> {
  using folder = temporaryFolder();
  writeTree(folder.path, files);
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["test", "--no-config", "--no-check", "--no-lock", ...Object.keys(files)],
    cwd: folder.path,
    env: { FORCE_COLOR: "1", NO_COLOR: "" },
    stderr: "null",
  }).output();
  return new TextDecoder().decode(stdout);
}

Deno.test("readTestOutput() counts what deno test counts, and names what failed where", async () => {
  const output = readTestOutput(
    await outputOf({
      "a_test.ts": `
        Deno.test("takes a while", async () => {
          console.log("2 passed | 7 failed");
          await new Promise((resolve) => setTimeout(resolve, 60));
        });
        Deno.test({ name: "is left out", ignore: true, fn() {} });`,
      "b_test.ts": `
        Deno.test("fails", () => { throw new Error("FAILURES"); });
        Deno.test("has steps", async (t) => { await t.step("one", () => {}); });`,
      "c_test.ts": `throw new Error("no test at all");`,
    }),
  )!;
  const { passed, failed, ignored, failures, fileMs } = output;
  assert.deepEqual({ passed, failed, ignored }, { passed: 2, failed: 2, ignored: 1 });
  assert.match(failures[0]!, /^fails => \.\/b_test\.ts:2:\d+$/);
  assert.match(failures[1]!, /^\.\/c_test\.ts .* => \.\/c_test\.ts:1:1$/);
  assert.equal(failures.length, 2);
  assert.ok(fileMs.get("a_test.ts")! >= 60);
  assert.ok(fileMs.has("b_test.ts"));
});

Deno.test("readTestOutput() takes no process for a good one that did not come to its end", () => {
  assert.equal(readTestOutput(""), undefined);
  assert.equal(readTestOutput("running 2 tests from ./a_test.ts\nx ... ok (5ms)\n"), undefined);
});

Deno.test("readTestOutput() counts the time of a test that ran for minutes", () => {
  const { fileMs } = readTestOutput(
    [
      "running 2 tests from ./a_test.ts",
      "short ... ok (5ms)",
      "long ...'long' has been running for over (1m0s)",
      " ok (1m9s)",
      "",
      "ok | 2 passed | 0 failed (1m10s)",
    ].join("\n"),
  )!;
  assert.deepEqual([...fileMs], [["a_test.ts", 69_005]]);
});

Deno.test("summaryLine() reads as the line of one process does", () => {
  const line = summaryLine({ passed: 12, failed: 1, ignored: 3 }, 61_400);
  assert.equal(line, "FAILED | 12 passed | 1 failed | 3 ignored (1m1s)");
  const { passed, failed, ignored } = readTestOutput(line)!;
  assert.deepEqual({ passed, failed, ignored }, { passed: 12, failed: 1, ignored: 3 });
  assert.equal(
    summaryLine({ passed: 1, failed: 0, ignored: 0 }, 900),
    "ok | 1 passed | 0 failed (1s)",
  );
});
