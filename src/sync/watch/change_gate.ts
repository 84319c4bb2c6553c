/** How long nothing may have happened before a run of changes counts as over. */
export const QUIET_MS = 150;
/** How long a run of changes may keep everybody waiting. */
export const QUIET_MS_MAX = 1_000;

/** Decides when a run of changes is over: soon after the last one, or when it goes on for too long. */
export class ChangeGate {
  #firstMs = Infinity;
  #lastMs = -Infinity;

  /** Something changed. */
  handleChange(nowMs: number): void {
    this.#firstMs = Math.min(this.#firstMs, nowMs);
    this.#lastMs = nowMs;
  }

  /** When {@linkcode take} is worth a call; `Infinity` where nothing has changed. */
  get deadlineMs(): number {
    if (this.#firstMs === Infinity) return Infinity;
    return Math.min(this.#lastMs + QUIET_MS, this.#firstMs + QUIET_MS_MAX);
  }

  /** Takes the changes so far, if their run is over. */
  take(nowMs: number): boolean {
    if (nowMs < this.deadlineMs) return false;
    this.#firstMs = Infinity;
    this.#lastMs = -Infinity;
    return true;
  }
}
