import { systemClock } from "../../src/base/clock.ts";
import { type Logger, silentLogger } from "../../src/base/log.ts";
import { FEATURE_DISK_BYTES, FEATURE_EARLIER, FEATURE_WORKING } from "../../src/protocol/mod.ts";
import {
  InitiatorSession,
  PeerLink,
  type PlanItem,
  roleOfInitiator,
  type ServedSums,
  type SyncObserver,
  type SyncRequest,
  type SyncSummary,
} from "../../src/sync/mod.ts";
import type { Index } from "../../src/index/mod.ts";
import type { CommitStep } from "../../src/store/mod.ts";
import type { PulseTimes } from "../../src/sync/session/pulse.ts";
import { type MemoryTransport, memoryTransportPair } from "./memory_transport.ts";
import { serveEnd } from "./served_end.ts";
import { SYNC_REQUEST } from "./sync_request.ts";
import { openIndexOf, openShareOf, type TestDevice } from "./test_device.ts";
import { testHello } from "./test_hello.ts";

const FEATURES = [FEATURE_EARLIER, FEATURE_WORKING, FEATURE_DISK_BYTES];

/** What a session between two folders came to. */
export interface SessionResult {
  readonly summary: SyncSummary;
  readonly items: PlanItem[];
  readonly errors: { path: string; code: string; message: string }[];
  /** Every progress told, in order. */
  readonly progress: Progress[];
  /** What the serving side counted; missing where it never heard of an end. */
  readonly served: ServedSums | undefined;
}

/** How far a session was. */
export type Progress = Parameters<SyncObserver["progress"]>[0];

/** Options of {@linkcode runSession}. */
export interface RunOptions extends Partial<SyncRequest> {
  readonly writable?: boolean;
  /** What the serving side's Hello names; all that there is if left out. */
  readonly servedFeatures?: readonly string[];
  /** Versions that the owner of the served folder wants kept. */
  readonly servedVersions?: number;
  /**
   * Called at each step of a commit on either side; what it throws breaks the session off there, or fails the
   * change if it is a StoreError.
   */
  readonly onStep?: (step: CommitStep) => void;
  /** Hears of both sides. */
  readonly logger?: Logger;
  /** The two ends of the connection, `a`'s first, to look at it or to cut it. */
  readonly transports?: readonly [MemoryTransport, MemoryTransport];
  /** How long the sides wait for each other. */
  readonly times?: Partial<PulseTimes>;
  /** Those of `a` and `b`, which stay open; where one is missing, the session opens its own. */
  readonly indexes?: readonly [Index | undefined, Index | undefined];
}

/** Runs one whole session over an in-memory connection: `a` syncs `folderA` with `b`'s `folderB`. */
export async function runSession(
  a: TestDevice,
  folderA: string,
  b: TestDevice,
  folderB: string,
  options: RunOptions = {},
): Promise<SessionResult> {
  const {
    writable = true,
    servedVersions = 0,
    servedFeatures,
    onStep,
    logger = silentLogger,
    transports,
    times,
    indexes: kept = [],
    ...rest
  } = options;
  const request: SyncRequest = { ...SYNC_REQUEST, mode: "push", compress: true, ...rest };
  const signal = new AbortController().signal;
  const common = { clock: systemClock, logger, signal, ...(times && { times }) };
  await using opened = new AsyncDisposableStack();
  const indexA = kept[0] ?? opened.use(await openIndexOf(a));
  const indexB = kept[1] ?? opened.use(await openIndexOf(b));
  const [left, right] = transports ?? memoryTransportPair();
  let served: ServedSums | undefined;
  await using _responder = await serveEnd(right, {
    device: b,
    peer: a,
    hello: testHello(...servedFeatures ?? FEATURES),
    shares: [{ name: "default", path: folderB, writable }],
    openIndex: () => Promise.resolve(indexB),
    versionsMax: servedVersions,
    events: { sessionStart() {}, sessionEnd: ({ sums }) => served = sums },
    ...(onStep && { onStep }),
    ...common,
  });
  const items: PlanItem[] = [];
  const errors: SessionResult["errors"] = [];
  const progress: Progress[] = [];
  const session = new InitiatorSession(1, {
    request,
    observer: {
      plan() {},
      item: (item) => items.push(item),
      conflict() {},
      fileError: (error) => errors.push(error),
      progress: (now) => progress.push(now),
    },
    peer: { id: b.id, name: "b" },
    shortIdOf: (id) => id.slice(0, 7),
    ...(onStep && { onStep }),
    ...common,
  });
  const hello = testHello(...FEATURES);
  await using link = await PeerLink.begin(left, { hello, handler: session, ...common });
  const open = () =>
    openShareOf(a, {
      path: folderA,
      role: roleOfInitiator(request.mode, request.dryRun),
      untouched: request.dryRun,
      create: request.mode === "pull",
      index: indexA,
      ...common,
    });
  const summary = await session.run(link, { isNew: false, path: folderA, open });
  return { summary, items, errors, progress, served };
}
