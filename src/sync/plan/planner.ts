import type { Clock } from "../../base/clock.ts";
import type { Digest } from "../../base/digest.ts";
import type { DeviceId } from "../../base/ids.ts";
import { collectGarbage } from "../../base/garbage.ts";
import { Packer } from "../../base/packed_bytes.ts";
import { PageRows } from "../../base/page_rows.ts";
import { type DirPath, joinPath, type RelPath } from "../../base/paths.ts";
import { decodePage } from "../../base/tree.ts";
import { nextTurn, TimeSlices } from "../../base/turn.ts";
import { type VectorMember, vectorMember } from "../../base/version_vector.ts";
import type { RootIndex } from "../../index/mod.ts";
import {
  decodeDirHistory,
  type DirAnswer,
  ProtocolError,
  type SyncAccept,
} from "../../protocol/mod.ts";
import { historyOfGone } from "../content/dir_history.ts";
import { FilterStack, IGNORE_FILE, IGNORE_FILE_BYTES_MAX, PathFilter } from "../filter/mod.ts";
import {
  type AncestorTree,
  type ConflictPolicy,
  type DirNeed,
  type DirSource,
  type DirView,
  EMPTY_VIEW,
  type Needs,
  PageView,
  type Plan,
  Reconciler,
  type SideTraits,
  type SyncDirection,
} from "../reconcile/mod.ts";
import type { Snapshot } from "../scan/snapshot.ts";
import { glimpseNames, SMALL_FILE_BYTES } from "../../store/mod.ts";
import type { OpenShare } from "../share/open_share.ts";
import type { RemoteShare } from "../transfer/remote_share.ts";
import { peerFolder } from "./agreement.ts";
import { AskedAhead } from "./asked_ahead.ts";
import { DigestAnswers } from "./digest_answers.ts";

/** Portions of questions that both sides work on: neither waits while the other has something to read. */
const PORTIONS_UNDER_WAY = 2;

/** With so many files on a side the operations take much memory, and a pause of 0.1 s is little. */
const FILES_MANY = 200_000;

/** What a plan is made from. */
export interface PlanOptions {
  readonly share: OpenShare;
  readonly snapshot: Snapshot;
  /** What the peer said of its side. */
  readonly accept: SyncAccept;
  readonly remote: RemoteShare;
  readonly peer: { readonly id: DeviceId; readonly name: string };
  readonly mode: "push" | "pull" | "two-way";
  readonly deleteExtra: boolean;
  readonly conflict: ConflictPolicy;
  readonly dryRun: boolean;
  readonly checksum: boolean;
  /** Ignore rules of the command line. */
  readonly filters: readonly string[];
  /** The first characters of an id. */
  readonly shortIdOf: (id: DeviceId) => string;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** The sides remember different pasts: neither ancestors nor versions tell anything. */
  readonly isOutOfStep?: boolean;
  /** Small files that may only have been touched are left for a later look at them. */
  readonly comparesLater?: boolean;
}

/** What a session does, and who answers what is left to be looked at. */
export interface Planned {
  readonly plan: Plan;
  readonly answers: DigestAnswers;
}

/**
 * Decides what a session does: feeds the reconciler with both trees, the ancestor and the filter, and
 * fetches from the peer what it asks for, a level of the tree at a time.
 */
export async function planSync(options: PlanOptions): Promise<Planned> {
  const reconciler = new Reconciler({
    local: localTree(options),
    remote: remoteTree(options),
    ancestor: ancestorOf(options),
    direction: directionOf(options),
    checksum: options.checksum,
    distrustsVersions: options.isOutOfStep ?? false,
    comparedLaterBytesMax: options.comparesLater ? SMALL_FILE_BYTES : 0,
    isIgnored: ignoreRules(options),
    shortIdOf: authors(options),
    remembers: remembersPlan(options),
  });
  const underWay = new Set<Promise<void>>();
  const ahead = AskedAhead.ask(options.snapshot, options.accept.shape, options.remote);
  const answers = new DigestAnswers({ ...options, ahead });
  const slices = new TimeSlices(options);
  const shared = { ...options, packer: new Packer(), slices, ahead, answers };
  for (let needs; !(needs = reconciler.pollNeeds()).isDone;) {
    if (needs.dirs.length + needs.digests.length > 0) {
      const answering: Promise<void> = answerNeeds(needs, reconciler, shared)
        .finally(() => underWay.delete(answering));
      underWay.add(answering);
      if (underWay.size < PORTIONS_UNDER_WAY) continue;
    }
    await Promise.race(underWay);
  }
  await nextTurn();
  const { snapshot, accept } = options;
  if (Math.max(snapshot.files, accept.files) > FILES_MANY) collectGarbage();
  return { plan: await planInTurns(reconciler, slices), answers };
}

