/** What the benchmark syncs: folders made from a seed, and what is done to them between two runs. */
import { createCipheriv } from "node:crypto";
import * as fs from "node:fs";
import { join } from "node:path";
import { concat } from "../../src/base/bytes.ts";
import type { NetProfile } from "../support/netlab/netlab.ts";

/** A folder and what happens to it, step by step. Each step is followed by a run of the tool. */
export interface Workload {
  readonly name: string;
  readonly steps: readonly Step[];
  /** Takes so long, or so much room, that it only runs where it is named. */
  readonly isByNameOnly?: boolean;
  /** Bytes of the files of the first copy, about. */
  readonly bytes: number;
}

/** One change of the source, then one run. */
export interface Step {
  readonly name: string;
  /** Changes the source folder. */
  apply(source: string): void;
  /** File bytes that the step has to bring across, where a rate is worth showing. */
  readonly bytes?: number;
  /** What it should take at most on two cores, by the network (docs/performance.md). */
  readonly bars?: { readonly [net in NetProfile]?: Bar };
}

/** Upper bounds. */
export interface Bar {
  readonly seconds?: number;
  readonly wireBytes?: number;
  /** What rsync took on the machine on which `seconds` were set: elsewhere both take longer, or less. */
  readonly rsyncSeconds?: number;
}

const MIB = 2 ** 20;
/** All times lie in the past and an hour apart, so that no tool finds a file too fresh to trust. */
const FIRST_TIME_S = 1_700_000_000;
const STEP_TIME_S = 3600;

/** All workloads, smaller by `divisor`. Bars hold for the full size. */
export function workloads(divisor: number): Workload[] {
  const all = [
    large(1024 * MIB / divisor),
    text(400e6 / divisor),
    small(20_000 / divisor),
    sourceTree(6_000 / divisor),
    many(100_000 / divisor),
    million(1_000_000 / divisor),
  ];
  return divisor === 1 ? all : all.map(withoutBars);
}

/** One file that does not compress. */
function large(bytes: number): Workload {
  return {
    name: "large",
    bytes,
    steps: [
      {
        name: "first copy",
        bytes,
        apply: (source) => writeFile(join(source, "large.bin"), 0, noisePieces(bytes, "large")),
        bars: {
          loopback: { seconds: bytes / 300e6, rsyncSeconds: bytes / 220e6 },
          lan1g: { seconds: bytes / 85e6, rsyncSeconds: bytes / 89e6 },
          lossy: { seconds: bytes / 10e6, rsyncSeconds: bytes / 0.25e6 },
        },
      },
      { name: "unchanged", apply: () => {}, bars: { loopback: UNCHANGED } },
      {
        name: "one byte inserted at the front",
        apply: (source) => insertAtFront(join(source, "large.bin"), 1),
        bars: { loopback: { seconds: 2.5, wireBytes: 150e3, rsyncSeconds: 3.0 } },
      },
    ],
  };
}

/** Text in files of 20 MB, as logs and dumps are. */
function text(bytes: number): Workload {
  const count = 20;
  return {
    name: "text",
    bytes,
    steps: [
      {
        name: "first copy",
        bytes,
        apply: (source) => {
          for (let i = 0; i < count; i++) {
            writeFile(join(source, `log-${i}.txt`), 0, textPieces(bytes / count, `text ${i}`));
          }
        },
        bars: { lan1g: { seconds: bytes / 130e6, rsyncSeconds: bytes / 60e6 } },
      },
      { name: "unchanged", apply: () => {}, bars: { loopback: UNCHANGED } },
    ],
  };
}

