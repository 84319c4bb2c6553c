import { equalBytes } from "../../base/bytes.ts";
import type { Clock } from "../../base/clock.ts";
import type { DeviceId } from "../../base/ids.ts";
import { BlockWriter, type SyncAccept } from "../../protocol/mod.ts";
import type { SessionLink } from "../link/requester.ts";
import { URGENCY } from "../link/transport.ts";
import { type Agreement, peerFolder, storeAgreement, writeAgreement } from "../plan/agreement.ts";
import type { Side } from "../plan/sync_plan.ts";
import type { IsDone, Plan } from "../reconcile/mod.ts";
import type { Snapshot } from "../scan/snapshot.ts";
import type { OpenShare } from "../share/open_share.ts";

/** Where two sides remember what they agreed on. */
export interface RememberingSides {
  readonly link: SessionLink;
  readonly session: number;
  readonly peerId: DeviceId;
  readonly share: OpenShare;
  readonly snapshot: Snapshot;
  readonly accept: SyncAccept;
  readonly clock: Clock;
}

/** Both sides remember what they now have in common, each durably, the responder first. */
export async function remember(
  plan: Plan,
  isDone: IsDone,
  { link, session, peerId, share, snapshot, accept, clock }: RememberingSides,
): Promise<void> {
  const settlement = plan.settle(isDone);
  const folder = peerFolder(peerId, accept.rootId);
  const known = share.index.ancestor(folder);
  const { stamps } = settlement;
  const isNew = stamps.local.length + stamps.remote.length > 0 || !known ||
    !equalBytes(known.shape, settlement.root);
  if (!isNew) return;
  const agreementFor = (side: Side): Agreement => ({
    rootId: share.rootId,
    root: settlement.root,
    pages: [...settlement.pages.values()],
    adopted: settlement.adopted,
    stamps: stamps[side],
  });
  const stream = await link.request({ kind: "remember", session }, URGENCY.plan);
  const out = new BlockWriter((bytes) => stream.send.write(bytes), { compress: true });
  await writeAgreement(out, agreementFor("remote"));
  await out.finish();
  await stream.send.finish();
  // The answer is the end of the stream: it is on the peer's disk.
  while (await stream.recv.read(new Uint8Array(16)) !== null);
  storeAgreement(share.index, folder, agreementFor("local"), { snapshot, clock });
}