/** The peer is to hear of this side meanwhile. */
async function planInTurns(reconciler: Reconciler, slices: TimeSlices): Promise<Plan> {
  for (const steps = reconciler.planning();;) {
    const step = steps.next();
    if (step.done) return step.value;
    if (slices.isOver) await slices.pass();
  }
}

/** What all portions of a plan have in common. */
interface Shared {
  readonly packer: Packer;
  readonly slices: TimeSlices;
  readonly ahead: AskedAhead;
  readonly answers: DigestAnswers;
}

/** Fetches and reads what the walk waits for. */
async function answerNeeds(
  { dirs, digests }: Needs,
  reconciler: Reconciler,
  options: PlanOptions & Shared,
): Promise<void> {
  const { slices } = options;
  const [views, replies] = await Promise.all([
    fetchDirs(dirs, options),
    options.answers.answer(digests),
  ]);
  for (const [i, need] of dirs.entries()) {
    reconciler.handleDir(need.path, views[i]!);
    if (slices.isOver) await slices.pass();
  }
  digests.forEach((question, i) => reconciler.handleDigest(question, replies[i]));
}

/** True where the session will end with a new ancestor: a pair that only ever syncs one way has none. */
export function remembersPlan(
  { share, accept, peer, mode, dryRun }: Pick<
    PlanOptions,
    "share" | "accept" | "peer" | "mode" | "dryRun"
  >,
): boolean {
  if (dryRun) return false;
  return mode === "two-way" ||
    share.index.ancestor(peerFolder(peer.id, accept.rootId)) !== undefined;
}

function localTree({ share, snapshot, shortIdOf }: PlanOptions) {
  const features = share.options.role === "source" ? undefined : share.root.features();
  const names = features ?? glimpseNames(share.root, snapshot.names(""));
  return {
    root: snapshot.shape,
    device: { member: share.member, shortId: shortIdOf(share.options.deviceId) },
    traits: {
      foldsCase: !names.caseSensitive,
      foldsUnicode: !names.keepsNormalForm,
      windowsNames: Deno.build.os === "windows",
      losesModes: features && !features.modes,
      losesLinks: features && !features.symlinks,
    } satisfies SideTraits,
    dir: (path: DirPath) => localView(path, snapshot, share.index),
    goneDir: (path: DirPath) => {
      const history = historyOfGone(share.index, path);
      return history && { ...EMPTY_VIEW, tombstones: history.tombstones };
    },
  };
}

function remoteTree({ accept, peer, shortIdOf }: PlanOptions) {
  const epoch = peerFolder(peer.id, accept.rootId).epoch;
  return {
    root: accept.shape,
    device: { member: vectorMember(peer.id, epoch), shortId: shortIdOf(peer.id) },
    traits: {
      foldsCase: accept.foldsCase,
      foldsUnicode: accept.foldsUnicode,
      windowsNames: accept.windows,
    } satisfies SideTraits,
  };
}

function ancestorOf(
  { share, accept, peer, isOutOfStep }: PlanOptions,
): AncestorTree | undefined {
  if (isOutOfStep) return undefined;
  const ancestor = share.index.ancestor(peerFolder(peer.id, accept.rootId));
  if (ancestor === undefined || ancestor.unsafe) return undefined;
  return {
    root: ancestor.shape,
    entries(shape: Digest) {
      const page = share.index.getPage(shape);
      return page && decodePage(page);
    },
    rows(shape: Digest) {
      const page = share.index.getPage(shape);
      return page && new PageRows(page);
    },
  };
}

