import type { Clock } from "../../base/clock.ts";
import { ProtocolError } from "../../protocol/mod.ts";
import type { Operation, Outcome } from "../apply/operation.ts";
import { isAdjustment, type PlanItem, type Side, type SyncPlan } from "../plan/sync_plan.ts";
import type { IsDone } from "../reconcile/mod.ts";
import type { Provider } from "../transfer/provider.ts";
import type { SyncObserver } from "./sync_observer.ts";
import type { SyncSummary } from "./sync_summary.ts";

/** The rate shown is that of so long. */
const RATE_WINDOW_MS = 3_000;

/** Counts outcomes and passes lines on in the plan's order, each when its operation is done. */
export class Tally {
  readonly #plan: SyncPlan;
  readonly #summary: SyncSummary;
  readonly #observer: SyncObserver;
  readonly #provider: Provider;
  readonly #clock: Clock;
  readonly #peerName: string;
  readonly #samples: { readonly atMs: number; readonly bytes: number }[] = [];
  /** What became of each operation: one of {@linkcode RESULTS}, or 0 while that is not known. */
  readonly #results: { readonly [side in Side]: Uint8Array };
  /** Files of which contents turned out to be the same on both sides: 1 at their operation's position. */
  readonly #same: { [side in Side]?: Uint8Array } = {};
  /** Why operations were not done, by their position. */
  readonly #reasons: { readonly [side in Side]: Map<number, string> };
  readonly #totalBytes: number;
  readonly #totalFiles: number;
  #nextItem = 0;
  /** The line at that place, once it was looked at. */
  #next: PlanItem | undefined;
  #bytesReceived = 0;
  /** Sizes of the files whose fate is known, and what of them has travelled. */
  #settledBytes = 0;
  #settledTravelled = 0;
  #files = 0;

