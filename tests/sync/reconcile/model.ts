/**
 * Devices in memory: folders, users who edit them, scans, sessions that carry out plans, and sessions that
 * break off anywhere. Just enough of a device to see what the planner's decisions come to in the end.
 */
import assert from "node:assert/strict";
import { equalBytes, utf8 } from "../../../src/base/bytes.ts";
import { type Digest, digestKey, sha256 } from "../../../src/base/digest.ts";
import { PageRows } from "../../../src/base/page_rows.ts";
import { compareNames, type RelPath } from "../../../src/base/paths.ts";
import {
  decodePage,
  encodePage,
  type Entry,
  type FileEntry,
  shapeOf,
} from "../../../src/base/tree.ts";
import {
  bumpVector,
  EDIT_STEP,
  EMPTY_VECTOR,
  hasSeen,
  vectorMember,
  type VersionVector,
} from "../../../src/base/version_vector.ts";
import type { PlanItem } from "../../../src/sync/plan/sync_plan.ts";
import type { Operation, WriteFile } from "../../../src/sync/apply/operation.ts";
import type { OperationList } from "../../../src/sync/apply/operation_list.ts";
import { compared } from "../../../src/sync/plan/late_comparison.ts";
import type { FileVersion } from "../../../src/protocol/mod.ts";
import {
  contentDigest,
  type ContentEntry,
  type DirView,
  PageView,
  type Plan,
  type ReconcileOptions,
  Reconciler,
  type Side,
  type SideTraits,
  type SyncDirection,
} from "../../../src/sync/reconcile/mod.ts";

/** What lies at a path. A file's content is a unique text. */
export type Node =
  | { kind: "file"; content: string; size: number; mtimeMs: number; mode: number }
  | { kind: "dir"; mode: number }
  | { kind: "link"; target: string; mtimeMs: number };

interface IndexRow {
  signature: string;
  vector: VersionVector;
  isDir: boolean;
}

/** A folder as it was scanned. */
export interface Scan {
  root: Digest;
  views: Map<string, DirView>;
  pages: Map<string, Uint8Array>;
}

/** Devices know each other. */
const SHORT_IDS = new Map<string, string>();

/** A device with one folder. */
export class Device {
  readonly nodes = new Map<string, Node>();
  readonly index = new Map<string, IndexRow>();
  readonly tombstones = new Map<string, VersionVector>();
  readonly ancestors = new Map<string, Digest>();
  readonly pages = new Map<string, Uint8Array>();
  /** Digests of versions that a scan has seen. */
  readonly earlier = new Map<string, Digest>();
  readonly member;
  traits: SideTraits = {};
  /** Names (whole paths) that the scan can't judge. */
  opaque = new Set<string>();
  /** Directories of which not everything can be read. */
  incomplete = new Set<string>();
  checksum = false;
  #edits = 0;

  constructor(readonly id: string) {
    this.member = vectorMember(id, "1");
    SHORT_IDS.set(this.member, this.shortId);
  }

  get shortId(): string {
    return this.id.toUpperCase().padEnd(7, "A").slice(0, 7);
  }

  /** Names in a directory. */
  children(dir: string): string[] {
    const prefix = dir === "" ? "" : dir + "/";
    const names: string[] = [];
    for (const path of this.nodes.keys()) {
      if (path.startsWith(prefix) && path !== dir && !path.slice(prefix.length).includes("/")) {
        names.push(path.slice(prefix.length));
      }
    }
    return names.sort(compareNames);
  }

  /** Everything at and beneath a path. */
  beneath(path: string): string[] {
    return [...this.nodes.keys()].filter((p) => p === path || p.startsWith(path + "/"));
  }

  paths(kind: Node["kind"]): string[] {
    return [...this.nodes].filter(([, node]) => node.kind === kind).map(([path]) => path).sort();
  }

  /** Reads the folder and notes what changed since. */
  scan(): Scan {
    this.#noteChanges();
    const scan: Scan = { root: new Uint8Array(), views: new Map(), pages: new Map() };
    scan.root = this.#scanDir("", scan);
    return scan;
  }

