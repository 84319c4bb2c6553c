import { LandropicError } from "../../base/errors.ts";
import type { SyncAccept } from "../../protocol/mod.ts";
import { type Overlap, overlapOf, placesOf } from "../../store/mod.ts";

/**
 * Refuses to sync a folder with itself, or with one that holds it: each run would copy what the last one
 * copied, one level deeper.
 *
 * @param isSameMachine Asked only where the folders look alike.
 * @throws {LandropicError} `safety_limit`
 */
export function refuseOverlap(
  path: string,
  { places }: SyncAccept,
  { peer, isSameMachine }: { readonly peer: string; readonly isSameMachine: () => boolean },
): void {
  if (places === undefined) return;
  const overlap = overlapOf(placesOf(path), places);
  if (overlap === undefined || !isSameMachine()) return;
  throw new LandropicError(
    "safety_limit",
    `Folder ${JSON.stringify(path)} ${WORDS[overlap](peer)}`,
    "nothing was changed; sync folders of which neither holds the other",
  );
}

const WORDS: { readonly [overlap in Overlap]: (peer: string) => string } = {
  same: (peer) => `is the very folder that "${peer}" serves`,
  inside: (peer) => `lies in the folder that "${peer}" serves`,
  around: (peer) => `holds the folder that "${peer}" serves`,
};