  constructor(
    plan: SyncPlan,
    summary: SyncSummary,
    on: { observer: SyncObserver; provider: Provider; clock: Clock; peerName: string },
  ) {
    this.#plan = plan;
    this.#summary = summary;
    this.#observer = on.observer;
    this.#provider = on.provider;
    this.#clock = on.clock;
    this.#peerName = on.peerName;
    this.#results = {
      local: new Uint8Array(plan.local.length),
      remote: new Uint8Array(plan.remote.length),
    };
    this.#reasons = { local: new Map(), remote: new Map() };
    this.#totalBytes = plan.bytesToSend + plan.bytesToReceive;
    this.#totalFiles = plan.files;
  }

  /** File bytes that arrived here so far. */
  get bytesReceived(): number {
    return this.#bytesReceived;
  }

  /** File bytes that arrived here. */
  received(bytes: number): void {
    this.#bytesReceived += bytes;
  }

  /** A file need not be written after all: its operation now sets attributes. */
  noteSame(side: Side, index: number): void {
    const same = this.#same[side] ??= new Uint8Array(this.#results[side].length);
    same[index] = 1;
  }

  /** Takes in what became of one operation. @throws {ProtocolError} for one that is not of the plan. */
  take(side: Side, outcome: Outcome): void {
    const results = this.#results[side];
    if (results[outcome.index] !== 0) {
      throw new ProtocolError("Outcome of an operation that was not asked for");
    }
    results[outcome.index] = RESULTS.indexOf(outcome.result);
    this.#count(side, outcome);
    this.#passOn();
  }

  /** Tells how far it is. */
  report(): void {
    const travelled = this.#bytesReceived + this.#provider.fileBytes;
    const underWay = Math.max(0, travelled - this.#settledTravelled);
    this.#observer.progress({
      files: this.#files,
      totalFiles: this.#totalFiles,
      // What need not travel counts too, once its file is complete.
      bytes: Math.min(this.#totalBytes, this.#settledBytes + underWay),
      totalBytes: this.#totalBytes,
      rate: this.#rate(travelled),
    });
  }

  /** Tells which operations are done. @throws {ProtocolError} if the peer left outcomes out. */
  finish(): IsDone {
    this.#passOn();
    this.report();
    const { local, remote } = this.#results;
    const missing = count(local, 0) + count(remote, 0);
    if (missing > 0) throw new ProtocolError(`${missing} operations have no outcome`);
    return (side, index) => this.#results[side][index] === DONE;
  }

  #rate(bytes: number): number {
    const atMs = this.#clock.nowMs();
    this.#samples.push({ atMs, bytes });
    while (atMs - this.#samples[0]!.atMs > RATE_WINDOW_MS) this.#samples.shift();
    const first = this.#samples[0]!;
    return atMs > first.atMs ? (bytes - first.bytes) * 1000 / (atMs - first.atMs) : 0;
  }

  #count(side: Side, outcome: Outcome): void {
    const summary = this.#summary;
    const operation = this.#plan[side].at(outcome.index);
    summary.bytesReused += outcome.bytesReused;
    if (side === "remote") summary.bytesSent += outcome.bytesFetched;
    else summary.bytesReceived += outcome.bytesFetched;
    if (operation.op === "write-file") {
      this.#settledBytes += operation.size;
      this.#settledTravelled += outcome.bytesFetched;
    }
    if (outcome.result !== "done") {
      summary.errors++;
      if (outcome.result === "changed") summary.changed++;
      const { code } = outcome;
      const message = side === "remote"
        ? this.#asSaid(operation, outcome.message)
        : outcome.message;
      this.#reasons[side].set(outcome.index, message);
      this.#observer.fileError({ path: operation.path, code, message });
      return;
    }
    if (this.#isSame(side, outcome.index)) {
      this.#files++;
      return;
    }
    if (side === "local") summary.files += filesMore(operation);
    switch (operation.op) {
      case "write-file":
      case "copy-file":
        this.#files++;
        // falls through
      case "make-link":
        if (side === "remote") summary.sent++;
        else summary.received++;
        return;
      case "remove":
      case "make-dir":
        if (isLeaf(operation)) summary.deleted++;
        return;
      case "move":
        summary.renamed++;
        return;
    }
  }

  /** What the peer says of an operation; of a file that it could not get from here, this side knows more. */
  #asSaid(operation: Operation, message: string): string {
    const source = "source" in operation ? operation.source : undefined;
    const why = source === undefined ? undefined : this.#provider.whyUnreadable(source);
    return why ?? `On "${this.#peerName}": ${message}`;
  }

  #isSame(side: Side, index: number): boolean {
    return this.#same[side]?.[index] === 1;
  }

  #passOn(): void {
    for (;;) {
      const item = this.#next ??= this.#plan.items.at(this.#nextItem);
      if (item === undefined) return;
      if (item.operation === undefined) {
        this.#observer.item(item);
      } else {
        const { side, index } = item.operation;
        const result = this.#results[side][index];
        if (result === 0) return;
        const reason = this.#reasons[side].get(index) ?? "";
        const shown: PlanItem = this.#isSame(side, index) ? { ...item, action: "m" } : item;
        if (result === DONE && isAdjustment(shown)) this.#summary.adjusted++;
        this.#observer.item(result === DONE ? shown : { ...item, action: "!", reason });
      }
      this.#next = undefined;
      this.#nextItem++;
    }
  }
}

/** How many files more there are in a folder once an operation is done. */
export function filesMore({ op, before: { kind } }: Operation): -1 | 0 | 1 {
  switch (op) {
    case "write-file":
    case "copy-file":
      return kind === "file" ? 0 : 1;
    case "make-link":
    case "make-dir":
    case "remove":
      return kind === "file" ? -1 : 0;
    case "move":
    case "set-attributes":
      return 0;
  }
}

/** True if what is in the way of an operation, or removed by it, is a file or a link. */
export function isLeaf({ before: { kind } }: Operation): boolean {
  return kind === "file" || kind === "link";
}

const RESULTS = [undefined, "done", "changed", "failed"] as const;
const DONE = RESULTS.indexOf("done");

function count(results: Uint8Array, wanted: number): number {
  let found = 0;
  for (const result of results) if (result === wanted) found++;
  return found;
}
