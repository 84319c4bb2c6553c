import type { SyncMode } from "../../protocol/mod.ts";
import type { Keep } from "../../store/mod.ts";

/** What becomes of replaced and deleted files. */
export function keepFor(mode: SyncMode, versions: number): Keep {
  if (versions > 0) return "versions";
  return mode === "two-way" ? "trash" : "none";
}
