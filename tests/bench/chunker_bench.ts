/**
 * How fast files are cut, hashed and planned, and how much of a file is found again after a change.
 * One core, no disk. The best of several runs.
 *
 *     deno run -A tests/bench/chunker_bench.ts
 *
 * Options: `--mib 256` bytes of one run, `--runs 3`, `--json`.
 */
import { hash } from "node:crypto";
import { parseArgs } from "node:util";
import { concat } from "../../src/base/bytes.ts";
import {
  Chunker,
  chunkerFor,
  ChunkIndex,
  decodeGroupList,
  decodeRecipe,
  encodeChunkLists,
  hashFile,
  planAssembly,
  type Recipe,
  RecipeBuilder,
  RecipeCollector,
  recipeOf,
  totalsOf,
} from "../../src/store/mod.ts";
import { noise, plainRecipe } from "../store/chunks/reference.ts";

const MIB = 2 ** 20;
const GIB = 2 ** 30;
const SMALL_FILES = 10_000;
const SMALL_BYTES = 8192;
const EDITS_EVERY = 2 * MIB;

/** Edits, by what they make of the bytes from their place on. */
const EDITS = {
  "byte inserted": (at: Uint8Array) => [Uint8Array.of(at[0]! ^ 0x55), at],
  "byte changed": (at: Uint8Array) => [Uint8Array.of(at[0]! ^ 0x55), at.subarray(1)],
  "1500 bytes replaced by 2000": (at: Uint8Array) => [
    at.subarray(at.length - 2000).toReversed(),
    at.subarray(1500),
  ],
};

interface Measure {
  readonly what: string;
  readonly value: number;
  readonly unit: string;
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      mib: { type: "string", default: "256" },
      runs: { type: "string", default: "3" },
      json: { type: "boolean", default: false },
    },
  });
  const measures = await measureAll(Number(values.mib) * MIB, Number(values.runs));
  if (values.json) console.log(JSON.stringify(measures));
  else for (const m of measures) console.log(`${m.what.padEnd(58)} ${format(m.value)} ${m.unit}`);
}

async function measureAll(bytes: number, runs: number): Promise<Measure[]> {
  const random = noise(bytes, "random");
  const measures: Measure[] = [];
  const inputs = { random, text: text(bytes), zeros: new Uint8Array(bytes) };
  for (const [name, data] of Object.entries(inputs)) {
    const cut = fastest(runs, () => cutAll(data));
    measures.push({ what: `cut ${name}`, value: bytes / cut / 1000, unit: "MB/s" });
    const build = fastest(runs, () => build1MiB(data));
    measures.push({ what: `recipe of ${name}`, value: bytes / build / 1000, unit: "MB/s" });
    const recipe = build1MiB(data);
    measures.push({
      what: `average chunk of ${name}`,
      value: bytes / recipe.chunkCount / 1024,
      unit: "KiB",
    });
  }
  measures.push(await measureHashFile(random, runs));
  measures.push(measureSha256(random, runs));
  measures.push(...measureSmallFiles(random, runs));
  measures.push(...measureLookups(runs));
  for (const name of ["random", "text"] as const) {
    measures.push(...measureEdits(name, inputs[name]));
  }
  measures.push(...measureInsertAtFront(random));
  return measures;
}

function cutAll(data: Uint8Array): void {
  const chunker = new Chunker(chunkerFor(data.length));
  for (let start = 0; start < data.length; start += MIB) {
    const piece = data.subarray(start, start + MIB);
    for (let at = 0; (at = chunker.findCut(piece, at)) >= 0;);
  }
}

function build1MiB(data: Uint8Array): Recipe {
  const builder = new RecipeBuilder(data.length);
  for (let start = 0; start < data.length; start += MIB) {
    builder.update(data.subarray(start, start + MIB));
  }
  return builder.finish();
}

async function measureHashFile(data: Uint8Array, runs: number): Promise<Measure> {
  let best = Infinity;
  for (let run = 0; run < runs; run++) {
    const begin = performance.now();
    await hashFile((into, position) => {
      const part = data.subarray(position, position + into.length);
      into.set(part);
      return part.length;
    }, data.length);
    best = Math.min(best, performance.now() - begin);
  }
  return {
    what: "hashFile of random, from memory",
    value: data.length / best / 1000,
    unit: "MB/s",
  };
}

/** The floor: SHA-256 of pieces as long as chunks are. */
function measureSha256(data: Uint8Array, runs: number): Measure {
  const piece = 36 * 1024;
  const count = Math.floor(data.length / piece);
  const ms = fastest(runs, () => {
    for (let i = 0; i < count; i++) {
      hash("sha256", data.subarray(i * piece, (i + 1) * piece), "hex");
    }
  });
  return { what: "SHA-256 alone, 36 KiB pieces", value: count * piece / ms / 1000, unit: "MB/s" };
}

function measureSmallFiles(data: Uint8Array, runs: number): Measure[] {
  const files = Array.from({ length: SMALL_FILES }, (_, i) => {
    const at = i * SMALL_BYTES % (data.length - SMALL_BYTES);
    return data.subarray(at, at + SMALL_BYTES);
  });
  const recipes = fastest(runs, () => files.forEach((file) => recipeOf(file).digest));
  const hashes = fastest(runs, () => files.forEach((file) => hash("sha256", file, "hex")));
  return [
    { what: "recipe of an 8 KiB file", value: recipes / SMALL_FILES * 1000, unit: "µs" },
    { what: "SHA-256 of it alone", value: hashes / SMALL_FILES * 1000, unit: "µs" },
  ];
}

