import assert from "node:assert/strict";
import { Output, STDOUT_BUFFER_CHARS } from "../../src/cli/output.ts";
import { FakeOutput } from "./support.ts";

function fixture() {
  const stdout = new FakeOutput();
  const stderr = new FakeOutput();
  const events: string[] = [];
  const output = new Output(stdout, stderr, {
    onBrokenPipe: () => events.push("broken pipe"),
    onFailure: (error) => events.push(String(error)),
  });
  return { stdout, stderr, output, events };
}

const nextTurn = () => new Promise((resolve) => setTimeout(resolve, 5));

Deno.test("Output gathers the lines of one turn into one write", async () => {
  const { stdout, output } = fixture();
  for (let i = 0; i < 100; i++) output.out(`${i}\n`);
  assert.equal(stdout.writes, 0);
  await nextTurn();
  assert.equal(stdout.writes, 1);
  assert.equal(stdout.lines.length, 100);
});

Deno.test("Output holds back a bounded amount", () => {
  const { stdout, output } = fixture();
  output.out("x".repeat(STDOUT_BUFFER_CHARS - 1));
  assert.equal(stdout.writes, 0);
  output.out("x");
  assert.equal(stdout.text.length, STDOUT_BUFFER_CHARS);
});

Deno.test("Output writes all bytes where each write takes a few", () => {
  const { stdout, output } = fixture();
  stdout.writeBytesMax = 3;
  output.out("grüße, 写真\n");
  output.flush();
  assert.equal(stdout.text, "grüße, 写真\n");
});

Deno.test("Output writes stdout before what stderr says after it", () => {
  const order: string[] = [];
  const port = (name: string) => ({
    isTerminal: false,
    writeSync: (bytes: Uint8Array) => {
      order.push(name + new TextDecoder().decode(bytes));
      return bytes.length;
    },
  });
  const output = new Output(port("out:"), port("err:"), { onBrokenPipe() {}, onFailure() {} });
  output.out("1");
  output.err("2");
  output.out("3");
  output.flush();
  assert.deepEqual(order, ["out:1", "err:2", "out:3"]);
});

Deno.test("Output reports a closed pipe once and drops the rest", () => {
  const { stdout, output, events } = fixture();
  stdout.failure = new Deno.errors.BrokenPipe("gone");
  for (let i = 0; i < 3; i++) {
    output.out("x");
    output.flush();
  }
  assert.deepEqual(events, ["broken pipe"]);
  assert.equal(stdout.writes, 1);
});

Deno.test("Output reports another failure of stdout once", () => {
  const { stdout, output, events } = fixture();
  stdout.failure = new Error("No space left on device");
  output.out("x");
  output.flush();
  output.out("y");
  output.flush();
  assert.deepEqual(events, ["Error: No space left on device"]);
});

Deno.test("Output waits for the reader of a full non-blocking pipe", () => {
  const { stdout, output } = fixture();
  const write = stdout.writeSync.bind(stdout);
  let refusals = 3;
  stdout.writeSync = (bytes) => {
    if (refusals-- > 0) throw new Deno.errors.WouldBlock("full");
    return write(bytes);
  };
  output.out("late\n");
  output.flush();
  assert.equal(stdout.text, "late\n");
});

Deno.test("Output survives a stderr that cannot be written", () => {
  const { stderr, output, events } = fixture();
  stderr.failure = new Deno.errors.BrokenPipe("gone");
  output.err("x\n");
  assert.deepEqual(events, []);
});

Deno.test("Output draws the status line on a terminal only, and text takes its place", () => {
  const { stdout, stderr, output } = fixture();
  output.status("10%");
  assert.equal(stderr.text, "");
  stderr.isTerminal = true;
  stdout.isTerminal = true;
  output.status("10%");
  output.status("10%");
  output.status("20%");
  output.out("item\n");
  output.err("warning\n");
  output.status("30%");
  output.status("");
  output.status("");
  const clear = "\r\x1b[K";
  assert.equal(
    stderr.text,
    `\r10%\x1b[K\r20%\x1b[K${clear}warning\n\r30%\x1b[K${clear}`,
  );
  assert.equal(stdout.text, "item\n");
});
