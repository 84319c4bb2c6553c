/** What a {@linkcode WeightedCache} holds at most. */
export interface CacheLimits {
  /** Sum of the weights of what is kept. */
  readonly weightMax: number;
  /** Number of things; any if left out. */
  readonly countMax?: number;
  /** So many of the last ones stay whatever they weigh. */
  readonly countMin?: number;
}

/** Keeps what was asked for last, as long as its weight is within bounds. */
export class WeightedCache<K, V> {
  readonly #kept = new Map<K, { readonly value: V; readonly weight: number }>();
  #limits: CacheLimits;
  #weight = 0;
  /** Who looks for something often looks for it again, and moving it costs more than finding it. */
  #last: { readonly key: K; readonly value: V } | undefined;

  constructor(limits: CacheLimits) {
    this.#limits = limits;
  }

  /** True if {@linkcode get} would find something. */
  has(key: K): boolean {
    return this.#kept.has(key);
  }

  /** Finds something without moving it to the end of the line. */
  peek(key: K): V | undefined {
    return this.#kept.get(key)?.value;
  }

  /** Finds something, which then stays longest. */
  get(key: K): V | undefined {
    if (this.#last !== undefined && this.#last.key === key) return this.#last.value;
    const found = this.#kept.get(key);
    if (found === undefined) return undefined;
    this.#kept.delete(key);
    this.#kept.set(key, found);
    this.#last = { key, value: found.value };
    return found.value;
  }

  /** Keeps something; what was not asked for longest goes. */
  put(key: K, value: V, weight: number): void {
    this.delete(key);
    this.#kept.set(key, { value, weight });
    this.#last = { key, value };
    this.#weight += weight;
    this.#shrink();
  }

  /** From now on keeps so much. */
  limit(limits: CacheLimits): void {
    this.#limits = limits;
    this.#shrink();
  }

  /** Forgets one thing. */
  delete(key: K): void {
    if (this.#last?.key === key) this.#last = undefined;
    this.#weight -= this.#kept.get(key)?.weight ?? 0;
    this.#kept.delete(key);
  }

  /** Forgets all. */
  clear(): void {
    this.#kept.clear();
    this.#last = undefined;
    this.#weight = 0;
  }

  #shrink(): void {
    while (this.#isFull) this.delete(this.#kept.keys().next().value!);
  }

  get #isFull(): boolean {
    const { weightMax, countMax = Infinity, countMin = 0 } = this.#limits;
    const { size } = this.#kept;
    return size > countMax || (size > countMin && this.#weight > weightMax);
  }
}
