import { equalBytes } from "../../base/bytes.ts";
import { LandropicError } from "../../base/errors.ts";
import { type DirPath, joinPath, type RelPath } from "../../base/paths.ts";
import {
  decodePage,
  type DirEntry,
  type Entry,
  type FileEntry,
  type LinkEntry,
} from "../../base/tree.ts";
import { EMPTY_VECTOR } from "../../base/version_vector.ts";
import type { DeviceId } from "../../base/ids.ts";
import {
  type DirAnswer,
  ProtocolError,
  type SyncAccept,
  type SyncMode,
} from "../../protocol/mod.ts";
import type { Before, Operation } from "../apply/operation.ts";
import type { Snapshot } from "../scan/snapshot.ts";
import type { OpenShare } from "../share/open_share.ts";
import type { RemoteShare } from "../transfer/remote_share.ts";
import type { PlanItem, Side, SyncPlan } from "./sync_plan.ts";

/** How many deletions one run may do before it refuses to do any. */
export type DeleteLimit =
  | { readonly kind: "count"; readonly count: number }
  | {
    readonly kind: "percent";
    /** Of the files on the side that would lose them, 0 to 100. */
    readonly percent: number;
    /** Counts only where that side has more files than this. */
    readonly appliesAboveFiles: number;
  };

export interface PlanOptions {
  readonly share: OpenShare;
  readonly snapshot: Snapshot;
  readonly accept: SyncAccept;
  readonly remote: RemoteShare;
  readonly peer: { readonly id: DeviceId; readonly name: string };
  readonly deviceName: string;
  readonly mode: SyncMode;
  readonly deleteExtra: boolean;
  readonly deleteLimit: DeleteLimit;
  readonly conflict: "keep-both" | "newer" | "local" | "remote";
}

interface View {
  entries: Map<string, Entry>;
  opaque: Set<string>;
  mtimeMs: number;
  isIncomplete: boolean;
}
const NOTHING: View = { entries: new Map(), opaque: new Set(), mtimeMs: 0, isIncomplete: false };

/** Interim: one way only. */
export async function planSync(options: PlanOptions): Promise<SyncPlan> {
  if (options.mode === "two-way") throw new LandropicError("failed", "two-way is not there yet");
  const planner = new OneWay(options);
  return await planner.run();
}

// deno-lint-ignore require-await
export async function rememberAgreement(_options: PlanOptions, _plan: SyncPlan): Promise<void> {}

class OneWay {
  readonly dirs: Operation[] = [];
  readonly contents: Operation[] = [];
  readonly removals: Operation[] = [];
  readonly attributes: Operation[] = [];
  readonly items: (Omit<PlanItem, "operation"> & { on: Operation })[] = [];
  deletions = 0;
  bytes = 0;
  constructor(readonly o: PlanOptions) {}

  async run(): Promise<SyncPlan> {
    await this.walk("", undefined, undefined);
    this.removals.reverse();
    const ops = [...this.dirs, ...this.contents, ...this.attributes, ...this.removals];
    const at = new Map(ops.map((op, i) => [op, i]));
    const side: Side = this.o.mode === "push" ? "remote" : "local";
    const items = this.items.map(({ on, ...item }) => ({
      ...item,
      operation: { side, index: at.get(on)! },
    }));
    return {
      local: side === "local" ? ops : [],
      remote: side === "remote" ? ops : [],
      items,
      conflicts: [],
      deletions: {
        local: side === "local" ? this.deletions : 0,
        remote: side === "remote" ? this.deletions : 0,
      },
      renames: 0,
      bytesToSend: side === "remote" ? this.bytes : 0,
      bytesToReceive: side === "local" ? this.bytes : 0,
    };
  }

  async views(
    path: DirPath,
    l: DirEntry | undefined,
    r: DirEntry | undefined,
  ): Promise<[View, View]> {
    const dir = this.o.snapshot.dirs.get(path);
    const local: View = (path === "" || l) && dir
      ? {
        entries: new Map(decodePage(dir.page).map((e) => [e.name, e])),
        opaque: new Set(dir.opaque),
        mtimeMs: dir.mtimeMs,
        isIncomplete: dir.isIncomplete,
      }
      : NOTHING;
    let remote = NOTHING;
    if (path === "" || r) {
      const [answer] = await this.o.remote.getDirs([{
        path,
        shape: r?.shape ?? this.o.accept.shape,
      }]);
      if (typeof answer !== "object") throw new ProtocolError("directory is gone");
      const a: DirAnswer = answer;
      remote = {
        entries: new Map(decodePage(a.page).map((e) => [e.name, e])),
        opaque: new Set(a.opaque),
        mtimeMs: a.mtimeMs,
        isIncomplete: a.isIncomplete,
      };
    }
    return [local, remote];
  }