  /** Carries what was agreed on about a version, as far as the index has that or an earlier one. */
  stamp(path: string, vector: VersionVector, isDeleted: boolean): void {
    const known = isDeleted ? this.tombstones.get(path) : this.index.get(path)?.vector;
    const isHere = isDeleted ? !this.index.has(path) : this.index.has(path);
    const isOlder = known === undefined || hasSeen(vector, known);
    if (!isHere || !isOlder) return;
    if (isDeleted) this.tombstones.set(path, vector);
    else this.index.set(path, { ...this.index.get(path)!, vector });
  }

  /** Carries a vector for a path, as an index does after an operation. */
  note(path: string, vector: VersionVector, isDeleted: boolean): void {
    const node = this.nodes.get(path);
    if (isDeleted) {
      if (node !== undefined) return;
      this.index.delete(path);
      this.tombstones.set(path, vector);
    } else if (node !== undefined) {
      this.tombstones.delete(path);
      this.index.set(path, { signature: signatureOf(node), vector, isDir: node.kind === "dir" });
    }
  }

  /** Notes that a version is gone from a path. */
  bury(path: string, vector: VersionVector): void {
    this.tombstones.set(path, this.#bumped(vector));
  }

  /** What is known of a directory that was deleted. */
  goneView(dir: string): DirView {
    return {
      entries: [],
      opaque: new Set(),
      isIncomplete: false,
      tombstones: this.#tombstonesIn(dir),
    };
  }

  #tombstonesIn(dir: string): Map<string, VersionVector> {
    const tombstones = new Map<string, VersionVector>();
    for (const [path, vector] of this.tombstones) {
      const slash = path.lastIndexOf("/");
      if (path.slice(0, Math.max(0, slash)) === dir) tombstones.set(path.slice(slash + 1), vector);
    }
    return tombstones;
  }

  #noteChanges(): void {
    for (const [path, node] of this.nodes) {
      if (this.#isHidden(path)) continue;
      const known = this.index.get(path);
      const signature = signatureOf(node);
      if (known?.signature === signature) continue;
      const vector = this.#bumped(known?.vector ?? this.tombstones.get(path) ?? EMPTY_VECTOR);
      this.index.set(path, { signature, vector, isDir: node.kind === "dir" });
      this.tombstones.delete(path);
    }
    for (const [path, known] of [...this.index]) {
      const parent = path.slice(0, Math.max(0, path.lastIndexOf("/")));
      if (this.nodes.has(path) || this.incomplete.has(parent)) continue;
      this.index.delete(path);
      this.tombstones.set(path, this.#bumped(known.vector));
    }
  }

  #bumped(vector: VersionVector): VersionVector {
    return bumpVector(vector, this.member, this.#edits += EDIT_STEP);
  }

  #isHidden(path: string): boolean {
    return [...this.opaque].some((o) => path === o || path.startsWith(o + "/"));
  }

