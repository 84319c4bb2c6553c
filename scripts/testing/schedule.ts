/** Which test files share a process, and which of the processes start first. */

/** Seconds that the longest files take, on 2 cores beside another one. A stale number costs time alone. */
export const SECONDS: Readonly<Record<string, number>> = {
  "tests/executable/start_test.ts": 108,
  "tests/integration/kill_test.ts": 106,
  "tests/faults/network_netns_test.ts": 97,
  "tests/sync/session/histories_test.ts": 69,
  "tests/integration/kill_bytes_test.ts": 68,
  "tests/integration/pairing_test.ts": 48,
  "tests/executable/two_devices_test.ts": 34,
  "tests/integration/edge_cases_test.ts": 26,
  "tests/faults/pairing_netns_test.ts": 24,
  "tests/integration/two_devices_test.ts": 24,
  "tests/integration/lanes_test.ts": 22,
  "tests/sync/reconcile/large_plan_test.ts": 19,
  "tests/sync/link/paced_streams_test.ts": 19,
  "tests/orchestrator/pool/groups_test.ts": 18,
  "tests/integration/staying_test.ts": 17,
  "tests/executable/build_test.ts": 15,
  "tests/executable/program_test.ts": 15,
  "tests/sync/delta/delta_session_test.ts": 11,
  "tests/store/crash_test.ts": 10,
  "tests/orchestrator/sync_run_test.ts": 10,
  "tests/orchestrator/watch_run_test.ts": 10,
  "tests/orchestrator/pairing_test.ts": 10,
  "tests/sync/delta/resume_test.ts": 10,
};

/** They judge a link by the time that packets take, to which other work on the processors adds. */
export const ALONE: readonly string[] = ["tests/faults/path_class_netns_test.ts"];

/** Starting a process and loading what nearly every test needs costs as much as some small files. */
const GROUP_FILES_MAX = 8;

/** What is run in which order: each group is the files of one process. */
export interface Schedule {
  /** Several of these at once. */
  readonly together: readonly (readonly string[])[];
  /** One after the other, when all others are done. */
  readonly alone: readonly (readonly string[])[];
}

/**
 * Long files each by itself, the longest first; then the others, some to a process. What is short goes last, so
 * that no process is left alone with something long.
 *
 * @param files Test files, by their path below the project's folder.
 */
export function planTests(
  files: readonly string[],
  { seconds = SECONDS, alone = ALONE }: {
    seconds?: Readonly<Record<string, number>>;
    alone?: readonly string[];
  } = {},
): Schedule {
  const isLong = (file: string) => Object.hasOwn(seconds, file);
  const shared = files.filter((file) => !alone.includes(file));
  const long = shared.filter(isLong).sort((a, b) => seconds[b]! - seconds[a]!);
  const short = shared.filter((file) => !isLong(file)).sort();
  const together = long.map((file) => [file]);
  for (let at = 0; at < short.length; at += GROUP_FILES_MAX) {
    together.push(short.slice(at, at + GROUP_FILES_MAX));
  }
  return { together, alone: alone.filter((file) => files.includes(file)).map((file) => [file]) };
}