  async walk(path: DirPath, l: DirEntry | undefined, r: DirEntry | undefined): Promise<void> {
    const [local, remote] = await this.views(path, l, r);
    const push = this.o.mode === "push";
    const [source, target] = push ? [local, remote] : [remote, local];
    const [sourceDir, targetDir] = push ? [l, r] : [r, l];
    if (path !== "" && sourceDir) {
      const before: Before = targetDir ? { kind: "dir" } : { kind: "absent" };
      if (!targetDir) {
        this.add(
          this.dirs,
          {
            op: "make-dir",
            path,
            mode: sourceDir.mode,
            mtimeMs: source.mtimeMs,
            before,
            vector: EMPTY_VECTOR,
          },
          "+",
          "d",
          0,
        );
      } else {
        const op: Operation = {
          op: "set-attributes",
          path,
          before,
          vector: EMPTY_VECTOR,
          mode: sourceDir.mode === targetDir.mode ? undefined : sourceDir.mode,
          mtimeMs: source.mtimeMs,
        };
        if (op.mode !== undefined) this.add(this.attributes, op, "m", "d", 0);
        else this.attributes.push(op);
      }
    }
    const names = [...new Set([...source.entries.keys(), ...target.entries.keys()])].sort();
    for (const name of names) {
      if (source.opaque.has(name) || target.opaque.has(name)) continue;
      const s = source.entries.get(name);
      const t = target.entries.get(name);
      const at = joinPath(path, name);
      if (s?.kind === "dir" || (!s && t?.kind === "dir")) {
        const sd = s?.kind === "dir" ? s : undefined;
        const td = t?.kind === "dir" ? t : undefined;
        if (sd && td && equalBytes(sd.shape, td.shape) && sd.mode === td.mode) continue;
        if (!sd && (!this.o.deleteExtra || source.isIncomplete)) continue;
        if (!sd) this.remove(at, { kind: "dir" }, "d");
        await this.walk(at, push ? sd : td, push ? td : sd);
        continue;
      }
      if (!s) {
        if (t && this.o.deleteExtra && !source.isIncomplete) {
          this.remove(at, beforeOf(t), t.kind === "link" ? "l" : "f");
        }
        continue;
      }
      this.leaf(at, s, t);
    }
  }

  leaf(path: RelPath, s: FileEntry | LinkEntry, t: Entry | undefined): void {
    const before = beforeOf(t);
    const common = { path, before, vector: EMPTY_VECTOR, mtimeMs: s.mtimeMs };
    if (s.kind === "link") {
      if (t?.kind === "link" && t.target === s.target && t.mtimeMs === s.mtimeMs) return;
      this.add(
        this.contents,
        { op: "make-link", ...common, target: s.target },
        t ? "M" : "+",
        "l",
        0,
      );
      return;
    }
    const same = t?.kind === "file" && t.size === s.size && t.mtimeMs === s.mtimeMs &&
      (!s.digest || !t.digest || equalBytes(s.digest, t.digest));
    if (same && t.mode === s.mode) return;
    if (same) {
      this.add(this.contents, { op: "set-attributes", ...common, mode: s.mode }, "m", "f", s.size);
      return;
    }
    this.bytes += s.size;
    this.add(
      this.contents,
      {
        op: "write-file",
        ...common,
        source: path,
        mode: s.mode,
        size: s.size,
        digest: s.digest,
      },
      t ? "M" : "+",
      "f",
      s.size,
    );
  }

  remove(path: RelPath, before: Before, type: "f" | "d" | "l"): void {
    if (type !== "d") this.deletions++;
    this.add(this.removals, { op: "remove", path, before, vector: EMPTY_VECTOR }, "-", type, 0);
  }

  add(
    list: Operation[],
    on: Operation,
    action: PlanItem["action"],
    type: "f" | "d" | "l",
    bytes: number,
  ): void {
    list.push(on);
    this.items.push({
      on,
      action,
      type,
      bytes,
      path: on.path,
      direction: this.o.mode === "push" ? ">" : "<",
    });
  }
}

function beforeOf(entry: Entry | undefined): Before {
  if (!entry) return { kind: "absent" };
  if (entry.kind === "file") return { kind: "file", size: entry.size, mtimeMs: entry.mtimeMs };
  return entry.kind === "dir" ? { kind: "dir" } : { kind: "link", target: entry.target };
}
