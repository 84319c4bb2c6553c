import assert from "node:assert/strict";
import fc from "fast-check";
import { LINE_BYTES_MAX, LineInput } from "../../src/cli/line_input.ts";

function inputOf(bytes: Uint8Array, readBytes: number): LineInput {
  let at = 0;
  return new LineInput({
    isTerminal: false,
    read: (buffer) => {
      const part = bytes.subarray(at, at + Math.min(readBytes, buffer.length));
      at += part.length;
      buffer.set(part);
      return Promise.resolve(part.length === 0 ? null : part.length);
    },
  });
}

const utf8 = (text: string) => new TextEncoder().encode(text);

Deno.test("LineInput reads the same lines however the bytes arrive", async () => {
  const line = fc.string({ unit: fc.constantFrom("a", "é", "😀", " ", "\t") });
  await fc.assert(fc.asyncProperty(
    fc.array(line, { minLength: 1, maxLength: 4 }),
    fc.constantFrom("\n", "\r\n"),
    fc.integer({ min: 1, max: 7 }),
    async (lines, end, readBytes) => {
      const input = inputOf(utf8(lines.join(end)), readBytes);
      for (const expected of lines) assert.equal(await input.readLine(), expected);
      assert.equal(await input.readLine(), "");
    },
  ));
});

Deno.test("LineInput.readAll() gives what is left after a line", async () => {
  const input = inputOf(utf8("one\ntwo\nthree"), 5);
  assert.equal(await input.readLine(), "one");
  assert.equal(await input.readAll(), "two\nthree");
  assert.equal(await input.readAll(), "");
});

Deno.test("LineInput refuses endless lines and bytes that are no text", async () => {
  const endless = inputOf(new Uint8Array(LINE_BYTES_MAX + 1).fill(0x61), 16_384);
  await assert.rejects(endless.readLine(), { name: "UsageError", message: /longer than/ });
  const binary = inputOf(Uint8Array.of(0xff, 0x0a), 2);
  await assert.rejects(binary.readLine(), { name: "UsageError", message: /not UTF-8/ });
});
