import type { TrustEntry } from "../../identity/mod.ts";
import type { Hello } from "../../protocol/mod.ts";
import type { Orchestrator } from "../orchestrator.ts";
import { type LaneStart, type LaneWay, remoteOf } from "./thread_messages.ts";

/**
 * What a thread is told to become a lane with a peer.
 *
 * @param membership What the lane says of the group that it joins, where it dials.
 */
export function laneStart(
  orchestrator: Orchestrator,
  entry: TrustEntry,
  way: LaneWay,
  membership?: Pick<Hello, "group" | "joins">,
): LaneStart {
  const { identity: { keyPem, certPem, fingerprint }, hello } = orchestrator;
  return {
    type: "start",
    identity: { keyPem, certPem },
    ownFingerprint: fingerprint,
    peerKeys: orchestrator.keysOf(entry),
    hello: { ...hello, ...membership },
    way,
    path: orchestrator.pathTo(remoteOf(way).host),
  };
}
