/** Work that runs side by side, up to a limit. */
export class RunningWork {
  readonly #running = new Set<Promise<void>>();
  readonly #atOnceMax: number;
  /** Kept, since it may be that nobody waits when it happens. */
  #failure: { readonly error: unknown } | undefined;

  constructor(atOnceMax: number) {
    this.#atOnceMax = atOnceMax;
  }

  get isIdle(): boolean {
    return this.#running.size === 0;
  }

  /** Lets work run beside the rest, unless too much does already. @throws What failed first, of any. */
  async start(work: Promise<void>): Promise<void> {
    const running: Promise<void> = work
      .catch((error) => void (this.#failure ??= { error }))
      .finally(() => this.#running.delete(running));
    this.#running.add(running);
    await this.#waitFor(this.#atOnceMax - 1);
  }

  /** Waits until nothing runs any more. @throws What failed first, without waiting for the rest. */
  async finish(): Promise<void> {
    await this.#waitFor(0);
  }

  /** Waits until nothing runs any more, whatever fails. */
  async settle(): Promise<void> {
    await Promise.all(this.#running);
  }

  /** Waits until so much runs at most. */
  async #waitFor(runningMax: number): Promise<void> {
    while (this.#failure === undefined && this.#running.size > runningMax) {
      await Promise.race(this.#running);
    }
    if (this.#failure !== undefined) throw this.#failure.error;
  }
}
