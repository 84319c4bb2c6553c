import { delay } from "../base/clock.ts";
import { messageOf } from "../base/errors.ts";
import type { PeerHint, SearchOptions } from "../discovery/mod.ts";
import { deviceIdFromFingerprint, type TrustEntry } from "../identity/mod.ts";
import { formatHostPort, type HostPort } from "../quic/mod.ts";
import { announcedId } from "./announcement.ts";
import type { Orchestrator } from "./orchestrator.ts";

/** Addresses remembered of one peer's hints; forged ones can fill them up, and then cost no more. */
const ADDRESSES_MAX = 128;
/** How long a search lasts before it begins anew. */
const ROUND_MS = 5 * 60_000;

/**
 * Searches the local network for one trusted peer until it is disposed. Everything found is a hint:
 * whoever dials it learns from the certificate who is there.
 */
export class PeerSearch implements Disposable {
  readonly #orchestrator: Orchestrator;
  readonly #entry: TrustEntry;
  readonly #found = new Map<string, HostPort>();
  readonly #stop = new AbortController();
  readonly #over = Promise.withResolvers<void>();
  #isOver = false;
  #onFound: (addresses: readonly HostPort[]) => void = () => {};
  #news = Promise.withResolvers<void>();

  /** @param delayMs Head start of whatever makes the search needless; nothing is loaded before. */
  constructor(orchestrator: Orchestrator, entry: TrustEntry, delayMs: number) {
    this.#orchestrator = orchestrator;
    this.#entry = entry;
    void this.#run(delayMs);
  }

  /** True where nothing will be found (any more), say without discovery. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** Resolves when nothing more will be found. */
  get over(): Promise<void> {
    return this.#over.promise;
  }

  /** All that was found so far. */
  get addresses(): readonly HostPort[] {
    return [...this.#found.values()];
  }

  /** Resolves with the next address found; never if there is none. */
  get news(): Promise<void> {
    return this.#news.promise;
  }

  /** Has addresses handed over as they are found; one listener at a time. */
  listen(onFound: (addresses: readonly HostPort[]) => void): void {
    this.#onFound = onFound;
  }

  /** Ends the search; sockets stay for other searches of the command. */
  [Symbol.dispose](): void {
    this.#onFound = () => {};
    this.#stop.abort(new DOMException("The search is over", "AbortError"));
  }

  async #run(delayMs: number): Promise<void> {
    const { signal } = this.#stop;
    try {
      await delay(delayMs, signal);
      const wanted = await this.#wanted();
      for await (const hint of hintsInRounds(this.#orchestrator, { ...wanted, signal })) {
        if (isHintFor(this.#orchestrator, this.#entry, hint)) this.#take(hint.addresses);
      }
    } catch (error) {
      if (signal.aborted) return;
      this.#orchestrator.options.logger.log("info", `no local discovery: ${messageOf(error)}`);
    } finally {
      this.#isOver = true;
      this.#over.resolve();
    }
  }

  /** Hints of others then take no place in the limits of the search. */
  async #wanted(): Promise<{ idPrefix?: string }> {
    const keys = this.#orchestrator.keysOf(this.#entry);
    if (keys.length !== 1) return {}; // it is moving to another key
    const { ID_PREFIX_CHARS } = await import("../discovery/mod.ts");
    const id = announcedId(deviceIdFromFingerprint(keys[0]!));
    return { idPrefix: id.slice(0, ID_PREFIX_CHARS) };
  }

  #take(addresses: readonly HostPort[]): void {
    const fresh: HostPort[] = [];
    for (const address of addresses) {
      const key = formatHostPort(address);
      if (this.#found.has(key) || this.#found.size >= ADDRESSES_MAX) continue;
      this.#found.set(key, address);
      fresh.push(address);
    }
    if (fresh.length === 0) return;
    this.#onFound(fresh);
    this.#news.resolve();
    this.#news = Promise.withResolvers();
  }
}

/**
 * Hints without end. A search remembers only so many announcements; in rounds, what flooded one is
 * forgotten with it, and everybody who is there comes up again in each.
 */
export async function* hintsInRounds(
  orchestrator: Orchestrator,
  options: Pick<SearchOptions, "idPrefix"> & { readonly signal: AbortSignal },
): AsyncGenerator<PeerHint, void> {
  const { clock } = orchestrator.options;
  const discovery = await orchestrator.discovery();
  for (;;) {
    const startMs = clock.nowMs();
    yield* discovery.discover({ ...options, timeoutMs: ROUND_MS });
    // One that ends early finds nothing: there is no discovery.
    if (clock.nowMs() - startMs < ROUND_MS / 2) return;
  }
}

/** Whether a hint speaks of this peer, under any key that it may show. */
export function isHintFor(orchestrator: Orchestrator, entry: TrustEntry, hint: PeerHint): boolean {
  return orchestrator.keysOf(entry).some((key) =>
    announcedId(deviceIdFromFingerprint(key)).startsWith(hint.idPrefix)
  );
}
