import type { RelPath } from "../../base/paths.ts";
import type { OperationList } from "../apply/operation_list.ts";

/** Whose folder an operation changes, seen from the initiator. */
export type Side = "local" | "remote";

/** What a line of the plan says: see the itemized output in docs or `landropic sync --help`. */
export type ItemAction = "+" | "M" | "m" | "R" | "-" | "C" | "!" | "s";

/** One line of the plan. The lines of a dry run are those of the real run. */
export interface PlanItem {
  readonly action: ItemAction;
  readonly path: RelPath;
  /** The bytes of a path that is not valid UTF-8. */
  readonly pathBytes?: Uint8Array;
  /** The old path of a rename. */
  readonly from?: RelPath;
  /** Bytes of the file; 0 for others. */
  readonly bytes: number;
  /** `>` changes the peer, `<` this device. */
  readonly direction: ">" | "<";
  readonly type: "f" | "d" | "l";
  readonly reason?: string;
  /** Which operation does it, if any. */
  readonly operation?: { readonly side: Side; readonly index: number };
}

/** Both sides changed a path. */
export interface PlanConflict {
  readonly path: RelPath;
  readonly kept: "both" | "local" | "remote";
  /** Where the other version goes, if it is kept. */
  readonly copy?: RelPath;
}

/** Everything a session is going to do, decided before anything changes. */
export interface SyncPlan {
  readonly local: OperationList;
  readonly remote: OperationList;
  readonly items: LongList<PlanItem>;
  readonly conflicts: readonly PlanConflict[];
  /** Files and links deleted on either side; renames are none. */
  readonly deletions: { readonly local: number; readonly remote: number };
  /** Files on a side that get other contents, conflicts included. */
  readonly replacements: { readonly local: number; readonly remote: number };
  /** True if any file is the same on both sides, as far as contents go. */
  readonly hasUnchanged: boolean;
  /** Files and links that come, new or with other contents, to the peer and to this device. */
  readonly send: number;
  readonly receive: number;
  readonly renames: number;
  /** Folders to make or remove, permissions and times to set; as far as there is a line. */
  readonly adjustments: number;
  /** Files that are written or copied, on both sides. */
  readonly files: number;
  /** File bytes that may have to travel each way. */
  readonly bytesToSend: number;
  readonly bytesToReceive: number;
  /** Bytes by which the files that are written on a side outgrow those that they replace. */
  readonly growth: { readonly [side in Side]: number };
  /** Bytes of the files that are deleted on a side. */
  readonly deletedBytes: { readonly [side in Side]: number };
}

/** A list that may have millions of elements, of which each is made when it is looked at. */
export interface LongList<T> extends Iterable<T> {
  readonly length: number;
  /** `undefined` behind the end. */
  at(index: number): T | undefined;
}

/** True for a line that makes, removes or sets, and moves no file and no link. */
export function isAdjustment({ action, type }: Pick<PlanItem, "action" | "type">): boolean {
  return action === "m" || (type === "d" && (action === "+" || action === "-"));
}
