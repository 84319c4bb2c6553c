import assert from "node:assert/strict";
import fc from "fast-check";
import { fromHex } from "../../src/base/bytes.ts";
import {
  encodeFrame,
  type Frame,
  FRAME_BYTES_MAX,
  FrameDecoder,
  ProtocolError,
} from "../../src/protocol/mod.ts";

Deno.test("encodeFrame() writes type, length and payload as QUIC varints", () => {
  const expected = fromHex(`
    02        # type 2: one-byte varint
    03        # length 3
    aa bb cc  # payload`.replace(/#.*/g, ""));
  assert.deepEqual(encodeFrame(2, new Uint8Array([0xaa, 0xbb, 0xcc])), expected);
  const long = encodeFrame(300, new Uint8Array(70));
  assert.deepEqual(long.subarray(0, 4), fromHex("41 2c  40 46")); // two-byte varints 300 and 70
});

Deno.test("FrameDecoder gives the same frames however the bytes are split", () => {
  const frames = fc.array(
    fc.record({ type: fc.nat(100_000), payload: fc.uint8Array({ maxLength: 300 }) }, {
      noNullPrototype: true,
    }),
  );
  fc.assert(fc.property(frames, fc.array(fc.integer({ min: 1, max: 50 })), (frames, cuts) => {
    const bytes = Uint8Array.from(frames.flatMap((f) => [...encodeFrame(f.type, f.payload)]));
    const decoder = new FrameDecoder();
    const got: Frame[] = [];
    let offset = 0;
    for (let i = 0; offset < bytes.length; i++) {
      const end = offset + (cuts[i % Math.max(cuts.length, 1)] ?? 1);
      got.push(...decoder.handleBytes(bytes.subarray(offset, end)));
      offset = end;
    }
    assert.deepEqual(got, frames);
    assert.equal(decoder.isMidFrame, false);
  }));
});

Deno.test("FrameDecoder takes the largest frame a byte at a time as quickly as at once", () => {
  const frame = encodeFrame(1, new Uint8Array(FRAME_BYTES_MAX).fill(7));
  const decoder = new FrameDecoder();
  const startMs = performance.now();
  let frames = 0;
  for (let at = 0; at < frame.length; at++) {
    for (const { payload } of decoder.handleBytes(frame.subarray(at, at + 1))) {
      frames++;
      assert.deepEqual([payload.length, payload[0], payload.at(-1)], [FRAME_BYTES_MAX, 7, 7]);
    }
  }
  assert.equal(frames, 1);
  assert.equal(decoder.isMidFrame, false);
  // Copying what there is for each byte would be 34 GB.
  assert.ok(performance.now() - startMs < 2_000);
});

Deno.test("FrameDecoder refuses an oversize length before the payload arrives", () => {
  const over = FRAME_BYTES_MAX + 1;
  const header = new Uint8Array([1, 0x80, over >>> 16, over >>> 8, over]);
  assert.throws(() => [...new FrameDecoder().handleBytes(header)], ProtocolError);
  const huge = fromHex("01 ff ff ff ff ff ff ff ff");
  assert.throws(() => [...new FrameDecoder().handleBytes(huge)], ProtocolError);
});
