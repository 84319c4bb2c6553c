import { delay } from "../base/clock.ts";
import { formatHostPort, type HostPort } from "../quic/mod.ts";

/** Addresses that one race dials at most: what a peer's hints can cost. */
export const RACE_ADDRESSES_MAX = 256;

/** Dials one address; must give up when the signal says so. */
export type DialAddress<T> = (address: HostPort, signal: AbortSignal) => Promise<T>;

/**
 * Dials many addresses of one peer side by side, and takes the first to answer (RFC 8305, "Happy
 * Eyeballs"). Addresses may be added while it runs, so that a search goes on beside the dials. One
 * that leads to a stranger, or nowhere, costs the others nothing.
 */
export class AddressRace<T extends AsyncDisposable> {
  readonly #dial: DialAddress<T>;
  readonly #outer: AbortSignal;
  readonly #stop = new AbortController();
  readonly #winner = Promise.withResolvers<T>();
  readonly #added = new Set<string>();
  readonly #errors: unknown[] = [];
  readonly #onAbort = () => this.#settle(() => this.#winner.reject(this.#outer.reason));
  #running = 0;
  #isComplete = false;
  #isSettled = false;

  constructor(dial: DialAddress<T>, signal: AbortSignal) {
    this.#dial = dial;
    this.#outer = signal;
    // Nobody need be waiting yet when it is lost.
    this.#winner.promise.catch(() => {});
    if (signal.aborted) this.#onAbort();
    else signal.addEventListener("abort", this.#onAbort, { once: true });
  }

  /**
   * The connection that was first. Rejects once every address has failed and no more will come: with
   * an AggregateError of what each came to, in the order of the ends; or with the signal's reason.
   */
  get winner(): Promise<T> {
    return this.#winner.promise;
  }

  /** Addresses dialled, or about to be. */
  get count(): number {
    return this.#added.size;
  }

  /** True once somebody won or everybody lost. */
  get isOver(): boolean {
    return this.#isSettled;
  }

  /**
   * Dials addresses that were not dialled before.
   *
   * @param staggerMs Head start of each over the next.
   */
  add(addresses: readonly HostPort[], staggerMs: number): void {
    let delayMs = 0;
    for (const address of addresses) {
      const key = formatHostPort(address);
      if (this.#isSettled || this.#added.has(key)) continue;
      if (this.#added.size >= RACE_ADDRESSES_MAX) return;
      this.#added.add(key);
      this.#running++;
      void this.#try(address, delayMs);
      delayMs += staggerMs;
    }
  }

  /** Says that no more addresses will come. */
  complete(): void {
    this.#isComplete = true;
    this.#check();
  }

  async #try(address: HostPort, delayMs: number): Promise<void> {
    try {
      if (delayMs > 0) await delay(delayMs, this.#stop.signal);
      const connection = await this.#dial(address, this.#stop.signal);
      if (this.#isSettled) await connection[Symbol.asyncDispose]();
      else this.#settle(() => this.#winner.resolve(connection));
    } catch (error) {
      this.#errors.push(error);
    } finally {
      this.#running--;
      this.#check();
    }
  }

  #check(): void {
    if (!this.#isComplete || this.#running > 0) return;
    this.#settle(() => this.#winner.reject(new AggregateError(this.#errors)));
  }

  #settle(tell: () => void): void {
    if (this.#isSettled) return;
    this.#isSettled = true;
    this.#outer.removeEventListener("abort", this.#onAbort);
    tell();
    this.#stop.abort(new DOMException("Another address answered first", "AbortError"));
  }
}
