/** A queue with one reader: streams that the peer opened, waiting to be taken. */
export class Arrivals<T> implements AsyncIterableIterator<T> {
  readonly #items: T[] = [];
  #end: { readonly error: unknown } | undefined;
  #waiting: PromiseWithResolvers<IteratorResult<T>> | undefined;

  /** Items not yet taken. */
  get length(): number {
    return this.#items.length;
  }

  push(item: T): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    if (waiting) waiting.resolve({ done: false, value: item });
    else this.#items.push(item);
  }

  /** No more items will come: what is queued is still handed out, then iteration ends, or throws `error`. */
  end(error?: unknown): void {
    this.#end ??= { error };
    const waiting = this.#waiting;
    this.#waiting = undefined;
    if (waiting) this.#finish().then(waiting.resolve, waiting.reject);
  }

  /** The next item. One call at a time. */
  next(): Promise<IteratorResult<T>> {
    if (this.#items.length > 0) {
      return Promise.resolve({ done: false, value: this.#items.shift()! });
    }
    if (this.#end) return this.#finish();
    if (this.#waiting) return Promise.reject(new TypeError("next() is already waiting"));
    this.#waiting = Promise.withResolvers();
    return this.#waiting.promise;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #finish(): Promise<IteratorResult<T>> {
    if (this.#end!.error !== undefined) return Promise.reject(this.#end!.error);
    return Promise.resolve({ done: true, value: undefined });
  }
}
