import { equalBytes } from "../../base/bytes.ts";
import type { Digest } from "../../base/digest.ts";
import type { DirPath } from "../../base/paths.ts";
import { shapeOf } from "../../base/tree.ts";
import type { DirAnswer } from "../../protocol/mod.ts";
import type { Snapshot } from "../scan/snapshot.ts";
import type { RemoteShare } from "../transfer/remote_share.ts";

type OwnShapes = Pick<Snapshot, "formerShapes">;
type DirProvider = Pick<RemoteShare, "getDirs">;

/**
 * Directories of the peer that the walk will want, asked for in one go instead of level by level: where the
 * peer's tree is what the own one was at the scan before, they are those that have changed here since.
 */
export class DirsAhead {
  readonly #answers: Promise<Map<DirPath, DirAnswer>>;

  private constructor(answers: Promise<Map<DirPath, DirAnswer>>) {
    this.#answers = answers;
    answers.catch(() => {});
  }

  /** @param root The shape of the peer's tree. */
  static ask({ formerShapes }: OwnShapes, root: Digest, remote: DirProvider): DirsAhead {
    const former = formerShapes.get("");
    const isAsWeWere = former !== undefined && equalBytes(former, root);
    return new DirsAhead(isAsWeWere ? fetch([...formerShapes.keys()], remote) : NOTHING);
  }

  /** A directory, once: `undefined` if it was not asked for, or is another than wanted. */
  async take({ path, shape }: { path: DirPath; shape: Digest }): Promise<DirAnswer | undefined> {
    const answers = await this.#answers;
    const answer = answers.get(path);
    answers.delete(path);
    return answer && equalBytes(shapeOf(answer.page), shape) ? answer : undefined;
  }
}

const NOTHING: Promise<Map<DirPath, DirAnswer>> = Promise.resolve(new Map());

async function fetch(paths: readonly DirPath[], remote: DirProvider) {
  // Which page it must be is for the walk to say.
  const answers = await remote.getDirs(paths.map((path) => ({ path })));
  const found = new Map<DirPath, DirAnswer>();
  for (const [i, answer] of answers.entries()) {
    if (typeof answer !== "number") found.set(paths[i]!, answer);
  }
  return found;
}
