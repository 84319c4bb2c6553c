/** Which test files share a process, and which of the processes start first. */

/** Seconds that the longest files take, on 2 cores beside another one. A stale number costs time alone. */
export const SECONDS: Readonly<Record<string, number>> = {
  "tests/integration/kill_test.ts": 98,
  "tests/faults/network_netns_test.ts": 97,
  "tests/executable/start_test.ts": 70,
  "tests/sync/session/histories_test.ts": 65,
  "tests/integration/kill_bytes_test.ts": 60,
  "tests/integration/pairing_test.ts": 48,
  "tests/executable/two_devices_test.ts": 30,
  "tests/integration/lanes_test.ts": 26,
  "tests/integration/edge_cases_test.ts": 25,
  "tests/faults/pairing_netns_test.ts": 24,
  "tests/integration/two_devices_test.ts": 24,
  "tests/sync/reconcile/large_plan_test.ts": 19,
  "tests/sync/link/paced_streams_test.ts": 19,
  "tests/orchestrator/pool/groups_test.ts": 18,
  "tests/integration/staying_test.ts": 17,
  "tests/integration/contract_test.ts": 17,
  "tests/integration/folder_edges_test.ts": 17,
  "tests/executable/build_test.ts": 15,
  "tests/executable/program_test.ts": 15,
  "tests/sync/delta/delta_session_test.ts": 13,
  "tests/orchestrator/sync_run_test.ts": 11,
  "tests/orchestrator/watch_run_test.ts": 11,
  "tests/sync/session/silent_peer_test.ts": 11,
  "tests/store/crash_test.ts": 10,
  "tests/orchestrator/pairing_test.ts": 10,
  "tests/sync/delta/resume_test.ts": 10,
  "tests/sync/delta/full_disk_test.ts": 9,
  "tests/faults/discovery_netns_test.ts": 8,
};

/** They need a processor for a third of their time at most, and wait for links and timers for the rest. */
export const WAITING: readonly string[] = [
  "tests/faults/network_netns_test.ts",
  "tests/faults/pairing_netns_test.ts",
  "tests/faults/discovery_netns_test.ts",
  "tests/sync/link/paced_streams_test.ts",
  "tests/sync/session/silent_peer_test.ts",
  "tests/orchestrator/pool/groups_test.ts",
  "tests/orchestrator/watch_run_test.ts",
  "tests/orchestrator/pairing_test.ts",
  "tests/integration/staying_test.ts",
];

/** They judge a link by the time that packets take, to which other work on the processors adds. */
export const ALONE: readonly string[] = ["tests/faults/path_class_netns_test.ts"];

/** They measure the memory of their process, in which nothing else is to happen. */
export const OWN_PROCESS: readonly string[] = [
  "tests/orchestrator/hostile_client_test.ts",
  "tests/protocol/block_test.ts",
];

/** Short enough for all processors to end at about the same time. */
const GROUP_FILES_MAX = 12;

/** What is run in which order: each group is the files of one process, and of one module in it. */
export interface Schedule {
  /** As many of these at once as there are processors. */
  readonly together: readonly (readonly string[])[];
  /** One of these at a time beside them, and after them as many at once. */
  readonly waiting: readonly (readonly string[])[];
  /** One after the other, when all others are done. */
  readonly alone: readonly (readonly string[])[];
}

/** Which files are of what kind. */
export interface ScheduleOptions {
  readonly seconds?: Readonly<Record<string, number>>;
  readonly waiting?: readonly string[];
  readonly alone?: readonly string[];
}

/**
 * Long files each by itself, the longest first; then the others, some to a process. What is short goes last, so
 * that no process is left alone with something long.
 *
 * @param files Test files, by their path below the project's folder.
 */
export function planTests(
  files: readonly string[],
  { seconds = SECONDS, waiting = WAITING, alone = ALONE }: ScheduleOptions = {},
): Schedule {
  const isLong = (file: string) => Object.hasOwn(seconds, file) || OWN_PROCESS.includes(file);
  const special = new Set([...waiting, ...alone]);
  const shared = files.filter((file) => !special.has(file));
  const short = shared.filter((file) => !isLong(file)).sort();
  const together = longestFirst(shared.filter(isLong), seconds);
  for (let at = 0; at < short.length; at += GROUP_FILES_MAX) {
    together.push(short.slice(at, at + GROUP_FILES_MAX));
  }
  const wanted = (some: readonly string[]) => some.filter((file) => files.includes(file));
  return {
    together,
    waiting: longestFirst(wanted(waiting), seconds),
    alone: wanted(alone).map((file) => [file]),
  };
}

function longestFirst(files: string[], seconds: Readonly<Record<string, number>>): string[][] {
  return files.sort((a, b) => (seconds[b] ?? 0) - (seconds[a] ?? 0)).map((file) => [file]);
}