/** Files of 8 KB that do not compress, 100 to a folder, ten folders in each of the top ones. */
function small(count: number): Workload {
  const paths = Array.from({ length: count }, (_, i) => {
    const folder = Math.floor(i / 100);
    const name = `file-${String(i).padStart(5, "0")}.dat`;
    return join(`group-${Math.floor(folder / 10)}`, `folder-${folder % 10}`, name);
  });
  const bytes = count * 8000;
  // Spread over all folders.
  const every = (offset: number) => paths.filter((_, i) => i % 100 === offset);
  return {
    name: "small",
    bytes,
    steps: [
      {
        name: "first copy",
        bytes,
        apply: (source) => {
          const noise = noiseOf("small");
          for (const path of paths) writeFile(join(source, path), 0, [noise(8000)]);
        },
        bars: { loopback: { seconds: 2.0, rsyncSeconds: 2.4 } },
      },
      {
        name: "unchanged",
        apply: () => {},
        bars: { loopback: { ...UNCHANGED, rsyncSeconds: 0.58 } },
      },
      {
        name: "1 % modified",
        apply: (source) => {
          const noise = noiseOf("modified");
          for (const path of every(17)) writeFile(join(source, path), 1, [noise(8000)]);
        },
        bars: { loopback: { seconds: 0.5, rsyncSeconds: 0.8 } },
      },
      {
        name: "a folder of 1000 renamed",
        apply: (source) => fs.renameSync(join(source, "group-1"), join(source, "renamed")),
        bars: { loopback: { seconds: 0.45, wireBytes: 64e3 } },
      },
      {
        name: "1 % deleted",
        apply: (source) => {
          for (const path of every(42)) {
            fs.rmSync(join(source, path.replace(/^group-1\b/, "renamed")));
          }
        },
        bars: { loopback: { seconds: 0.5 } },
      },
    ],
  };
}

/** What a checked-out project looks like: deep, uneven, mostly text, a few links. */
function sourceTree(count: number): Workload {
  // About; sizes are drawn.
  const bytes = count * 11_000;
  return {
    name: "tree",
    bytes,
    steps: [
      { name: "first copy", bytes, apply: (source) => writeTree(source, count) },
      { name: "unchanged", apply: () => {}, bars: { loopback: UNCHANGED } },
    ],
  };
}

/** So many files that what is kept of each one shows. */
function many(count: number): Workload {
  return {
    name: "many",
    bytes: count * 100,
    steps: [
      {
        name: "first copy",
        bytes: count * 100,
        apply: (source) => {
          const noise = noiseOf("many");
          for (let i = 0; i < count; i++) {
            const folder = String(Math.floor(i / 250)).padStart(4, "0");
            writeFile(join(source, folder, `file-${i}.dat`), 0, [noise(100)]);
          }
        },
      },
      { name: "unchanged", apply: () => {} },
    ],
  };
}

/** A million entries, and everything that can be done to all of them. */
function million(count: number): Workload {
  const paths = Array.from({ length: count }, (_, i) => {
    const folder = Math.floor(i / 250);
    return join(`group-${Math.floor(folder / 100)}`, `folder-${folder}`, `file-${i}.dat`);
  });
  const bytes = 100;
  const writeAll = (source: string, step: number) => {
    const noise = noiseOf(`million ${step}`);
    for (const path of paths) writeFile(join(source, path), step, [noise(bytes)]);
  };
  return {
    name: "million",
    isByNameOnly: true,
    // A block of the file system each.
    bytes: count * 4096,
    steps: [
      { name: "first copy", bytes: count * bytes, apply: (source) => writeAll(source, 0) },
      { name: "unchanged", apply: () => {} },
      { name: "all modified", bytes: count * bytes, apply: (source) => writeAll(source, 1) },
      {
        name: "all touched",
        apply: (source) => {
          const time = FIRST_TIME_S + 2 * STEP_TIME_S;
          for (const path of paths) fs.utimesSync(join(source, path), time, time);
        },
      },
      {
        name: "all folders renamed",
        apply: (source) => {
          for (const group of fs.readdirSync(source).filter((name) => name.startsWith("group-"))) {
            fs.renameSync(join(source, group), join(source, `renamed-${group}`));
          }
        },
      },
      {
        name: "40 % deleted",
        apply: (source) => {
          for (const [i, path] of paths.entries()) {
            if (i % 5 < 2) fs.rmSync(join(source, `renamed-${path}`));
          }
        },
      },
    ],
  };
}

const UNCHANGED: Bar = { seconds: 0.35, wireBytes: 4e3 };

function withoutBars(workload: Workload): Workload {
  const steps = workload.steps.map(({ bars: _, ...step }) => step);
  return { ...workload, steps };
}

