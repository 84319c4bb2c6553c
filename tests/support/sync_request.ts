import type { SyncRequest } from "../../src/sync/mod.ts";

/** A plain two-way sync. */
export const SYNC_REQUEST: SyncRequest = {
  share: "",
  mode: "two-way",
  deleteExtra: false,
  deleteLimit: { kind: "percent", percent: 50, appliesAboveFiles: 20 },
  dryRun: false,
  checksum: false,
  versions: 0,
  conflict: "keep-both",
  compress: false,
  filters: [],
  run: "run",
};
