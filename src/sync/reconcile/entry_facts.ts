import type { Digest } from "../../base/digest.ts";
import type { Entry } from "../../base/tree.ts";
import type { Before } from "../apply/operation.ts";
import type { PlanItem } from "../plan/sync_plan.ts";
import type { Leaf } from "./agreement.ts";
import type { Shown } from "./plan_lines.ts";

/** Nothing is expected at a path. */
export const ABSENT: Before = { kind: "absent" };

/** What an operation expects to find. */
export function beforeOf(entry: Entry | undefined): Before {
  if (entry === undefined) return ABSENT;
  switch (entry.kind) {
    case "file":
      return { kind: "file", size: entry.size, mtimeMs: entry.mtimeMs };
    case "dir":
      return { kind: "dir" };
    case "link":
      return { kind: "link", target: entry.target };
  }
}

/** How an entry shows in the plan's lines. */
export function shownAs(
  entry: Entry,
  action: PlanItem["action"],
): Shown {
  const type = entry.kind === "file" ? "f" : entry.kind === "dir" ? "d" : "l";
  return { action, type, isSized: true };
}

/** The leaf with another mode; links have none. */
export function withMode(leaf: Leaf, mode: number | undefined): Leaf {
  return leaf.kind === "file" && mode !== undefined ? { ...leaf, mode } : leaf;
}

/** The leaf with what is known of its contents. */
export function withDigest(leaf: Leaf, digest: Digest | undefined): Leaf {
  return leaf.kind === "file" && digest !== undefined ? { ...leaf, digest } : leaf;
}