function writeFile(path: string, step: number, pieces: Iterable<Uint8Array>): void {
  makeFolderOf(path);
  const file = fs.openSync(path, "w");
  for (const piece of pieces) fs.writeSync(file, piece);
  fs.closeSync(file);
  const time = FIRST_TIME_S + step * STEP_TIME_S;
  fs.utimesSync(path, time, time);
}

let lastFolder = "";

function makeFolderOf(path: string): void {
  const folder = join(path, "..");
  if (folder !== lastFolder) fs.mkdirSync(folder, { recursive: true });
  lastFolder = folder;
}

/** Written beside and renamed over, as editors do. */
function insertAtFront(path: string, step: number): void {
  const old = fs.openSync(path, "r");
  const buffer = new Uint8Array(4 * MIB);
  writeFile(
    `${path}.new`,
    step,
    function* () {
      yield Uint8Array.of(7);
      for (let count; (count = fs.readSync(old, buffer)) > 0;) yield buffer.subarray(0, count);
    }(),
  );
  fs.closeSync(old);
  fs.renameSync(`${path}.new`, path);
}

/** Bytes without any pattern, always the same for the same seed: AES in counter mode over zeros. */
function noiseOf(seed: string): (bytes: number) => Uint8Array {
  const key = new TextEncoder().encode(seed.padEnd(16).slice(0, 16));
  const cipher = createCipheriv("aes-128-ctr", key, new Uint8Array(16));
  const zeros = new Uint8Array(MIB);
  return (bytes) => cipher.update(zeros.subarray(0, bytes));
}

function* noisePieces(bytes: number, seed: string): Generator<Uint8Array> {
  const noise = noiseOf(seed);
  for (let left = bytes; left > 0; left -= MIB) yield noise(Math.min(left, MIB));
}

/** Lines of made-up words, the common ones short and often: zstd makes a third of it. */
function* textPieces(bytes: number, seed: string): Generator<Uint8Array> {
  const noise = noiseOf(seed);
  const words = wordsOf(noise(40_000));
  for (let left = bytes; left > 0;) {
    const choices = noise(MIB / 4);
    const lines: string[] = [];
    for (let i = 0; i < choices.length; i += 2) {
      const choice = (choices[i]! << 8 | choices[i + 1]!) / 65_536;
      lines.push(words[Math.floor(words.length * choice ** 3)]!, i % 24 === 0 ? "\n" : " ");
    }
    const piece = new TextEncoder().encode(lines.join("")).subarray(0, left);
    left -= piece.length;
    yield piece;
  }
}

function wordsOf(letters: Uint8Array): string[] {
  const words: string[] = [];
  for (let i = 0; i + 10 < letters.length; i += 10) {
    const length = 2 + Math.floor(letters[i]! * words.length * 10 / letters.length / 256);
    const word = letters.subarray(i, i + Math.min(length, 10)).map((byte) => 97 + byte % 26);
    words.push(String.fromCharCode(...word));
  }
  return words;
}

function writeTree(source: string, count: number): void {
  const draw = drawsOf("tree");
  const text = concat([...textPieces(4 * MIB, "tree text")]);
  const folders = [""];
  for (let i = 0; i < count; i++) {
    if (draw() < 0.08) {
      const parent = folders[Math.floor(draw() * folders.length)]!;
      if (parent.split("/").length < 12) folders.push(join(parent, `module-${folders.length}`));
    }
    const folder = join(source, folders[Math.floor(folders.length * (1 - draw() ** 2))] ?? "");
    // 200 bytes to 100 KB, half of them under 2 KB.
    const size = Math.floor(200 * 2 ** (draw() ** 1.6 * 9));
    const start = Math.floor(draw() * (text.length - size));
    writeFile(join(folder, `source-${i}.ts`), 0, [text.subarray(start, start + size)]);
    if (draw() < 0.01) fs.symlinkSync(`source-${i}.ts`, join(folder, `link-${i}.ts`));
  }
}

/** Numbers in [0, 1), always the same for the same seed. */
function drawsOf(seed: string): () => number {
  const noise = noiseOf(seed);
  return () => {
    const [a, b, c, d] = noise(4);
    return (((a! * 256 + b!) * 256 + c!) * 256 + d!) / 2 ** 32;
  };
}
