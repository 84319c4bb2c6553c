import { equalBytes } from "../../base/bytes.ts";
import type { Digest } from "../../base/digest.ts";
import { nameOf, type RelPath } from "../../base/paths.ts";
import type { FileEntry } from "../../base/tree.ts";
import { nextTurn } from "../../base/turn.ts";
import type { SetAttributes, WriteFile } from "../apply/operation.ts";
import { type OperationList, OperationPart, type ToCompare } from "../apply/operation_list.ts";
import { across, type DigestQuestion, type Side } from "../reconcile/mod.ts";
import type { DigestAnswers } from "./digest_answers.ts";

/**
 * Files to compare in the first part, and in each that follows up to twice as many: the side that carries
 * out the plan is to be at work soon, and then without a pause.
 */
const FIRST_PART_FILES = 32;
const PART_FILES_MAX = 256;

/** What a {@linkcode LateComparison} works with. */
export interface LateComparisonOptions {
  readonly answers: Pick<DigestAnswers, "answer">;
  /** A file turned out to be the same on both sides, so that only its attributes are set. */
  readonly onSame: (side: Side, index: number) => void;
}

/**
 * Hands out the operations of a plan, and looks before each file that may be the same on both sides whether
 * it is: then it need not be written. The next files are compared while the last ones are written.
 */
export class LateComparison {
  readonly #options: LateComparisonOptions;

  constructor(options: LateComparisonOptions) {
    this.#options = options;
  }

  /**
   * The operations of a side in their order.
   *
   * @param operationsMax In one part.
   */
  async *parts(
    list: OperationList,
    side: Side,
    operationsMax = Infinity,
  ): AsyncGenerator<OperationPart> {
    const cuts = partsOf(list, operationsMax);
    const next = async (): Promise<OperationPart | undefined> => {
      const { done, value } = cuts.next();
      if (done) return undefined;
      if (value.toCompare.length > 0) await this.#settle(value, list, side);
      return value.part;
    };
    for (let part = await next(); part !== undefined;) {
      // What is there already goes out first.
      const coming = part.isLast ? undefined : nextTurn().then(next);
      coming?.catch(() => {});
      yield part;
      part = await coming;
    }
  }

  async #settle({ part, toCompare }: Cut, list: OperationList, side: Side): Promise<void> {
    const files = toCompare.map((each) => ({
      ...each,
      operation: list.at(each.index) as WriteFile,
    }));
    const questions = files.flatMap(({ operation }) => questionsAbout(operation, side));
    const digests = await this.#options.answers.answer(questions);
    for (const [i, { index, operation, changesMode }] of files.entries()) {
      const [wanted, old] = [digests[2 * i], digests[2 * i + 1]];
      const now = compared(operation, { wanted, old, changesMode });
      if (now.op === "set-attributes") this.#options.onSame(side, index);
      part.replace(index, now);
    }
  }
}

/** A part, and what is to compare in it. */
interface Cut {
  readonly part: OperationPart;
  readonly toCompare: readonly ToCompare[];
}

function* partsOf(list: OperationList, operationsMax: number): Generator<Cut, void> {
  let filesMax = FIRST_PART_FILES;
  let nth = 0;
  for (let from = 0; from < list.length;) {
    const toCompare: ToCompare[] = [];
    const end = Math.min(list.length, from + operationsMax);
    let to = end;
    for (; nth < list.countToCompare; nth++) {
      const file = list.toCompare(nth);
      if (file.index >= end) break;
      if (toCompare.length === filesMax) {
        to = file.index;
        break;
      }
      toCompare.push(file);
    }
    yield { part: new OperationPart(list, from, to), toCompare };
    filesMax = Math.min(2 * filesMax, PART_FILES_MAX);
    from = to;
  }
}

/** What the file is to become, and what it is. */
function questionsAbout(
  { path, source, size, mtimeMs, mode, before }: WriteFile,
  side: Side,
): DigestQuestion[] {
  const file = (path: RelPath, mtimeMs: number): FileEntry => ({
    kind: "file",
    name: nameOf(path),
    mode,
    size,
    mtimeMs,
  });
  const old = before.kind === "file" ? before.mtimeMs : mtimeMs;
  return [
    { side: across(side), path: source, entry: file(source, mtimeMs) },
    { side, path, entry: file(path, old) },
  ];
}

/** What is to be done about a file, once it is known what it is to become and what it is. */
export function compared(
  operation: WriteFile,
  { wanted, old, changesMode }: Pick<ToCompare, "changesMode"> & {
    readonly wanted: Digest | undefined;
    readonly old: Digest | undefined;
  },
): WriteFile | SetAttributes {
  if (wanted === undefined || old === undefined || !equalBytes(wanted, old)) {
    return { ...operation, digest: wanted };
  }
  const { path, mode, mtimeMs, before, vector } = operation;
  return {
    op: "set-attributes",
    path,
    mode: changesMode ? mode : undefined,
    mtimeMs,
    before,
    vector,
  };
}
