import assert from "node:assert/strict";
import fc from "fast-check";
import { toHex } from "../../../src/base/bytes.ts";
import {
  type AssemblyStep,
  CHUNKERS,
  ChunkIndex,
  decodeRecipe,
  planAssembly,
  type Recipe,
  recipeOf,
  totalsOf,
} from "../../../src/store/chunks/mod.ts";
import { hashOfZeros } from "../../../src/store/chunks/zeros.ts";
import { madeUpChunk, noise, plainRecipe } from "./reference.ts";

const { minBytes: MIN, maxBytes: MAX } = CHUNKERS[0]!;
const ZEROS = { hash: hashOfZeros(MAX), length: MAX };

/** A file whose chunks go by these names; 0 is a chunk of zeros. */
function file(...names: number[]): Recipe {
  const chunks = names.map((name) => name === 0 ? ZEROS : madeUpChunk(name, MIN + name));
  return decodeRecipe(plainRecipe(chunks).bytes);
}

function indexOf(...sources: Recipe[]): ChunkIndex {
  const index = new ChunkIndex();
  for (const source of sources) index.addSource(source);
  return index;
}

/** Where every chunk of a file begins. */
function offsetsOf(recipe: Recipe): number[] {
  let offset = 0;
  return Array.from({ length: recipe.chunkCount }, (_, i) => {
    offset += recipe.chunkBytes(i);
    return offset - recipe.chunkBytes(i);
  });
}

/** The hashes of the chunks that lie exactly at `[offset, offset + length)` of a file. */
function hashesAt(recipe: Recipe, offset: number, length: number): string[] {
  const offsets = offsetsOf(recipe);
  const first = offsets.indexOf(offset);
  const hashes: string[] = [];
  for (let i = first; length > 0; i++) {
    hashes.push(toHex(recipe.chunkHash(i)));
    length -= recipe.chunkBytes(i);
  }
  assert.equal(length, 0);
  return hashes;
}

/** Checks a plan against what it is made from, step by step. */
function checkPlan(wanted: Recipe, sources: Recipe[], steps: AssemblyStep[]): void {
  const offsets = offsetsOf(wanted);
  const fetches = steps.filter((step) => step.kind === "fetch");
  let offset = 0;
  let chunk = 0;
  for (const step of steps) {
    assert.deepStrictEqual([step.offset, step.firstChunk], [offset, chunk]);
    assert.equal(offsets[step.firstChunk], step.offset);
    const hashes = hashesAt(wanted, step.offset, step.length);
    assert.equal(hashes.length, step.chunkCount);
    if (step.kind === "zeros") {
      assert.deepStrictEqual(new Set(hashes), new Set([toHex(ZEROS.hash)]));
    } else if (step.kind === "copy") {
      assert.deepStrictEqual(
        hashesAt(sources[step.source]!, step.sourceOffset, step.length),
        hashes,
      );
    } else if (step.kind === "repeat") {
      assert.deepStrictEqual(hashesAt(wanted, step.sourceOffset, step.length), hashes);
      const end = step.sourceOffset + step.length;
      assert.ok(fetches.some((f) => f.offset <= step.sourceOffset && end <= f.offset + f.length));
    }
    offset += step.length;
    chunk += step.chunkCount;
  }
  assert.deepStrictEqual([offset, chunk], [wanted.size, wanted.chunkCount]);
}

const names = (most: number) => fc.array(fc.nat(most), { maxLength: 40 });

Deno.test("planAssembly() tiles the file, copies equal chunks only, and fetches no chunk twice", () => {
  fc.assert(
    fc.property(names(20), fc.array(names(12), { maxLength: 5 }), (wantedNames, sourceNames) => {
      const wanted = file(...wantedNames);
      const sources = sourceNames.map((list) => file(...list));
      const steps = planAssembly(wanted, indexOf(...sources));
      checkPlan(wanted, sources, steps);
      const known = new Set([0, ...sourceNames.flat()]);
      const fetched = steps.flatMap((step) =>
        step.kind === "fetch"
          ? wantedNames.slice(step.firstChunk, step.firstChunk + step.chunkCount)
          : []
      );
      assert.deepStrictEqual(
        fetched.toSorted((a, b) => a - b),
        [...new Set(wantedNames.filter((name) => !known.has(name)))].sort((a, b) => a - b),
      );
    }),
    { numRuns: 300 },
  );
});

Deno.test("planAssembly() leaves no two steps that could be one", () => {
  fc.assert(fc.property(names(20), names(12), (wantedNames, sourceNames) => {
    const steps = planAssembly(file(...wantedNames), indexOf(file(...sourceNames)));
    steps.slice(1).forEach((step, i) => {
      const before = steps[i]!;
      if (step.kind !== before.kind) return;
      assert.ok(step.kind === "copy" || step.kind === "repeat");
      const end = (before as typeof step).sourceOffset + before.length;
      assert.notEqual(step.sourceOffset, end);
    });
  }));
});

Deno.test("planAssembly() makes one copy of a file that is there, and one fetch of one that isn't", () => {
  const wanted = file(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12);
  assert.deepStrictEqual(planAssembly(wanted, indexOf(file(3), wanted)), [{
    kind: "copy",
    offset: 0,
    length: wanted.size,
    firstChunk: 0,
    chunkCount: 12,
    source: 1,
    sourceOffset: 0,
  }]);
  assert.deepStrictEqual(planAssembly(wanted, indexOf()), [{
    kind: "fetch",
    offset: 0,
    length: wanted.size,
    firstChunk: 0,
    chunkCount: 12,
  }]);
  assert.deepStrictEqual(planAssembly(file(), indexOf(wanted)), []);
});

Deno.test("planAssembly() makes holes of zeros even where a source has them", () => {
  const steps = planAssembly(file(1, 0, 0, 2), indexOf(file(0, 1)));
  assert.deepStrictEqual(steps.map((step) => step.kind), ["copy", "zeros", "fetch"]);
  assert.deepStrictEqual(totalsOf(steps), {
    copy: MIN + 1,
    zeros: 2 * MAX,
    fetch: MIN + 2,
    repeat: 0,
  });
});

Deno.test("an inserted byte costs one or two chunks to fetch; the rest is two copies", () => {
  const old = noise(3_000_000);
  const changed = new Uint8Array(old.length + 1);
  changed.set(old.subarray(0, 1_500_000));
  changed.set(old.subarray(1_500_000), 1_500_001);
  const sources = [recipeOf(old)];
  const wanted = recipeOf(changed);
  const steps = planAssembly(wanted, indexOf(...sources));
  checkPlan(wanted, sources, steps);
  assert.deepStrictEqual(steps.map((step) => step.kind), ["copy", "fetch", "copy"]);
  assert.ok(totalsOf(steps).fetch < 2 * MAX);
});
