import { LandropicError } from "../../base/errors.ts";
import { formatBytes } from "../../base/format_bytes.ts";
import type { RelPath } from "../../base/paths.ts";
import type { OperationList } from "../apply/operation_list.ts";
import type { Side, SyncPlan } from "./sync_plan.ts";

/** Of what is free on a disk, one part in so many stays so, */
const RESERVE_PARTS = 20;
/** but not more than this. A rule by the size of the disk would leave nothing of a small or a full one. */
const RESERVE_BYTES_MAX = 1024 ** 3;
/** Smaller files are not worth a look for holes. */
const HOLES_BYTES_MIN = 256 * 1024;
/** Files that are asked about at once. */
const PORTION_FILES = 512;

/** The disk of one side. */
export interface DiskFacts {
  /** Whose it is, for messages: `this device`. */
  readonly name: string;
  /** Bytes that a session can have there: what is free, and what earlier ones have left half done. */
  readonly freeBytes: number;
  /** What is deleted or replaced is gone, and kept nowhere. */
  readonly freesDeleted: boolean;
  /**
   * Bytes that files take where they come from, holes left out; `undefined` where nobody can tell. Asked
   * only if their sizes would not fit.
   */
  diskBytesOf(sources: readonly RelPath[]): Promise<readonly (number | undefined)[] | undefined>;
}

/**
 * Refuses a plan whose files do not fit on the disk where they are to go, before any of them moves. Counts
 * only what is certain: not a byte of a file that is replaced or of a copy within the folder, which may
 * share their blocks, and no holes.
 *
 * @throws {LandropicError} `storage`; nothing has changed then.
 */
export async function checkSpace(
  plan: Pick<SyncPlan, "local" | "remote" | "growth" | "deletedBytes">,
  disks: { readonly [side in Side]: DiskFacts },
): Promise<void> {
  for (const side of ["local", "remote"] as const) {
    if (plan.growth[side] === 0) continue;
    const disk = disks[side];
    const { freeBytes } = disk;
    const reserve = Math.min(RESERVE_BYTES_MAX, freeBytes / RESERVE_PARTS);
    const freed = disk.freesDeleted ? plan.deletedBytes[side] : 0;
    if (plan.growth[side] - freed <= freeBytes - reserve) continue;
    const growth = await growthWithoutHoles(plan[side], disk);
    if (growth === undefined || growth - freed <= freeBytes - reserve) continue;
    throw new LandropicError(
      "storage",
      `Not enough space on the disk of ${disk.name}: ${formatBytes(growth - freed)} are needed, ` +
        `${formatBytes(freeBytes)} are free, and ${formatBytes(reserve)} of that stay so`,
      "nothing was changed; make room there, or leave something out (--exclude); " +
        "--fill-disk takes what fits",
    );
  }
}

/** By how much the files of a side that are to be written outgrow those that they replace. */
async function growthWithoutHoles(
  operations: OperationList,
  disk: DiskFacts,
): Promise<number | undefined> {
  let growth = 0;
  let asked: { readonly source: RelPath; readonly size: number; readonly old: number }[] = [];
  const ask = async (): Promise<boolean> => {
    const answers = await disk.diskBytesOf(asked.map(({ source }) => source));
    if (answers === undefined) return false;
    for (const [i, { size, old }] of asked.entries()) {
      growth += Math.max(0, Math.min(size, answers[i] ?? 0) - old);
    }
    asked = [];
    return true;
  };
  for (const operation of operations) {
    if (operation.op !== "write-file") continue;
    const { source, size, before } = operation;
    const old = before.kind === "file" ? before.size : 0;
    if (size < HOLES_BYTES_MIN) growth += Math.max(0, size - old);
    else if (size > old && asked.push({ source, size, old }) === PORTION_FILES) {
      if (!await ask()) return undefined;
    }
  }
  return asked.length === 0 || await ask() ? growth : undefined;
}
