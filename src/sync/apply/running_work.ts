/** Work that runs side by side, up to a limit. What fails is thrown to whoever waits for it. */
export class RunningWork {
  readonly #running = new Set<Promise<void>>();
  readonly #atOnceMax: number;

  constructor(atOnceMax: number) {
    this.#atOnceMax = atOnceMax;
  }

  get isIdle(): boolean {
    return this.#running.size === 0;
  }

  /** Lets work run beside the rest, unless too much does already. */
  async start(work: Promise<void>): Promise<void> {
    const running: Promise<void> = work.finally(() => this.#running.delete(running));
    // Whoever waits for the set gets the error.
    running.catch(() => {});
    this.#running.add(running);
    while (this.#running.size >= this.#atOnceMax) await Promise.race(this.#running);
  }

  /** Waits until nothing runs any more. */
  async finish(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running);
  }

  /** As {@linkcode finish}, whatever fails. */
  async settle(): Promise<void> {
    await Promise.allSettled(this.#running);
  }
}
