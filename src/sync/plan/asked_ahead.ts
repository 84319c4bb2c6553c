import { equalBytes } from "../../base/bytes.ts";
import type { Digest } from "../../base/digest.ts";
import type { DirPath, RelPath } from "../../base/paths.ts";
import { shapeOf } from "../../base/tree.ts";
import type { DigestAnswer, DirAnswer } from "../../protocol/mod.ts";
import type { Snapshot } from "../scan/snapshot.ts";
import type { Failure, RemoteShare } from "../transfer/remote_share.ts";

type OwnChanges = Pick<Snapshot, "formerShapes" | "sameSize">;
type Asked = Pick<RemoteShare, "getDirs" | "getDigests">;

/**
 * What the walk will want to know of the peer, asked for in one go instead of level by level: where the
 * peer's tree is what the own one was at the scan before, it is the directories that have changed here since,
 * and the digests of files that may only have been touched.
 */
export class AskedAhead {
  readonly #dirs: Promise<Map<DirPath, DirAnswer>>;
  readonly #digests: Promise<Map<RelPath, DigestAnswer>>;
  readonly #paths: ReadonlySet<RelPath>;

  private constructor(dirs: readonly DirPath[], paths: readonly RelPath[], remote: Asked) {
    this.#paths = new Set(paths);
    // Which page each must be is for the walk to say.
    this.#dirs = answersTo(dirs, (asked) => remote.getDirs(asked.map((path) => ({ path }))));
    this.#digests = answersTo(paths, (asked) => remote.getDigests(asked));
    this.#dirs.catch(() => {});
    this.#digests.catch(() => {});
  }

  /** @param root The shape of the peer's tree. */
  static ask({ formerShapes, sameSize }: OwnChanges, root: Digest, remote: Asked): AskedAhead {
    const former = formerShapes.get("");
    const isAsWeWere = former !== undefined && equalBytes(former, root);
    return isAsWeWere
      ? new AskedAhead([...formerShapes.keys()], sameSize, remote)
      : new AskedAhead([], [], remote);
  }

  /** A directory, once: `undefined` if it was not asked for, or is another than wanted. */
  async takeDir(
    { path, shape }: { readonly path: DirPath; readonly shape: Digest },
  ): Promise<DirAnswer | undefined> {
    const answers = await this.#dirs;
    const answer = answers.get(path);
    answers.delete(path);
    return answer && equalBytes(shapeOf(answer.page), shape) ? answer : undefined;
  }

  /** True for a file whose digest is on its way. */
  hasDigest(path: RelPath): boolean {
    return this.#paths.has(path);
  }

  /** The digest of such a file, of whatever version; `undefined` where the peer had none to give. */
  async digest(path: RelPath): Promise<DigestAnswer | undefined> {
    return (await this.#digests).get(path);
  }
}

async function answersTo<P, A extends object>(
  paths: readonly P[],
  ask: (paths: readonly P[]) => Promise<(A | Failure)[]>,
): Promise<Map<P, A>> {
  const found = new Map<P, A>();
  if (paths.length === 0) return found;
  for (const [i, answer] of (await ask(paths)).entries()) {
    if (typeof answer === "object") found.set(paths[i]!, answer);
  }
  return found;
}
