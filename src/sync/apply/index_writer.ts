import { type Digest } from "../../base/digest.ts";
import type { Clock } from "../../base/clock.ts";
import { type DirPath, nameOf, parentOf, type RelPath, sortByName } from "../../base/paths.ts";
import { editedVector, EMPTY_VECTOR, type VectorMember } from "../../base/version_vector.ts";
import {
  buried,
  type EntryRecord,
  isRacy,
  type RootIndex,
  type Tombstone,
} from "../../index/mod.ts";
import type { ChangeResult, FileStat, Recipe } from "../../store/mod.ts";
import { storeRecipe } from "../content/share_content.ts";
import type { Operation } from "./operation.ts";

interface Notes {
  readonly entries: Map<string, EntryRecord>;
  readonly tombstones: Map<string, Tombstone>;
  /** Names where nothing was before. */
  readonly fresh: Set<string>;
}

/** Remembers what was carried out, as if a scan had found it, so that the next scan finds nothing new. */
export class IndexWriter {
  readonly #index: RootIndex;
  readonly #clock: Clock;
  readonly #member: VectorMember;
  readonly #notes = new Map<DirPath, Notes>();

  constructor(
    index: RootIndex,
    by: { readonly clock: Clock; readonly member: VectorMember },
  ) {
    this.#index = index;
    this.#clock = by.clock;
    this.#member = by.member;
  }

  /** Takes in one change that is durable on the disk. */
  note(
    result: ChangeResult & { outcome: "done" },
    operation: Operation,
    recipe: Recipe | undefined,
  ): void {
    const { change, stat } = result;
    switch (change.kind) {
      case "remove":
        this.#noteRemoval(change.path, operation);
        if (change.expected.kind === "dir") this.#buryRest(change.path);
        return;
      case "move":
        if (stat !== undefined) this.#noteMove(change.from, change.path, operation, stat);
        return;
      default: {
        if (stat === undefined) return;
        if (recipe !== undefined) storeRecipe(this.#index, recipe);
        const digest = recipe?.digest ?? digestOf(operation) ?? this.#known(change.path)?.digest;
        this.#noteEntry(change.path, stat, operation, digest);
      }
    }
  }

  /** Hands everything to the index. */
  commit(): void {
    for (const [dir, notes] of this.#notes) {
      this.#index.patchDir(dir, {
        scannedAtMs: Math.floor(this.#clock.wallMs()),
        entries: sorted(notes.entries),
        tombstones: sorted(notes.tombstones),
        removed: [],
      }, notes.fresh);
    }
    this.#notes.clear();
    this.#index.commit();
  }

  #noteEntry(
    path: RelPath,
    stat: FileStat,
    operation: Operation,
    digest: Digest | undefined,
  ): void {
    const notes = this.#of(parentOf(path));
    const name = nameOf(path);
    if (operation.before.kind === "absent") notes.fresh.add(name);
    notes.tombstones.delete(name);
    notes.entries.set(name, {
      name,
      kind: stat.kind as EntryRecord["kind"],
      mode: stat.mode,
      size: stat.kind === "dir" ? 0 : stat.size,
      mtimeMs: stat.mtimeMs,
      mtimeNs: stat.mtimeNs,
      ctimeMs: stat.ctimeMs,
      ctimeNs: stat.ctimeNs,
      ino: stat.ino,
      racy: stat.kind === "file" && isRacy(stat.mtimeMs, this.#clock.wallMs()),
      digest: stat.kind === "file" ? digest : undefined,
      target: operation.op === "make-link" ? operation.target : undefined,
      vector: operation.vector,
    });
  }

  #noteRemoval(path: RelPath, operation: Operation): void {
    const notes = this.#of(parentOf(path));
    const name = nameOf(path);
    notes.fresh.delete(name);
    notes.entries.delete(name);
    notes.tombstones.set(name, {
      name,
      kind: operation.before.kind === "absent" ? "file" : operation.before.kind,
      vector: operation.vector,
      deletedAtMs: Math.floor(this.#clock.wallMs()),
    });
  }

  #noteMove(from: RelPath, path: RelPath, operation: Operation, stat: FileStat): void {
    const known = this.#known(from);
    this.#noteRemoval(from, operation);
    if (stat.kind === "dir") {
      this.commit();
      this.#renameDir(from, path);
    }
    this.#noteEntry(path, stat, operation, known?.digest);
    if (known?.target !== undefined) {
      const notes = this.#of(parentOf(path));
      notes.entries.set(nameOf(path), {
        ...notes.entries.get(nameOf(path))!,
        target: known.target,
      });
    }
  }

  /** Of what was in a directory the operations told; of what they did not know nothing was decided. */
  #buryRest(path: RelPath): void {
    const deletedAtMs = Math.floor(this.#clock.wallMs());
    this.#index.buryDir(path, ({ name, kind, vector }) => ({
      name,
      kind,
      vector: vector ?? EMPTY_VECTOR,
      deletedAtMs,
    }));
  }

  /** What is in it has left its old paths too, though no operation says so of each. */
  #renameDir(from: RelPath, to: RelPath): void {
    const deletedAtMs = Math.floor(this.#clock.wallMs());
    const counter = this.#index.nextEditCounter();
    const left = [...this.#index.dirs(from)].map(([dir, record]) =>
      [
        dir,
        buried(record, ({ name, kind, vector }) => ({
          name,
          kind,
          vector: editedVector(vector ?? EMPTY_VECTOR, this.#member, counter),
          deletedAtMs,
        })),
      ] as const
    );
    this.#index.renameDir(from, to);
    for (const [dir, record] of left) {
      if (record.tombstones.length > 0) this.#index.putDir(dir, record);
    }
  }

  #known(path: RelPath): EntryRecord | undefined {
    const dir = parentOf(path);
    const name = nameOf(path);
    return this.#notes.get(dir)?.entries.get(name) ?? this.#index.lookInto(dir)?.find(name);
  }

  #of(dir: DirPath): Notes {
    let notes = this.#notes.get(dir);
    if (notes === undefined) {
      notes = { entries: new Map(), tombstones: new Map(), fresh: new Set() };
      this.#notes.set(dir, notes);
    }
    return notes;
  }
}

function digestOf(operation: Operation): Digest | undefined {
  return operation.op === "write-file" || operation.op === "copy-file"
    ? operation.digest
    : undefined;
}

function sorted<T extends { readonly name: string }>(notes: Map<string, T>): T[] {
  return sortByName([...notes.values()]);
}
