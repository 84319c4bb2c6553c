import type { SyncObserver, SyncSummary } from "../sync/mod.ts";

type Plan = Parameters<SyncObserver["plan"]>[0];
type FileError = Parameters<SyncObserver["fileError"]>[0];
type Item = Parameters<SyncObserver["item"]>[0];

/**
 * Passes on what a round of a watch has to tell, and nothing of a round in which nothing happened: its
 * empty plan, and the files that still can't be synced, are no news. The first round tells everything.
 */
export class RoundReport {
  readonly #observer: SyncObserver;
  #known: ReadonlySet<string> = new Set();
  #seen = new Set<string>();
  #plan: Plan | undefined;
  #isFirst = true;
  #isTelling = true;

  constructor(observer: SyncObserver) {
    this.#observer = observer;
  }

  /** A round begins. @returns Who its session is to tell. */
  begin(): SyncObserver {
    this.#seen = new Set();
    this.#plan = undefined;
    this.#isTelling = this.#isFirst;
    return {
      plan: (plan) => this.#handlePlan(plan),
      item: (item) => this.#handleItem(item),
      fileError: (error) => this.#handleError(error),
      conflict: (conflict) => {
        this.#tell();
        this.#observer.conflict(conflict);
      },
      progress: (now) => {
        if (this.#isTelling) this.#observer.progress(now);
      },
    };
  }

  /** The round is over. @returns True if its summary is news. */
  end(summary: SyncSummary): boolean {
    const { sent, received, deleted, renamed, adjusted } = summary;
    const isNews = this.#isTelling || sent + received + deleted + renamed + adjusted > 0;
    this.#known = this.#seen;
    this.#isFirst = false;
    return isNews;
  }

  #handlePlan(plan: Plan): void {
    if (this.#isTelling) return this.#observer.plan(plan);
    this.#plan = plan;
  }

  #handleItem(item: Item): void {
    const isStill = item.operation === undefined || item.action === "!";
    if (isStill && this.#isKnown(`${item.action} ${item.path} ${item.reason}`)) return;
    this.#tell();
    this.#observer.item(item);
  }

  #handleError(error: FileError): void {
    // Changed under the plan: the next round, at once, tells how it went on.
    if (this.#isKnown(`${error.code} ${error.path}`) || error.code === "changed") return;
    this.#tell();
    this.#observer.fileError(error);
  }

  #isKnown(what: string): boolean {
    this.#seen.add(what);
    return this.#known.has(what);
  }

  #tell(): void {
    this.#isTelling = true;
    if (this.#plan !== undefined) this.#observer.plan(this.#plan);
    this.#plan = undefined;
  }
}
