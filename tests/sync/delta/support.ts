import { Buffer } from "node:buffer";
import * as fs from "node:fs";
import { setImmediate } from "node:timers";
import { type Clock, systemClock } from "../../../src/base/clock.ts";
import type { RelPath } from "../../../src/base/paths.ts";
import { type ByteRange, STATUS } from "../../../src/protocol/mod.ts";
import { encodeChunkLists, type Recipe, recipeOf, type Root } from "../../../src/store/mod.ts";
import type { ContentSource, WantedContent } from "../../../src/sync/delta/mod.ts";
import { ContentGetter } from "../../../src/sync/delta/mod.ts";
import { OpenShare } from "../../../src/sync/mod.ts";
import type { Failure, FileSink, WantedVersion } from "../../../src/sync/transfer/remote_share.ts";
import { openIndexOf, openShareOf, testDevice } from "../../support/test_device.ts";
import { temporaryFolder, writeTree } from "../../support/tree.ts";
import { noise } from "../../store/chunks/reference.ts";

export { noise };

/** Time of every file in these tests: long enough ago that no scan finds it racy. */
export const MTIME_MS = 1_700_000_000_123;
const PIECE_BYTES = 100_000;

/** Contents that several tests share are hashed once. */
const recipes = new WeakMap<Uint8Array, Recipe>();

/** The peer's side as one file in memory; what it answers can be tampered with. */
export class FakeRemote implements ContentSource {
  readonly recipe: Recipe;
  /** What was asked for, in order. */
  readonly asked: string[] = [];
  /** Ranges that were asked for. */
  readonly ranges: ByteRange[] = [];
  /** Changes the answer to a request for a recipe. */
  onRecipe: (answer: Uint8Array, groups: readonly number[]) => Uint8Array | Failure = (a) => a;
  /** Changes the bytes sent for one range; may throw, as a broken connection does. */
  onRange: (bytes: Uint8Array, range: ByteRange) => Uint8Array = (bytes) => bytes;
  /** How answers with bytes end. */
  endStatus: Failure | 0 = STATUS.ok;
  /** Called with each piece before it is handed over; may throw. */
  onPiece: (bytes: number) => void = () => {};

  constructor(readonly contents: Uint8Array) {
    this.recipe = recipes.get(contents) ?? recipeOf(contents);
    recipes.set(contents, this.recipe);
  }

  getRecipe(_path: RelPath, groups: readonly number[]): Promise<Uint8Array | Failure> {
    this.asked.push(groups.length === 0 ? "list" : "groups");
    const answer = groups.length === 0
      ? this.recipe.groups.bytes.slice()
      : encodeChunkLists(this.recipe, groups);
    return Promise.resolve(this.onRecipe(answer, groups));
  }

  async getRanges(
    _file: WantedVersion,
    ranges: readonly ByteRange[],
    sink: FileSink,
  ): Promise<void> {
    this.asked.push("ranges");
    sink.begin(0);
    for (const range of ranges) {
      this.ranges.push(range);
      const bytes = this.contents.slice(range.offset, range.offset + range.length);
      await this.#send(this.onRange(bytes, range), sink);
    }
    await this.#end(sink);
  }

  async getFiles(files: readonly WantedVersion[], sink: FileSink): Promise<void> {
    this.asked.push("whole");
    sink.begin(0);
    await this.#send(this.contents.subarray(files[0]!.offset), sink);
    await this.#end(sink);
  }

  async #send(bytes: Uint8Array, sink: FileSink): Promise<void> {
    for (let at = 0; at < bytes.length; at += PIECE_BYTES) {
      const piece = bytes.slice(at, at + PIECE_BYTES);
      this.onPiece(piece.length);
      await sink.bytes(0, piece);
      piece.fill(0xee);
      // Now and then, as a network does, so that whatever runs beside it gets on.
      if (at % (8 * PIECE_BYTES) === 0) await new Promise((resolve) => setImmediate(resolve));
    }
  }

  async #end(sink: FileSink): Promise<void> {
    if (this.endStatus === STATUS.ok) await sink.end(0);
    else sink.fail(0, this.endStatus);
  }
}

/** What a test may want otherwise. */
export interface GetterOptions {
  readonly fsync?: boolean;
  readonly clock?: Clock;
  readonly root?: Root;
}

/** A share with a getter, and a peer that has one file. */
export interface GetterFixture extends AsyncDisposable {
  readonly folder: string;
  readonly share: OpenShare;
  readonly abort: AbortController;
  /** A getter for one session. */
  getter(remote: ContentSource, options?: GetterOptions): ContentGetter;
}

/** Opens a folder with the files given, all of them hashed and remembered. */
export async function getterFixture(
  files: { readonly [name: string]: Uint8Array } = {},
): Promise<GetterFixture> {
  const temporary = temporaryFolder();
  const folder = `${temporary.path}/share`;
  writeTree(folder, files, MTIME_MS);
  const device = testDevice(`${temporary.path}/home`, "A");
  const index = await openIndexOf(device);
  const abort = new AbortController();
  const share = await openShareOf(device, {
    path: folder,
    role: "target",
    index,
    signal: abort.signal,
  });
  await share.scan({ checksum: true, filters: [] });
  return {
    folder,
    share,
    abort,
    getter: (remote, options = {}) =>
      new ContentGetter({
        root: options.root ?? share.root,
        index: share.index,
        content: share.content,
        remote,
        clock: options.clock ?? systemClock,
        fsync: options.fsync ?? true,
        signal: abort.signal,
        onBytes: () => {},
      }),
    async [Symbol.asyncDispose]() {
      share[Symbol.dispose]();
      await index[Symbol.asyncDispose]();
      temporary[Symbol.dispose]();
    },
  };
}

/** What the plan says of a file that the peer has, and of the one that it replaces. */
export function wantedOf(
  remote: FakeRemote,
  more: Partial<WantedContent> = {},
): WantedContent {
  return {
    path: "f" as RelPath,
    source: "f" as RelPath,
    size: remote.contents.length,
    mtimeMs: MTIME_MS + 1000,
    digest: undefined,
    old: undefined,
    ...more,
  };
}

/** The old version of a path in the folder, as the plan has it. */
export function oldOf(folder: string, name = "f"): { size: number; mtimeMs: number } {
  const { size, mtimeMs } = fs.statSync(`${folder}/${name}`);
  return { size, mtimeMs: Math.floor(mtimeMs) };
}

/** Everything in landropic's folder for files that are not complete. */
export function partialNames(folder: string): string[] {
  try {
    return fs.readdirSync(`${folder}/.landropic/partial`).sort();
  } catch {
    return [];
  }
}

/** Joins pieces. */
export function joined(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/** True for equal contents, at the speed of memory. */
export function isSame(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}