  #scanDir(dir: string, scan: Scan): Digest {
    const entries: Entry[] = [];
    const versions = new Map<string, VersionVector>();
    const opaque = new Set<string>();
    for (const name of this.children(dir)) {
      const path = dir === "" ? name : `${dir}/${name}`;
      if (this.opaque.has(path)) {
        opaque.add(name);
        continue;
      }
      const node = this.nodes.get(path)!;
      versions.set(name, this.index.get(path)?.vector ?? EMPTY_VECTOR);
      if (node.kind === "dir") {
        entries.push({ kind: "dir", name, mode: node.mode, shape: this.#scanDir(path, scan) });
      } else if (node.kind === "link") {
        entries.push({ kind: "link", name, target: node.target, mtimeMs: node.mtimeMs });
      } else {
        const { mode, size, mtimeMs } = node;
        const digest = this.checksum ? { digest: digestOfText(node.content) } : {};
        entries.push({ kind: "file", name, mode, size, mtimeMs, ...digest });
        this.earlier.set(versionKey(path, node), digestOfText(node.content));
      }
    }
    scan.views.set(dir, {
      entries,
      opaque,
      isIncomplete: this.incomplete.has(dir),
      versions,
      tombstones: this.#tombstonesIn(dir),
      mtimeMs: 1,
    });
    const page = encodePage(entries);
    const shape = shapeOf(page);
    scan.pages.set(digestKey(shape), page);
    return shape;
  }
}

function versionKey(path: string, { size, mtimeMs }: { size: number; mtimeMs: number }): string {
  return `${path} ${size} ${mtimeMs}`;
}

/** What tells a scan that something changed. */
function signatureOf(node: Node): string {
  switch (node.kind) {
    case "file":
      return `f ${node.size} ${node.mtimeMs} ${node.mode}`;
    case "dir":
      return `d ${node.mode}`;
    case "link":
      return `l ${node.target} ${node.mtimeMs}`;
  }
}

export function digestOfText(content: string): Digest {
  return sha256(utf8(content));
}

/** Options of a session. */
export interface SessionOptions {
  direction?: SyncDirection;
  isIgnored?: ReconcileOptions["isIgnored"];
  modifyWindowMs?: number;
  /** Says what happens next: false lets an operation fail, "stop" breaks the session off. */
  next?: () => boolean | "stop";
  /** Whether a side writes its index after an operation. */
  noted?: () => boolean;
  /** Which sides store the next ancestor. */
  settled?: (side: Side) => boolean;
  /** Something that happens between planning and doing. */
  meanwhile?: () => void;
  /** Which side goes next. */
  sideFirst?: () => boolean;
  /** Answers no digest at all. */
  withoutDigests?: boolean;
  /** Files that may be the same are compared when their operation's turn comes. */
  comparesLater?: boolean;
  ignoreAncestor?: boolean;
}

export interface SessionEnd {
  plan: UnfoldedPlan;
  /** Operations that were not done. */
  failed: Operation[];
  rounds: number;
  dirsFetched: number;
}

/** A plan with everything in it at once. */
export interface UnfoldedPlan extends Omit<Plan, Side | "items"> {
  readonly local: readonly Operation[];
  readonly remote: readonly Operation[];
  readonly items: readonly PlanItem[];
}

const TWO_WAY: SyncDirection = { kind: "two-way", conflicts: "keep-both" };

/** Plans made so far. */
let plans = 0;

/** Only plans; nothing changes but the indexes. */
export function planFor(local: Device, remote: Device, options: SessionOptions = {}) {
  const scans = { local: local.scan(), remote: remote.scan() };
  const root = options.ignoreAncestor ? undefined : local.ancestors.get(remote.id);
  // Half of the plans are made from pages, as in a real session, and half from entries.
  const nth = plans++;
  const shown = nth % 4 < 2 ? (view: DirView) => view : viewByRows;
  const pageOf = (shape: Digest) => local.pages.get(digestKey(shape));
  const reconciler = new Reconciler({
    local: {
      root: scans.local.root,
      device: local,
      traits: local.traits,
      dir: (path) => shown(scans.local.views.get(path)!),
      goneDir: (path) => local.goneView(path),
    },
    remote: { root: scans.remote.root, device: remote, traits: remote.traits },
    ...(root && {
      ancestor: {
        root,
        entries: (shape: Digest) => {
          const page = pageOf(shape);
          return page && decodePage(page);
        },
        ...(shown === viewByRows && {
          rows: (shape: Digest) => {
            const page = pageOf(shape);
            return page && new PageRows(page);
          },
        }),
      },
    }),
    direction: options.direction ?? TWO_WAY,
    isIgnored: options.isIgnored,
    modifyWindowMs: options.modifyWindowMs,
    checksum: local.checksum,
    comparedLaterBytesMax: options.comparesLater ? Infinity : 0,
    shortIdOf: (member) => SHORT_IDS.get(member),
    // Every other plan is made as in a large tree, where nothing stays at hand.
    dirsAtHand: nth % 2 === 0 ? 0 : undefined,
  });
  let rounds = 0;
  let dirsFetched = 0;
  for (let needs; !(needs = reconciler.pollNeeds()).isDone; rounds++) {
    assert.ok(needs.dirs.length + needs.digests.length > 0, "a poll without anything to do");
    for (const { path, shape, isGone } of needs.dirs) {
      const view = isGone ? remote.goneView(path) : scans.remote.views.get(path)!;
      assert.ok(!isGone || !remote.nodes.has(path), `${path} is there`);
      assert.ok(equalBytes(shapeOf(encodePage(view.entries)), shape), "the shape asked for");
      reconciler.handleDir(path, () => isGone ? view : shown(view));
      dirsFetched++;
    }
    for (const question of needs.digests) {
      const device = question.side === "local" ? local : remote;
      assert.ok(device.nodes.has(question.path), `asked for ${question.path}, which is not there`);
      const digest = options.withoutDigests
        ? undefined
        : question.isEarlier
        ? device.earlier.get(versionKey(question.path, question.entry as FileEntry))
        : digestAt(device, question.path);
      reconciler.handleDigest(question, digest);
    }
  }
  const plan = reconciler.finish();
  const toCompare = {
    local: filesToCompare(plan.local),
    remote: filesToCompare(plan.remote),
  };
  return { plan: unfolded(plan), toCompare, scans, rounds, dirsFetched };
}

/** By position, and whether the mode becomes another one. */
function filesToCompare(list: OperationList): Map<number, boolean> {
  const files = Array.from({ length: list.countToCompare }, (_, i) => list.toCompare(i));
  return new Map(files.map(({ index, changesMode }) => [index, changesMode]));
}

/** The same directory, as a session has it. */
function viewByRows({ entries, versions, ...view }: DirView): DirView {
  const rows = new PageRows(encodePage(entries));
  const versionAt = versions && ((row: number) => versions.get(rows.name(row)));
  const { opaque, isIncomplete, mtimeMs, tombstones } = view;
  return new PageView({ rows, versionAt, opaque, isIncomplete, mtimeMs, tombstones });
}

function unfolded(plan: Plan): UnfoldedPlan {
  return { ...plan, local: [...plan.local], remote: [...plan.remote], items: [...plan.items] };
}

/** Plans and carries out a session that `local` starts. */
export function sync(local: Device, remote: Device, options: SessionOptions = {}): SessionEnd {
  const { plan, toCompare, scans, rounds, dirsFetched } = planFor(local, remote, options);
  options.meanwhile?.();
  const sides = { local: new Hands(local, remote), remote: new Hands(remote, local) };
  sides.local.other = sides.remote;
  sides.remote.other = sides.local;
  const done = { local: new Set<number>(), remote: new Set<number>() };
  const failed: Operation[] = [];
  const at = { local: 0, remote: 0 };
  let isStopped = false;
  while (!isStopped && (at.local < plan.local.length || at.remote < plan.remote.length)) {
    const side: Side = at.remote >= plan.remote.length ||
        (at.local < plan.local.length && (options.sideFirst?.() ?? true))
      ? "local"
      : "remote";
    const index = at[side]++;
    const planned = plan[side][index]!;
    const changesMode = toCompare[side].get(index);
    const operation = changesMode === undefined
      ? planned
      : lookedAt(planned as WriteFile, changesMode, sides[side]);
    const next = options.next?.() ?? true;
    if (next === "stop") isStopped = true;
    else if (next && sides[side].carryOut(operation)) {
      done[side].add(index);
      if (options.noted?.() ?? true) sides[side].noteIn(operation);
    } else failed.push(operation);
  }
  if (isStopped) return { plan, failed, rounds, dirsFetched };
  const settlement = plan.settle((side, index) => done[side].has(index));
  for (const side of ["local", "remote"] as const) {
    if (!(options.settled?.(side) ?? true)) continue;
    const [own, peer] = side === "local" ? [local, remote] : [remote, local];
    for (const stamp of settlement.stamps[side]) {
      own.stamp(stamp.path, stamp.vector, stamp.isDeleted);
    }
    for (const [key, page] of settlement.pages) own.pages.set(key, page.unpack());
    for (const shape of settlement.adopted) {
      const keep = (shape: Digest) => {
        const page = scans.local.pages.get(digestKey(shape));
        assert.ok(page, "an adopted page is among those of the local scan");
        own.pages.set(digestKey(shape), page);
        for (const entry of decodePage(page)) if (entry.kind === "dir") keep(entry.shape);
      };
      keep(shape);
    }
    // Pages that were in the old ancestor are shared by both.
    for (const [key, page] of peer.pages) if (!own.pages.has(key)) own.pages.set(key, page);
    own.ancestors.set(peer.id, settlement.root);
    assertComplete(own, settlement.root);
  }
  return { plan, failed, rounds, dirsFetched };
}

/** What becomes of an operation on a file that may be the same on both sides. */
function lookedAt(operation: WriteFile, changesMode: boolean, { device, other }: Hands): Operation {
  const { path, source, size, mtimeMs, before } = operation;
  assert.equal(before.kind, "file");
  assert.equal(operation.digest, undefined, "nobody has looked before");
  const digestOf = (at: Device, path: string, version: { size: number; mtimeMs: number }) => {
    const node = at.nodes.get(path);
    const isThere = node?.kind === "file" && node.size === version.size &&
      node.mtimeMs === version.mtimeMs;
    return isThere ? digestOfText(node.content) : undefined;
  };
  const wanted = digestOf(other!.device, source, { size, mtimeMs });
  const old = digestOf(device, path, before as FileVersion);
  return compared(operation, { wanted, old, changesMode });
}

/** Every page of a remembered tree is there. */
function assertComplete(device: Device, shape: Digest): void {
  if (equalBytes(shape, shapeOf(encodePage([])))) return;
  const page = device.pages.get(digestKey(shape));
  assert.ok(page, "a page of the ancestor is missing");
  for (const entry of decodePage(page)) {
    if (entry.kind === "dir") assertComplete(device, entry.shape);
  }
}

function digestAt(device: Device, path: string): Digest {
  const node = device.nodes.get(path)!;
  if (node.kind === "file") return digestOfText(node.content);
  assert.equal(node.kind, "dir");
  return contentDigest(
    device.children(path).map((name): ContentEntry => {
      const child = device.nodes.get(`${path}/${name}`)!;
      switch (child.kind) {
        case "file":
          return { kind: "file", name, size: child.size, digest: digestOfText(child.content) };
        case "dir":
          return { kind: "dir", name, digest: digestAt(device, `${path}/${name}`) };
        case "link":
          return { kind: "link", name, target: child.target };
      }
    }),
  );
}

/** Carries out operations on one device, as strictly as a real one. */
class Hands {
  other: Hands | undefined;
  /** Where files went that were moved in this session. */
  readonly moved = new Map<string, string>();

