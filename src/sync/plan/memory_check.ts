import { type Bytes, concat, equalBytes } from "../../base/bytes.ts";
import type { DeviceId } from "../../base/ids.ts";
import type { RootIndex } from "../../index/mod.ts";
import { AGREED_MAX, AGREED_PREFIX_BYTES, type SyncAccept } from "../../protocol/mod.ts";
import { peerFolder } from "./agreement.ts";

/** What the serving side tells of its agreements with a peer, the newest first. */
export function agreedPrefixes(index: RootIndex, peer: DeviceId): Bytes {
  const shapes = index.agreedWith(peer).slice(0, AGREED_MAX);
  return concat(shapes.map((shape) => shape.subarray(0, AGREED_PREFIX_BYTES)));
}

/**
 * True if one of both sides remembers an older state than the other, as after its disk was set back to an
 * earlier day with all that landropic knew then: what is missing there was never deleted, and its edits
 * are counted by numbers that have been given before. The agreement before the last still counts: the peer
 * remembers first, and this side may have been stopped right then.
 */
export function isOutOfStep(index: RootIndex, peer: DeviceId, accept: SyncAccept): boolean {
  const { agreed, rootId } = accept;
  const known = index.ancestor(peerFolder(peer, rootId));
  if (known === undefined || agreed === undefined) return false;
  const wanted = known.shape.subarray(0, AGREED_PREFIX_BYTES);
  for (let i = 0; i < agreed.length; i += AGREED_PREFIX_BYTES) {
    if (equalBytes(agreed.subarray(i, i + AGREED_PREFIX_BYTES), wanted)) return false;
  }
  return true;
}

/** True if the peer knows nothing any more of what was agreed on for its folder: a copy, or its index is lost. */
export function hasForgotten(index: RootIndex, peer: DeviceId, { rootId }: SyncAccept): boolean {
  const { share, epoch } = peerFolder(peer, rootId);
  return index.ancestors().some((known) =>
    known.peer === peer && known.share === share && known.epoch !== epoch
  );
}
