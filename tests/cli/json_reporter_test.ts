import assert from "node:assert/strict";
import fc from "fast-check";
import type { CliEvent, ProgressEvent, SummaryEvent } from "../../src/cli/events.ts";
import { encodeEventLine, JsonReporter } from "../../src/cli/json_reporter.ts";
import { Output } from "../../src/cli/output.ts";
import { FakeClock, FakeOutput } from "./support.ts";
import { planSums } from "../support/plan_sums.ts";

function fixture(options: { stacks?: boolean; endsWithSummary?: boolean } = {}) {
  const stdout = new FakeOutput();
  const stderr = new FakeOutput();
  const clock = new FakeClock();
  const output = new Output(stdout, stderr, { onBrokenPipe() {}, onFailure() {} });
  const reporter = new JsonReporter({
    output,
    clock,
    run: "run1",
    stacks: false,
    endsWithSummary: false,
    ...options,
  });
  return { stdout, stderr, clock, reporter };
}

const PROGRESS: ProgressEvent = {
  event: "progress",
  files: 1,
  totalFiles: 2,
  bytes: 3,
  totalBytes: 4,
  rate: 5,
};

const SUMMARY: SummaryEvent = {
  event: "summary",
  ok: true,
  sent: 1,
  received: 2,
  deleted: 3,
  renamed: 4,
  adjusted: 5,
  conflicts: 5,
  errors: 6,
  bytesSent: 7,
  bytesReceived: 8,
  bytesReused: 9,
  wireSent: 10,
  wireReceived: 11,
  files: 12,
  seconds: 13.5,
  connections: 1,
};

const FAILURE = {
  code: "partial",
  message: "2 files failed",
  hint: undefined,
  stack: "S",
} as const;

Deno.test("JsonReporter writes each event as one line with its time and run", () => {
  const { stdout, reporter } = fixture();
  reporter.emit({
    event: "plan",
    ...planSums({ send: 1, bytes: 9 }),
  });
  const session = { peer: "a", share: "b", direction: "both", watch: false } as const;
  reporter.emit({ event: "session-start", ...session }, "other");
  reporter.flush();
  assert.equal(
    stdout.text,
    '{"event":"plan","time":"2026-01-02T03:04:05.000Z","run":"run1",' +
      '"send":1,"receive":0,"delete":0,"rename":0,"adjust":0,"compare":0,"conflicts":0,"bytes":9}\n' +
      '{"event":"session-start","time":"2026-01-02T03:04:05.000Z","run":"other",' +
      '"peer":"a","share":"b","direction":"both","watch":false}\n',
  );
});

Deno.test("JsonReporter lets at most 5 progress events a second through, the first at once", () => {
  const { stdout, clock, reporter } = fixture();
  for (clock.ms = 0; clock.ms < 2000; clock.ms += 7) reporter.emit(PROGRESS);
  reporter.flush();
  const times = stdout.events.map(({ time }) => Date.parse(String(time)));
  assert.equal(times[0], Date.UTC(2026, 0, 2, 3, 4, 5));
  for (const start of times) {
    assert.ok(times.filter((time) => time >= start && time < start + 1000).length <= 5);
  }
  assert.ok(times.length >= 9);
});

Deno.test("JsonReporter keeps remarks and texts for people off stdout", () => {
  const { stdout, stderr, reporter } = fixture();
  reporter.note();
  reporter.print();
  reporter.flush();
  assert.equal(stdout.text + stderr.text, "");
});

Deno.test("JsonReporter reports a failure as an error event with code, message and hint", () => {
  const { stdout, stderr, reporter } = fixture();
  reporter.fail({ ...FAILURE, hint: "try again" });
  reporter.fail(FAILURE);
  reporter.flush();
  const fields = stdout.events.map((
    { event, code, message, hint },
  ) => [event, code, message, hint]);
  assert.deepEqual(fields, [
    ["error", "partial", "2 files failed", "try again"],
    ["error", "partial", "2 files failed", null],
  ]);
  assert.equal(stderr.text, "");
});

Deno.test("JsonReporter ends a sync with its summary, whether it fails before or after it", () => {
  const after = fixture({ endsWithSummary: true });
  after.reporter.emit(SUMMARY);
  after.reporter.fail(FAILURE);
  after.reporter.flush();
  assert.deepEqual(after.stdout.events.map(({ event }) => event), ["summary"]);

  const before = fixture({ endsWithSummary: true });
  before.clock.ms = 1500;
  before.reporter.fail(FAILURE);
  before.reporter.flush();
  const [error, summary] = before.stdout.events;
  assert.equal(error!["event"], "error");
  assert.deepEqual(Object.keys(summary!), [
    "event",
    "time",
    "run",
    ...Object.keys(SUMMARY).slice(1),
  ]);
  assert.equal(summary!["ok"], false);
  assert.equal(summary!["seconds"], 1.5);
});

Deno.test("JsonReporter prints the stack to stderr where asked", () => {
  const { stderr, reporter } = fixture({ stacks: true });
  reporter.fail({ ...FAILURE, stack: "Error: x\x1b\n  at y" });
  assert.equal(stderr.text, "Error: x\\x1b\n  at y\n");
});

Deno.test("encodeEventLine() adds the bytes of a path that is not UTF-8, and only of such", () => {
  const item = (path: Uint8Array | string, from?: Uint8Array): CliEvent => ({
    event: "item",
    action: "R",
    path,
    bytes: 1,
    direction: ">",
    type: "f",
    ...(from === undefined ? {} : { from }),
  });
  const parse = (event: CliEvent) => JSON.parse(encodeEventLine(event, 0, "r"));
  const bad = Uint8Array.of(0x61, 0xff);
  assert.equal(parse(item(bad)).path, "a\ufffd");
  assert.equal(parse(item(bad)).pathBase64, "Yf8=");
  const good = parse(item(new TextEncoder().encode("写真"), bad));
  assert.equal(good.path, "写真");
  assert.ok(!("pathBase64" in good));
  assert.equal(good.fromBase64, "Yf8=");
  assert.ok(!("pathBase64" in parse(item("plain"))));
});

Deno.test("encodeEventLine() gives back the bytes of any path", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 12 }), (path) => {
    const line = encodeEventLine(
      { event: "file-error", path, code: "denied", message: "no" },
      0,
      "r",
    );
    assert.ok(line.indexOf("\n") === line.length - 1);
    const { path: text, pathBase64 } = JSON.parse(line);
    const bytes = pathBase64 === undefined
      ? new TextEncoder().encode(text)
      : Uint8Array.fromBase64(pathBase64);
    assert.deepEqual(bytes, path);
  }));
});

Deno.test("JsonReporter ends a sync that failed with what was done until then", () => {
  for (const done of [undefined, { ...SUMMARY, ok: false, peer: "nas" }]) {
    const { stdout, clock, reporter } = fixture({ endsWithSummary: true });
    clock.ms = 1_500;
    if (done) reporter.handleUnfinished(done);
    reporter.fail(FAILURE);
    reporter.flush();
    const [error, summary, ...more] = stdout.events;
    assert.deepEqual([error!["event"], summary!["event"], more], ["error", "summary", []]);
    const { ok, wireSent, connections, seconds, peer } = summary!;
    const expected = done ? [false, 10, 1, 13.5, "nas"] : [false, 0, 0, 1.5, undefined];
    assert.deepEqual([ok, wireSent, connections, seconds, peer], expected);
  }
});
