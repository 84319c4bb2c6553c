import { decodeUtf8, utf8 } from "../../base/bytes.ts";
import { PROBLEM_BYTES_MAX, PROBLEMS_MAX, type ShareProblem } from "../../protocol/mod.ts";
import type { ScanProblem } from "../scan/snapshot.ts";

/** Left out on either side without being in anybody's way: what lies there is seen to by somebody else. */
const NEVER_IN_THE_WAY: ReadonlySet<string> = new Set(["mount_point", "own_state"]);

/** What the serving side tells of its problems: failures first, and as many as fit. */
export function problemsToTell(problems: readonly ScanProblem[]): ShareProblem[] {
  const told: ShareProblem[] = [];
  let bytes = 0;
  const failures = problems.filter(({ isHarmless }) => !isHarmless);
  for (const problem of [...failures, ...problems.filter(({ isHarmless }) => isHarmless)]) {
    const { path, pathBytes = utf8(path), code, message, isHarmless } = problem;
    bytes += pathBytes.length + code.length + 3 * message.length;
    if (told.length === PROBLEMS_MAX || bytes > PROBLEM_BYTES_MAX) break;
    told.push({ pathBytes, code, message, isHarmless });
  }
  return told;
}

/** The same as the other side takes it in. */
export function readProblem(
  { pathBytes, code, message, isHarmless }: ShareProblem,
): Omit<ScanProblem, "dir"> {
  const path = decodeUtf8(pathBytes);
  return path === undefined
    ? { path: new TextDecoder().decode(pathBytes), pathBytes, code, message, isHarmless }
    : { path, code, message, isHarmless };
}

/**
 * Finds why something can't be had at a path where a side has something that is not synced, and so can't
 * be replaced. What is a failure anyway is not told a second time.
 */
export function obstacleAt(
  path: string,
  problems: Iterable<Pick<ScanProblem, "path" | "code" | "message">>,
): string | undefined {
  for (const problem of problems) {
    if (problem.path === path && !NEVER_IN_THE_WAY.has(problem.code)) return problem.message;
  }
  return undefined;
}
