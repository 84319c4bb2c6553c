import assert from "node:assert/strict";
import { clearImmediate, setImmediate } from "node:timers";
import fc from "fast-check";
import type { Bytes } from "../../../src/base/bytes.ts";
import { hashFile, recipeOf } from "../../../src/store/chunks/mod.ts";
import { noise } from "./reference.ts";

const FILE = noise(3_000_000);

/** A file that gives at most `mostBytes` a read. */
function reader(file: Uint8Array, mostBytes = Infinity) {
  return (into: Bytes, position: number) => {
    const part = file.subarray(position, position + Math.min(into.length, mostBytes));
    into.set(part);
    return part.length;
  };
}

/** The same behind promises; fails when it is called while a call is under way. */
function slowReader(file: Uint8Array) {
  let busy = false;
  const read = reader(file);
  return async (into: Bytes, position: number) => {
    assert.equal(busy, false);
    busy = true;
    await Promise.resolve();
    busy = false;
    return read(into, position);
  };
}

Deno.test("hashFile() gives the recipe of the contents, whatever the reader and the buffer", async () => {
  const expected = recipeOf(FILE).bytes;
  for (const buffer of [undefined, new Uint8Array(300_001), new Uint8Array(8_000_000)]) {
    const options = buffer === undefined ? {} : { buffer };
    for (const read of [reader(FILE), reader(FILE, 77_777), slowReader(FILE)]) {
      assert.deepStrictEqual((await hashFile(read, FILE.length, options)).bytes, expected);
    }
  }
});

Deno.test("hashFile() works at any size around the halves of its buffer", async () => {
  const buffer = new Uint8Array(100);
  await fc.assert(fc.asyncProperty(fc.nat(210), async (size) => {
    const file = FILE.subarray(0, size);
    assert.deepStrictEqual(
      (await hashFile(reader(file), size, { buffer })).bytes,
      recipeOf(file).bytes,
    );
  }));
});

Deno.test("hashFile() reads a small file once", async () => {
  let calls = 0;
  const read = reader(FILE.subarray(0, 5000));
  await hashFile((into, position) => (calls++, read(into, position)), 5000);
  assert.equal(calls, 1);
});

Deno.test("hashFile() notices a file that grew or shrank since it was examined", async () => {
  for (const buffer of [new Uint8Array(1000), new Uint8Array(2_000_000)]) {
    for (const size of [5000, 499, 500, 1, 200_000]) {
      for (const announced of [size - 1, size + 1]) {
        const read = reader(FILE.subarray(0, size));
        await assert.rejects(hashFile(read, announced, { buffer }), { reason: "changed" });
      }
    }
  }
});

Deno.test("hashFile() stops when it is aborted and leaves the buffer alone from then on", async () => {
  const abort = new AbortController();
  let reading = 0;
  const read = reader(FILE);
  const slow = async (into: Bytes, position: number) => {
    reading++;
    if (position > 0) abort.abort(new Error("enough"));
    await new Promise((resolve) => setTimeout(resolve, 1));
    reading--;
    return read(into, position);
  };
  const buffer = new Uint8Array(500_000);
  const hashing = hashFile(slow, FILE.length, { buffer, signal: abort.signal });
  await assert.rejects(hashing, /enough/);
  assert.equal(reading, 0);
  await assert.rejects(hashFile(slow, 10, { signal: abort.signal }), /enough/);
});

Deno.test("hashFile() passes on what the reader throws, early or late, and nothing else", async () => {
  for (const failAt of [0, 1_000_000, 2_900_000]) {
    const read = reader(FILE);
    for (const isAsync of [false, true]) {
      const failing = (into: Bytes, position: number) => {
        if (position + into.length > failAt) {
          if (isAsync) return Promise.reject(new Error("bad sector"));
          throw new Error("bad sector");
        }
        return read(into, position);
      };
      const buffer = new Uint8Array(400_000);
      await assert.rejects(hashFile(failing, FILE.length, { buffer }), /bad sector/);
    }
  }
});

Deno.test("hashFile() lets other work have its turn", async () => {
  let turns = 0;
  let timer = setImmediate(function tick() {
    turns++;
    timer = setImmediate(tick);
  });
  const file = new Uint8Array(20 * 2 ** 20).fill(1);
  await hashFile(reader(file), file.length);
  clearImmediate(timer);
  assert.ok(turns >= 4, `${turns} turns`);
});
