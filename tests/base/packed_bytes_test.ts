import assert from "node:assert/strict";
import fc from "fast-check";
import { concat } from "../../src/base/bytes.ts";
import { PackedBytes, Packer } from "../../src/base/packed_bytes.ts";

Deno.test("PackedBytes gives back what it was given, and never takes more", () => {
  const raws = fc.tuple(fc.uint8Array({ maxLength: 3000 }), fc.integer({ min: 0, max: 20 }))
    .map(([bytes, times]) => concat(Array.from({ length: times }, () => bytes)));
  fc.assert(fc.property(raws, (raw) => {
    for (const packed of [PackedBytes.pack(raw.slice()), PackedBytes.plain(raw.slice())]) {
      assert.deepEqual(packed.unpack(), raw);
      assert.ok(packed.length <= raw.length);
    }
  }));
});

Deno.test("PackedBytes takes less for what repeats, and keeps noise as it is", () => {
  const text = new Uint8Array(100_000).map((_, i) => i % 50 + i % 7);
  assert.ok(PackedBytes.pack(text).length < 10_000);
  const noise = crypto.getRandomValues(new Uint8Array(60_000));
  const packed = PackedBytes.pack(noise);
  assert.equal(packed.length, noise.length);
  assert.equal(packed.unpack(), noise);
});

Deno.test("Packer packs what comes once there is as much as may stay as it is", () => {
  const packer = new Packer(25_000);
  const zeros = () => new Uint8Array(10_000);
  const kept = Array.from({ length: 5 }, () => packer.keep(zeros()));
  assert.deepEqual(kept.map(({ length }) => length === 10_000), [
    true,
    true,
    false,
    false,
    false,
  ]);
  for (const packed of kept) assert.deepEqual(packed.unpack(), zeros());
});
