import type { FileEntry } from "../../base/tree.ts";
import { modeOf } from "./agreement.ts";
import { beforeOf, shownAs } from "./entry_facts.ts";
import type { Item } from "./node.ts";
import type { PlanDraft } from "./plan_draft.ts";
import { across, type Side, SIDES } from "./side.ts";
import { carried } from "./versions.ts";

/** Plans what a side has to find in another place, and what becomes of the place that it had. */
export class MovePlanner {
  readonly #draft: PlanDraft;
  /** Ids of the operations that move a directory into place. */
  readonly #dirs = new Map<Item, number[]>();

  constructor(draft: PlanDraft) {
    this.#draft = draft;
  }

  /** Moves a file that a side has to where it is wanted. Its old place sees to itself. */
  moveFile(item: Item, side: Side, move: number): number[] {
    const { builder, ledger, trees, vectors } = this.#draft;
    const source = across(side);
    const wanted = item.on(source) as FileEntry;
    const gone = trees.moves.sourceOf(move);
    const vector = vectors.taken(item, source);
    // It was found by its size and time, which are those of the file wanted.
    const before = beforeOf(wanted);
    const draft = builder.add(side, "moves", {
      op: "move",
      from: gone.path,
      path: item.path(side),
      before,
      vector: carried(vector),
    }, shownAs(wanted, "R"));
    const ids = [draft.id];
    if (wanted.mode !== gone.mode) {
      ids.push(this.#draft.setMode(item, side, { mode: wanted.mode, vector, before }).id);
    }
    trees.moves.setOperations(move, draft.id, ids.length > 1);
    this.#draft.touch(item.parent, side);
    ledger.stamp(item, source, vector, ids);
    return ids;
  }

  /** What becomes of the place of a file that moves. */
  fileMovedAway(item: Item, from: Side, move: number): void {
    const { ledger, trees, vectors } = this.#draft;
    const needs = [trees.moves.needOf(move)];
    this.#draft.touch(item.parent, from);
    const tombstone = vectors.removed(item, from);
    for (const on of SIDES) ledger.stampTombstone(item, on, tombstone, needs);
    ledger.remember(item, undefined, needs);
  }

  /** Moves a directory that a side has to where it is wanted: once for the item and for what it was. */
  moveDir(item: Item, side: Side): number[] {
    const known = this.#dirs.get(item);
    if (known !== undefined) return known;
    const { builder, ledger, vectors } = this.#draft;
    const source = across(side);
    const gone = item.movedFrom!;
    const from = gone.path(side);
    const entry = gone.on(side)!;
    const mode = modeOf(item.on(source));
    const vector = vectors.taken(item, source);
    const before = beforeOf(entry);
    const draft = builder.add(side, "moves", {
      op: "move",
      from,
      path: item.path(side),
      before,
      vector: carried(vector),
    }, shownAs(entry, "R"));
    const ids = [draft.id];
    if (mode !== undefined && mode !== modeOf(entry)) {
      ids.push(this.#draft.setMode(item, side, { mode, vector, before }).id);
    }
    this.#dirs.set(item, ids);
    this.#draft.touch(item.parent, side);
    this.#draft.touch(gone.parent, side);
    ledger.stamp(item, source, vector, ids);
    const tombstone = vectors.removed(gone, side);
    for (const on of SIDES) ledger.stampTombstone(gone, on, tombstone, ids);
    return ids;
  }

  /** What becomes of the place of a directory that moves. */
  dirMovedAway(item: Item, from: Side): void {
    this.#draft.ledger.remember(item, undefined, this.moveDir(item.movedTo!, from));
  }
}
