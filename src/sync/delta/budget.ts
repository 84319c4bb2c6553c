/** Bounds the sum of something that is taken and given back; those who wait go in order. */
export class Budget {
  readonly #max: number;
  #taken = 0;
  readonly #waiting: { amount: number; go: () => void }[] = [];

  constructor(max: number) {
    this.#max = max;
  }

  /** Takes an amount when it fits, or, if it never will, when nobody else has any. */
  async take(amount: number): Promise<Disposable> {
    if (this.#waiting.length > 0 || !this.#fits(amount)) {
      await new Promise<void>((go) => this.#waiting.push({ amount, go }));
    } else this.#taken += amount;
    let isReturned = false;
    return {
      [Symbol.dispose]: () => {
        if (isReturned) return;
        isReturned = true;
        this.#giveBack(amount);
      },
    };
  }

  #giveBack(amount: number): void {
    this.#taken -= amount;
    for (let first; (first = this.#waiting[0]) !== undefined && this.#fits(first.amount);) {
      this.#waiting.shift();
      this.#taken += first.amount;
      first.go();
    }
  }

  #fits(amount: number): boolean {
    return this.#taken === 0 || this.#taken + amount <= this.#max;
  }
}
