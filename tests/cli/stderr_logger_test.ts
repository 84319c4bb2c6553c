import assert from "node:assert/strict";
import type { LogLevel } from "../../src/base/log.ts";
import { Output } from "../../src/cli/output.ts";
import { StderrLogger } from "../../src/cli/stderr_logger.ts";
import { FakeClock, FakeOutput } from "./support.ts";

function logged(format: "text" | "json", verbosity: number, levels: LogLevel[]): string {
  const stderr = new FakeOutput();
  const output = new Output(new FakeOutput(), stderr, { onBrokenPipe() {}, onFailure() {} });
  const clock = new FakeClock();
  const logger = new StderrLogger({ output, clock, run: "r", format, verbosity });
  for (const level of levels) {
    logger.log(level, "hello\x1b", { peer: "a b", n: 1, none: undefined });
  }
  return stderr.text;
}

Deno.test("StderrLogger shows more levels the more verbose it is", () => {
  const all: LogLevel[] = ["error", "warn", "info", "debug"];
  for (const [verbosity, count] of [[-1, 1], [0, 2], [1, 3], [2, 4]] as const) {
    assert.equal(logged("text", verbosity, all).split("\n").length - 1, count);
  }
});

Deno.test("StderrLogger writes printable text, with the time when verbose", () => {
  assert.equal(logged("text", 0, ["warn"]), 'warn: hello\\x1b peer="a b" n=1\n');
  assert.equal(
    logged("text", 1, ["info"]),
    '2026-01-02T03:04:05.000Z info: hello\\x1b peer="a b" n=1\n',
  );
});

Deno.test("StderrLogger writes JSON with time, run, level and fields", () => {
  assert.deepEqual(JSON.parse(logged("json", 0, ["error"])), {
    time: "2026-01-02T03:04:05.000Z",
    run: "r",
    level: "error",
    message: "hello\x1b",
    peer: "a b",
    n: 1,
  });
});
