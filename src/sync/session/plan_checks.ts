import type { SyncAccept } from "../../protocol/mod.ts";
import { peerFolder } from "../plan/agreement.ts";
import type { PlanOptions } from "../plan/planner.ts";
import { checkDeletions, checkReplacements } from "../plan/safety.ts";
import { checkSpace } from "../plan/space.ts";
import type { SyncPlan } from "../plan/sync_plan.ts";
import type { Snapshot } from "../scan/snapshot.ts";
import type { OpenShare } from "../share/open_share.ts";
import { diskBytesOf } from "../transfer/disk_bytes.ts";
import type { RemoteShare } from "../transfer/remote_share.ts";
import { keepFor } from "./kept_files.ts";
import type { SyncRequest } from "./sync_request.ts";

/** What a plan is for. */
export interface PlannedSides {
  readonly request: SyncRequest;
  readonly peer: PlanOptions["peer"];
  readonly share: OpenShare;
  readonly snapshot: Snapshot;
  readonly accept: SyncAccept;
  readonly remote: RemoteShare;
}

/** @throws {LandropicError} `safety_limit` where a plan destroys more than it may. */
export function checkSafety(
  plan: SyncPlan,
  { request, peer, share, snapshot, accept }: PlannedSides,
): void {
  const sides = {
    local: { name: "this device", files: snapshot.files },
    remote: { name: `"${peer.name}"`, files: accept.files },
  };
  checkDeletions(plan, request.deleteLimit, sides);
  if (request.mode !== "two-way" || request.replaceAll) return;
  // Folders that never were in step may differ as they like.
  if (share.index.ancestor(peerFolder(peer.id, accept.rootId)) === undefined) return;
  checkReplacements(plan, sides);
}

/** @throws {LandropicError} `storage` where a plan does not fit on the disk of a side. */
export async function checkRoom(
  plan: SyncPlan,
  { request: { mode, versions }, peer, share, accept, remote }: PlannedSides,
): Promise<void> {
  const freesDeleted = keepFor(mode, versions) === "none";
  await checkSpace(plan, {
    local: {
      name: "this device",
      get freeBytes() {
        return share.freeBytes;
      },
      freesDeleted,
      diskBytesOf: (sources) => remote.getDiskBytes(sources),
    },
    remote: {
      name: `"${peer.name}"`,
      freeBytes: accept.freeBytes,
      freesDeleted,
      diskBytesOf: (sources) =>
        Promise.resolve(sources.map((path) => diskBytesOf(share.root, path))),
    },
  });
}
