/**
 * Cutting and naming written down a second time, as plainly as the words in the layout and in the paper,
 * for the tests to compare with.
 */
import { createHash } from "node:crypto";
import { concat, utf8 } from "../../../src/base/bytes.ts";
import { sha256 } from "../../../src/base/digest.ts";
import { chunkerFor, type ChunkerParameters } from "../../../src/store/chunks/mod.ts";
import { GEAR } from "../../../src/store/chunks/gear.ts";

/** One chunk of a file that need not exist. */
export interface PlainChunk {
  readonly hash: Uint8Array;
  readonly length: number;
}

/** Bytes that look random and are always the same: SHAKE128 of a label. */
export function noise(length: number, label = "landropic"): Uint8Array<ArrayBuffer> {
  return new Uint8Array(createHash("shake128", { outputLength: length }).update(label).digest());
}

/** Lengths of the chunks of `bytes`, one byte at a time. */
export function plainCuts(bytes: Uint8Array, p: ChunkerParameters): number[] {
  const lengths: number[] = [];
  let length = 0;
  let hash = 0;
  for (const byte of bytes) {
    length++;
    if (length > p.minBytes) hash = ((hash << 1) + GEAR[byte]!) | 0;
    const mask = length <= p.normalBytes ? p.strictMask : p.looseMask;
    if (length === p.maxBytes || (length > p.minBytes && (hash & mask) === 0)) {
      lengths.push(length);
      length = 0;
      hash = 0;
    }
  }
  if (length > 0) lengths.push(length);
  return lengths;
}

/** The chunks of `bytes`. */
export function plainChunks(bytes: Uint8Array): PlainChunk[] {
  let start = 0;
  return plainCuts(bytes, chunkerFor(bytes.length)).map((length) => {
    start += length;
    return { length, hash: sha256(bytes.subarray(start - length, start)) };
  });
}

/** A made-up chunk: the same hash for the same name. */
export function madeUpChunk(name: string | number, length: number): PlainChunk {
  return { hash: sha256(utf8(`chunk ${name}`)), length };
}

/** The encoded recipe of a file with these chunks, and its digest. */
export function plainRecipe(chunks: readonly PlainChunk[]): {
  bytes: Uint8Array<ArrayBuffer>;
  groupList: Uint8Array<ArrayBuffer>;
  digest: Uint8Array;
} {
  const groups: PlainChunk[][] = [];
  let open: PlainChunk[] = [];
  for (const chunk of chunks) {
    open.push(chunk);
    const isEnd = word(chunk.hash.subarray(28)) < Math.floor(2 ** 32 / 24);
    if (open.length === 128 || (open.length >= 8 && isEnd)) {
      groups.push(open);
      open = [];
    }
  }
  if (open.length > 0) groups.push(open);
  const size = sum(chunks);
  const groupList = concat([
    utf8("LDR-file/1"),
    [chunkerFor(size).id],
    u32(Math.floor(size / 2 ** 32)),
    u32(size % 2 ** 32),
    u32(groups.length),
    ...groups.flatMap((g) => [groupHash(g), [g.length], u32(sum(g))]),
  ].map((part) => Uint8Array.from(part)));
  const bytes = concat([groupList, chunkList(chunks)]);
  return { bytes, groupList, digest: sha256(groupList) };
}

function groupHash(group: readonly PlainChunk[]): Uint8Array {
  if (group.length === 1) return group[0]!.hash;
  return sha256(concat([utf8("LDR-group/1"), chunkList(group)]));
}

function chunkList(chunks: readonly PlainChunk[]): Uint8Array {
  return concat(chunks.flatMap((chunk) => [chunk.hash, u32(chunk.length)]));
}

function sum(chunks: readonly PlainChunk[]): number {
  return chunks.reduce((total, chunk) => total + chunk.length, 0);
}

function u32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value);
  return bytes;
}

function word(bytes: Uint8Array): number {
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(0);
}