  constructor(readonly device: Device, readonly peer: Device) {}

  /** False if it can't be done: something is not as it was planned, or is missing since a part failed. */
  carryOut(operation: Operation): boolean {
    const { nodes } = this.device;
    const { path } = operation;
    const subject = operation.op === "move" ? operation.from : path;
    if (!isBefore(nodes.get(subject), operation.before)) return false;
    if (operation.op !== "remove" && operation.op !== "set-attributes" && !this.#hasParent(path)) {
      return false;
    }
    switch (operation.op) {
      case "make-dir":
        nodes.set(path, { kind: "dir", mode: operation.mode });
        return true;
      case "write-file": {
        if (operation.before.kind === "dir" && this.device.children(path).length > 0) return false;
        const found = this.other!.provide(operation.source, operation);
        if (found === undefined) return false;
        const { size, mtimeMs, mode } = operation;
        if (operation.digest) assert.ok(equalBytes(operation.digest, digestOfText(found)));
        nodes.set(path, { kind: "file", content: found, size, mtimeMs, mode });
        return true;
      }
      case "copy-file": {
        const from = nodes.get(operation.from);
        if (from?.kind !== "file" || from.size !== operation.size) return false;
        const { size, mtimeMs, mode } = operation;
        // Edited since.
        if (!equalBytes(operation.digest, digestOfText(from.content))) return false;
        nodes.set(path, { kind: "file", content: from.content, size, mtimeMs, mode });
        return true;
      }
      case "make-link":
        if (operation.before.kind === "dir" && this.device.children(path).length > 0) return false;
        nodes.set(path, { kind: "link", target: operation.target, mtimeMs: operation.mtimeMs });
        return true;
      case "move":
        if (nodes.has(path) && !this.#isRespelling(operation.from, path)) return false;
        for (const old of this.device.beneath(operation.from)) {
          const node = nodes.get(old)!;
          nodes.delete(old);
          nodes.set(path + old.slice(operation.from.length), node);
          this.moved.set(old, path + old.slice(operation.from.length));
        }
        return true;
      case "set-attributes": {
        const node = nodes.get(path)!;
        const { mode, mtimeMs } = operation;
        if (mode !== undefined && node.kind !== "link") node.mode = mode;
        if (mtimeMs !== undefined && node.kind !== "dir") node.mtimeMs = mtimeMs;
        return true;
      }
      case "remove":
        if (this.device.children(path).length > 0) return false;
        nodes.delete(path);
        return true;
    }
  }

  /** What an index writer notes for a finished operation. */
  noteIn(operation: Operation): void {
    const { device } = this;
    if (operation.op === "remove") return device.note(operation.path, operation.vector, true);
    if (operation.op === "move") {
      // What moves along keeps its vectors.
      const vectors = new Map([...device.index].map(([path, row]) => [path, row.vector]));
      for (const path of device.beneath(operation.path)) {
        const old = operation.from + path.slice(operation.path.length);
        const vector = path === operation.path ? operation.vector : vectors.get(old);
        device.index.delete(old);
        if (vector !== undefined) device.bury(old, vector);
        device.note(path, vector ?? EMPTY_VECTOR, false);
      }
      return device.note(operation.from, operation.vector, true);
    }
    device.note(operation.path, operation.vector, false);
  }

  /** The content of a file as it was planned, also if it was moved aside since. */
  provide(path: string, wanted: { size: number; mtimeMs: number }): string | undefined {
    for (const at of [path, this.moved.get(path)]) {
      const node = at === undefined ? undefined : this.device.nodes.get(at);
      if (node?.kind === "file" && node.size === wanted.size && node.mtimeMs === wanted.mtimeMs) {
        return node.content;
      }
    }
    return undefined;
  }

  #hasParent(path: RelPath): boolean {
    const slash = path.lastIndexOf("/");
    return slash < 0 || this.device.nodes.get(path.slice(0, slash))?.kind === "dir";
  }