/** Index and plan of 8 GiB, by names of chunks alone. */
function measureLookups(runs: number): Measure[] {
  const recipe = namesOf(8 * GIB);
  const count = recipe.chunkCount;
  const index = new ChunkIndex();
  index.addSource(recipe);
  const nanoseconds = (ms: number) => ms * 1e6 / count;
  return [
    {
      what: "decodeRecipe, a chunk",
      value: nanoseconds(fastest(runs, () => decodeRecipe(recipe.bytes, recipe.digest))),
      unit: "ns",
    },
    {
      what: "ChunkIndex.addSource, a chunk",
      value: nanoseconds(fastest(runs, () => new ChunkIndex().addSource(recipe))),
      unit: "ns",
    },
    {
      what: "planAssembly, all there, a chunk",
      value: nanoseconds(fastest(runs, () => planAssembly(recipe, index))),
      unit: "ns",
    },
    {
      what: "planAssembly, nothing there, a chunk",
      value: nanoseconds(fastest(runs, () => planAssembly(recipe, new ChunkIndex()))),
      unit: "ns",
    },
    { what: "ChunkIndex memory, a chunk", value: index.memoryBytes / count, unit: "B" },
  ];
}

/** What has to be fetched again for one edit every 2 MiB, in average chunks an edit. */
function measureEdits(name: string, data: Uint8Array): Measure[] {
  const old = recipeOf(data);
  const index = new ChunkIndex();
  index.addSource(old);
  const average = data.length / old.chunkCount;
  return Object.entries(EDITS).map(([kind, edit]) => {
    const { changed, edits } = edited(data, edit);
    const { fetch } = totalsOf(planAssembly(recipeOf(changed), index));
    return {
      what: `${kind}, ${name}: fetched again an edit`,
      value: fetch / average / edits,
      unit: `chunks (${(100 * fetch / changed.length).toFixed(2)} % of the file)`,
    };
  });
}

/** A byte at the front of 1 GiB, by the part that travels; scaled from the data at hand. */
function measureInsertAtFront(data: Uint8Array): Measure[] {
  const old = recipeOf(data);
  const wanted = recipeOf(concat([Uint8Array.of(7), data]));
  const collector = new RecipeCollector(decodeGroupList(wanted.groups.bytes, wanted.digest));
  collector.addRecipe(old);
  const missing = collector.missingGroups();
  const lists = encodeChunkLists(wanted, missing);
  collector.addChunkLists(missing, lists);
  const index = new ChunkIndex();
  index.addSource(old);
  const { fetch } = totalsOf(planAssembly(collector.finish(), index));
  const groupList = wanted.groups.bytes.length * GIB / data.length;
  const what = "byte inserted at the front of 1 GiB:";
  return [
    { what: `${what} group list`, value: groupList / 1000, unit: "KB" },
    { what: `${what} chunk lists`, value: lists.length / 1000, unit: "KB" },
    { what: `${what} chunks`, value: fetch / 1000, unit: "KB" },
  ];
}

/** Applies an edit in the middle of every 2 MiB. */
function edited(
  data: Uint8Array,
  edit: (at: Uint8Array) => Uint8Array[],
): { changed: Uint8Array; edits: number } {
  const parts: Uint8Array[] = [];
  let edits = 0;
  for (let start = 0; start + EDITS_EVERY <= data.length; start += EDITS_EVERY) {
    // Not at a round offset: chunks may have their ends there by chance of the input.
    const at = start + EDITS_EVERY / 2 + (edits * 7919) % (EDITS_EVERY / 4);
    parts.push(data.subarray(start, at), ...edit(data.subarray(at, start + EDITS_EVERY)));
    edits++;
  }
  return { changed: concat(parts), edits };
}

/** A recipe of chunks that nobody has the bytes of. */
function namesOf(bytes: number): Recipe {
  const length = 36 * 1024;
  const count = Math.floor(bytes / length);
  const hashes = noise(count * 32, "names");
  const chunk = (_: unknown, i: number) => ({ hash: hashes.subarray(i * 32, i * 32 + 32), length });
  return decodeRecipe(plainRecipe(Array.from({ length: count }, chunk)).bytes);
}

/** Made-up words with the frequencies that words have, in lines. */
function text(length: number): Uint8Array<ArrayBuffer> {
  const letters = noise(4 * 8192, "letters");
  const words = Array.from({ length: 8192 }, (_, i) => {
    const size = 2 + letters[i * 4]! % 9;
    return letters.subarray(i * 4, i * 4 + size).map((byte) => 97 + byte % 26);
  });
  const choices = noise(length, "choices");
  const bytes = new Uint8Array(length);
  let at = 0;
  for (let i = 0; at < length; i += 2) {
    const choice = (choices[i]! << 8 | choices[i + 1]!) / 65536;
    const word = words[Math.floor(words.length * choice ** 3)]!;
    bytes.set(word.subarray(0, length - at), at);
    at += word.length;
    if (at < length) bytes[at++] = i % 24 === 0 ? 10 : 32;
  }
  return bytes;
}

function fastest(runs: number, work: () => unknown): number {
  let best = Infinity;
  for (let run = 0; run < runs; run++) {
    const begin = performance.now();
    work();
    best = Math.min(best, performance.now() - begin);
  }
  return best;
}

function format(value: number): string {
  return value.toFixed(value < 100 ? 2 : 0).padStart(9);
}
