import type { RelPath } from "../../base/paths.ts";
import type { Operation } from "../apply/operation.ts";
import type { PlanItem } from "../plan/sync_plan.ts";
import { type BySide, bySide, type Side } from "./side.ts";

/**
 * When an operation is carried out. What comes earlier is done before what comes later begins, on its
 * side; only bytes for `contents` may travel ahead.
 */
export const PHASES = [
  /** Room is made where a file becomes a directory, or a directory a file. */
  "clear",
  "dirs",
  "moves",
  "copies",
  "contents",
  /** After all files, as what they point to. */
  "links",
  "attributes",
  /** Children first. */
  "deletes",
  /** Of directories, deepest first: nothing changes inside any more. */
  "dir-attributes",
] as const;
/** See {@linkcode PHASES}. */
export type Phase = typeof PHASES[number];

/** An operation in a plan that is being made. */
export interface Draft {
  /** Names it until the plan has its order. */
  readonly id: number;
  readonly phase: Phase;
  readonly operation: Operation;
  /** The index is right once the plan has its order. */
  readonly position: { readonly side: Side; index: number };
}

/** How an operation shows in the plan. */
export interface Shown {
  readonly action: PlanItem["action"];
  readonly type: PlanItem["type"];
  readonly bytes?: number;
  readonly from?: RelPath;
  /** If it is not the operation's. */
  readonly path?: RelPath;
}

/** Collects operations, and puts them into the order in which they work. */
export class PlanBuilder {
  readonly #drafts: Draft[] = [];
  readonly items: PlanItem[] = [];

  /** Adds an operation; with `shown`, also its line. */
  add(side: Side, phase: Phase, operation: Operation, shown?: Shown): Draft {
    const position = { side, index: -1 };
    const draft: Draft = { id: this.#drafts.length, phase, operation, position };
    this.#drafts.push(draft);
    if (shown !== undefined) this.show(draft, shown);
    return draft;
  }

  /** Adds a line for an operation. */
  show(draft: Draft, shown: Shown): void {
    const { action, type, from } = shown;
    const { position } = draft;
    const path = shown.path ?? draft.operation.path;
    const bytes = shown.bytes ?? 0;
    const direction = position.side === "remote" ? ">" : "<";
    const item = { action, path, bytes, direction, type, operation: position } as const;
    this.items.push(from === undefined ? item : { ...item, from });
  }

  /** The operations of each side, in their order. Their positions are right from then on. */
  ordered(): BySide<Draft[]> {
    const byPhase = bySide(() => PHASES.map((): Draft[] => []));
    for (const draft of this.#drafts) {
      byPhase[draft.position.side][PHASES.indexOf(draft.phase)]!.push(draft);
    }
    return bySide((side) => {
      const ordered = byPhase[side].flatMap((drafts, i) => orderedWithin(PHASES[i]!, drafts));
      for (const [index, draft] of ordered.entries()) draft.position.index = index;
      return ordered;
    });
  }

  /** Where an operation stands. */
  positionOf(id: number): { readonly side: Side; readonly index: number } {
    return this.#drafts[id]!.position;
  }

  /** Number of lines so far: where the next one goes. */
  get line(): number {
    return this.items.length;
  }

  /** Moves the last line up: a directory stands before what is in it. */
  raiseLast(to: number): void {
    this.items.splice(to, 0, this.items.pop()!);
  }
}

function orderedWithin(phase: Phase, drafts: Draft[]): Draft[] {
  switch (phase) {
    case "dirs":
      return byDepth(drafts, 1);
    case "dir-attributes":
      return byDepth(drafts, -1);
    case "clear":
    case "deletes": {
      const isDir = (draft: Draft) =>
        draft.operation.op === "remove" && draft.operation.before.kind === "dir";
      return [
        ...drafts.filter((draft) => !isDir(draft)),
        ...byDepth(drafts.filter(isDir), -1),
      ];
    }
    default:
      return drafts;
  }
}

function byDepth(drafts: Draft[], sign: 1 | -1): Draft[] {
  const depths = new Map(drafts.map((draft) => [draft, depthOf(draft.operation.path)]));
  return drafts.sort((a, b) => sign * (depths.get(a)! - depths.get(b)!));
}

function depthOf(path: string): number {
  let depth = 0;
  for (let at = path.indexOf("/"); at >= 0; at = path.indexOf("/", at + 1)) depth++;
  return depth;
}
