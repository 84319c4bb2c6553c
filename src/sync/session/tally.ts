import type { Clock } from "../../base/clock.ts";
import { ProtocolError } from "../../protocol/mod.ts";
import type { Outcome } from "../apply/operation.ts";
import type { PlanOutcomes, Side, SyncPlan } from "../plan/sync_plan.ts";
import type { Provider } from "../transfer/provider.ts";
import type { SyncObserver, SyncSummary } from "./initiator.ts";

/** The rate shown is that of so long. */
const RATE_WINDOW_MS = 3_000;

/** Counts outcomes and passes lines on in the plan's order, each when its operation is done. */
export class Tally {
  readonly #plan: SyncPlan;
  readonly #summary: SyncSummary;
  readonly #observer: SyncObserver;
  readonly #provider: Provider;
  readonly #clock: Clock;
  readonly #samples: { readonly atMs: number; readonly bytes: number }[] = [];
  readonly #outcomes: { readonly [side in Side]: (Outcome | undefined)[] };
  readonly #totalBytes: number;
  readonly #totalFiles: number;
  #nextItem = 0;
  #bytesReceived = 0;
  /** Sizes of the files whose fate is known, and what of them has travelled. */
  #settledBytes = 0;
  #settledTravelled = 0;
  #files = 0;

  constructor(
    plan: SyncPlan,
    summary: SyncSummary,
    on: { observer: SyncObserver; provider: Provider; clock: Clock },
  ) {
    this.#plan = plan;
    this.#summary = summary;
    this.#observer = on.observer;
    this.#provider = on.provider;
    this.#clock = on.clock;
    this.#outcomes = { local: new Array(plan.local.length), remote: new Array(plan.remote.length) };
    this.#totalBytes = plan.bytesToSend + plan.bytesToReceive;
    this.#totalFiles = [...plan.local, ...plan.remote]
      .filter(({ op }) => op === "write-file" || op === "copy-file").length;
  }

  /** File bytes that arrived here. */
  received(bytes: number): void {
    this.#bytesReceived += bytes;
  }

  /** Takes in what became of one operation. @throws {ProtocolError} for one that is not of the plan. */
  take(side: Side, outcome: Outcome): void {
    if (outcome.index >= this.#outcomes[side].length || this.#outcomes[side][outcome.index]) {
      throw new ProtocolError("Outcome of an operation that was not asked for");
    }
    this.#outcomes[side][outcome.index] = outcome;
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

  /** The outcome of every operation. @throws {ProtocolError} if the peer left some out. */
  finish(): PlanOutcomes {
    this.#passOn();
    this.report();
    const missing = [...this.#outcomes.local, ...this.#outcomes.remote].filter((o) =>
      o === undefined
    );
    if (missing.length > 0) throw new ProtocolError(`${missing.length} operations have no outcome`);
    return this.#outcomes;
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
    const operation = this.#plan[side][outcome.index]!;
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
      const { code, message } = outcome;
      this.#observer.fileError({ path: operation.path, code, message });
      return;
    }
    switch (operation.op) {
      case "write-file":
      case "copy-file":
        this.#files++;
        if (side === "local" && operation.before.kind !== "file") summary.files++;
        if (operation.op === "copy-file") return;
        // falls through
      case "make-link":
        if (side === "remote") summary.sent++;
        else summary.received++;
        return;
      case "remove":
        if (operation.before.kind !== "dir") summary.deleted++;
        if (side === "local" && operation.before.kind === "file") summary.files--;
        return;
      case "move":
        summary.renamed++;
        return;
    }
  }

  #passOn(): void {
    for (; this.#nextItem < this.#plan.items.length; this.#nextItem++) {
      const item = this.#plan.items[this.#nextItem]!;
      if (item.operation === undefined) {
        this.#observer.item(item);
        continue;
      }
      const outcome = this.#outcomes[item.operation.side][item.operation.index];
      if (outcome === undefined) return;
      this.#observer.item(
        outcome.result === "done" ? item : { ...item, action: "!", reason: outcome.message },
      );
    }
  }
}
