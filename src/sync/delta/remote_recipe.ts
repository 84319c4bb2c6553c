import { equalBytes } from "../../base/bytes.ts";
import { GET_GROUPS_MAX, ProtocolError } from "../../protocol/mod.ts";
import { decodeGroupList, type GroupList, RecipeCollector, RecipeError } from "../../store/mod.ts";
import { ContentError, errorOfStatus } from "./content_error.ts";
import type { ContentSource, WantedContent } from "./wanted.ts";

/**
 * Asks the peer for the list of groups of a file, which it may have to hash first: 1.1 s a GiB.
 *
 * @throws {ContentError} if it is of another version than planned.
 * @throws {ProtocolError} if it is no group list.
 */
export async function getGroupList(
  remote: ContentSource,
  wanted: WantedContent,
): Promise<GroupList> {
  const answer = await remote.getRecipe(wanted.source, []);
  if (typeof answer === "number") throw errorOfStatus(answer);
  const list = refusing(wanted, () => decodeGroupList(answer));
  const isWanted = list.size === wanted.size &&
    (wanted.digest === undefined || equalBytes(list.digest, wanted.digest));
  if (!isWanted) throw new ContentError("changed", "The file changed on the other side");
  return list;
}

/**
 * Asks for the chunks of all groups that the collector still misses.
 *
 * @throws {ContentError} if the peer no longer has the version.
 * @throws {ProtocolError} if a chunk list is not that of its group.
 */
export async function getMissingGroups(
  remote: ContentSource,
  wanted: WantedContent,
  collector: RecipeCollector,
): Promise<void> {
  const missing = collector.missingGroups();
  for (let from = 0; from < missing.length; from += GET_GROUPS_MAX) {
    const groups = missing.slice(from, from + GET_GROUPS_MAX);
    const answer = await remote.getRecipe(wanted.source, groups);
    if (typeof answer === "number") throw errorOfStatus(answer);
    refusing(wanted, () => collector.addChunkLists(groups, answer));
  }
}

function refusing<T>(wanted: WantedContent, take: () => T): T {
  try {
    return take();
  } catch (error) {
    if (!(error instanceof RecipeError)) throw error;
    const path = JSON.stringify(wanted.source);
    throw new ProtocolError(`Peer sent a bad recipe of ${path}`, undefined, error);
  }
}