  #isRespelling(from: string, to: string): boolean {
    return this.device.traits.foldsCase === true && from.toLowerCase() === to.toLowerCase();
  }
}

function isBefore(node: Node | undefined, before: Operation["before"]): boolean {
  switch (before.kind) {
    case "absent":
      return node === undefined;
    case "dir":
      return node?.kind === "dir";
    case "link":
      return node?.kind === "link" && node.target === before.target;
    case "file":
      return node?.kind === "file" && node.size === before.size && node.mtimeMs === before.mtimeMs;
  }
}

/** Edits folders as people do, and keeps account of what they meant to be gone. */
export class Users {
  /** Contents that somebody overwrote or deleted. */
  readonly superseded = new Set<string>();
  readonly written = new Set<string>();
  #ticks = 0;

  /** A moment that no other edit has; devices' clocks differ by up to a minute. */
  tick(device: Device): number {
    const skew = (device.id.charCodeAt(0) % 4) * 20_000;
    return 1_700_000_000_000 + ++this.#ticks * 1000 + skew;
  }

  write(device: Device, path: string, content?: string): boolean {
    const old = device.nodes.get(path);
    if (old?.kind === "dir" || !this.#hasParent(device, path)) return false;
    const text = content ?? `${path} by ${device.id} #${this.#ticks}`;
    if (old !== undefined) this.#supersede(old);
    this.written.add(text);
    this.superseded.delete(text);
    const mode = old?.kind === "file" ? old.mode : 0o644;
    const mtimeMs = this.tick(device);
    device.nodes.set(path, { kind: "file", content: text, size: text.length, mtimeMs, mode });
    return true;
  }

  link(device: Device, path: string, target: string): boolean {
    const old = device.nodes.get(path);
    if (old?.kind === "dir" || !this.#hasParent(device, path)) return false;
    if (old !== undefined) this.#supersede(old);
    device.nodes.set(path, { kind: "link", target, mtimeMs: this.tick(device) });
    return true;
  }

  mkdir(device: Device, path: string): boolean {
    if (device.nodes.has(path) || !this.#hasParent(device, path)) return false;
    device.nodes.set(path, { kind: "dir", mode: 0o755 });
    return true;
  }

  remove(device: Device, path: string): boolean {
    for (const below of device.beneath(path)) {
      this.#supersede(device.nodes.get(below)!);
      device.nodes.delete(below);
    }
    return true;
  }

  move(device: Device, from: string, to: string): boolean {
    if (device.nodes.has(to) || !device.nodes.has(from) || (to + "/").startsWith(from + "/")) {
      return false;
    }
    if (!this.#hasParent(device, to)) return false;
    for (const path of device.beneath(from)) {
      device.nodes.set(to + path.slice(from.length), device.nodes.get(path)!);
      device.nodes.delete(path);
    }
    return true;
  }

  /** `cp -p`: the same content and time. */
  copy(device: Device, from: string, to: string): boolean {
    const node = device.nodes.get(from);
    if (node?.kind !== "file" || device.nodes.has(to) || !this.#hasParent(device, to)) return false;
    device.nodes.set(to, { ...node });
    return true;
  }

  touch(device: Device, path: string): boolean {
    const node = device.nodes.get(path);
    if (node?.kind !== "file") return false;
    device.nodes.set(path, { ...node, mtimeMs: this.tick(device) });
    return true;
  }

  chmod(device: Device, path: string, mode: number): boolean {
    const node = device.nodes.get(path);
    if (node === undefined || node.kind === "link") return false;
    device.nodes.set(path, { ...node, mode });
    return true;
  }

  #supersede(node: Node): void {
    if (node.kind === "file") this.superseded.add(node.content);
  }

  #hasParent(device: Device, path: string): boolean {
    const slash = path.lastIndexOf("/");
    return slash < 0 || device.nodes.get(path.slice(0, slash))?.kind === "dir";
  }
}

/** A readable picture of a folder, for comparing. */
export function picture(device: Device): string[] {
  return [...device.nodes].map(([path, node]) => {
    switch (node.kind) {
      case "file":
        return `${path}: ${node.content} ${node.mtimeMs} ${node.mode.toString(8)}`;
      case "dir":
        return `${path}/ ${node.mode.toString(8)}`;
      case "link":
        return `${path} -> ${node.target} ${node.mtimeMs}`;
    }
  }).sort();
}

/** The lines of a plan, sorted by path; renames as `old -> new`. */
export function lines(plan: Pick<Plan, "items">): string[] {
  return [...plan.items].map(({ action, direction, type, path, from }) => ({
    path,
    text: `${action}${direction}${type} ${from === undefined ? "" : `${from} -> `}${path}`,
  })).sort((a, b) => a.path < b.path ? -1 : a.path > b.path ? 1 : 0).map(({ text }) => text);
}