function directionOf({ mode, deleteExtra, conflict }: PlanOptions): SyncDirection {
  return mode === "two-way"
    ? { kind: mode, conflicts: conflict }
    : { kind: mode, deletes: deleteExtra };
}

function localView(path: DirPath, snapshot: Snapshot, index: RootIndex): DirView {
  const dir = snapshot.dirs.get(path);
  if (dir === undefined) {
    throw new Error(`directory ${JSON.stringify(path)} is not in the snapshot`);
  }
  const known = index.lookInto(path);
  const rows = snapshot.rows(path)!;
  return new PageView({
    rows,
    list: () => snapshot.list(path),
    opaque: new Set(dir.opaque),
    isIncomplete: dir.isIncomplete,
    mtimeMs: dir.mtimeMs,
    versionAt: (row) => known?.vectorOf(rows.page, rows.nameStart(row), rows.nameEnd(row)),
    tombstones: known?.tombstones,
  });
}

/** @param rows Those of the answer's page. */
function remoteView(answer: DirAnswer, rows: PageRows): DirView {
  const { versions, tombstones } = decodeDirHistory(answer.history, rows.count);
  return new PageView({
    rows,
    opaque: new Set(answer.opaque),
    isIncomplete: answer.isIncomplete,
    mtimeMs: answer.mtimeMs,
    versionAt: (row) => versions[row],
    tombstones,
  });
}

async function fetchDirs(
  needs: readonly DirNeed[],
  { remote, snapshot, packer, ahead }: PlanOptions & Shared,
): Promise<DirSource[]> {
  const known = await Promise.all(needs.map((need) => ahead.takeDir(need)));
  const asked = (await remote.getDirs(needs.filter((_, i) => known[i] === undefined))).values();
  const answers = known.map((answer) => answer ?? asked.next().value!);
  return answers.map((answer, i) => {
    if (typeof answer === "number" && needs[i]!.isGone) return () => EMPTY_VIEW;
    // It serves what its snapshot holds, and that does not change during a session.
    if (typeof answer === "number") throw new ProtocolError("Peer lacks a directory that it named");
    const { path } = needs[i]!;
    const page = packer.keep(answer.page);
    const history = packer.keep(answer.history);
    const { opaque, isIncomplete, mtimeMs } = answer;
    let isChecked = false;
    return () => {
      const unpacked = { page: page.unpack(), history: history.unpack() };
      // Read strictly the first time.
      const rows = isChecked
        ? new PageRows(unpacked.page)
        : PageRows.checked(unpacked.page, snapshot.rows(path));
      isChecked = true;
      return remoteView({ opaque, isIncomplete, mtimeMs, ...unpacked }, rows);
    };
  });
}

/** The short ids behind members of version vectors, as far as this device has met their folders. */
function authors({ share, shortIdOf }: PlanOptions): (member: VectorMember) => string | undefined {
  const known = share.index.ancestors().map(({ peer, epoch }) =>
    [vectorMember(peer, epoch), shortIdOf(peer)] as const
  );
  const byMember = new Map(known);
  return (member) => byMember.get(member);
}

/** The rules in force at any path, by the initiator's command line and ignore files. */
function ignoreRules(
  { share, snapshot, filters }: PlanOptions,
): (path: RelPath, isDir: boolean) => boolean {
  const text = (dir: DirPath): string | undefined => {
    if (snapshot.entry(joinPath(dir, IGNORE_FILE))?.kind !== "file") return undefined;
    const buffer = new Uint8Array(IGNORE_FILE_BYTES_MAX);
    const { length } = share.root.readSmall(joinPath(dir, IGNORE_FILE), buffer);
    return new TextDecoder().decode(buffer.subarray(0, length));
  };
  const filter = new PathFilter(FilterStack.root(filters, text("")), text);
  return (path, isDir) => filter.isIgnored(path, isDir);
}
