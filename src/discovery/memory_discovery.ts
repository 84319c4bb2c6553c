import {
  assertAnnouncement,
  type Discovery,
  isWanted,
  type PeerHint,
  SEARCH_MS,
  type SearchOptions,
  type ServiceAnnouncement,
} from "./discovery.ts";
import { HintQueue } from "./hint_queue.ts";

/** A network inside one process, for tests: what one member announces, the others find. */
export class MemoryNetwork {
  readonly #hints = new Set<PeerHint>();
  readonly #queues = new Map<HintQueue, SearchOptions>();
  #instances = 0;

  /** A member of this network whose services are reached at `host`. */
  join(host: string): Discovery {
    return new MemoryDiscovery(this, host);
  }

  /** Adds a claim, also a false one; returns the way to take it back. */
  add(claim: Omit<PeerHint, "instance">): () => void {
    const hint = { ...claim, instance: `memory-${this.#instances++}` };
    this.#hints.add(hint);
    for (const [queue, options] of this.#queues) if (isWanted(hint, options)) queue.push(hint);
    return () => void this.#hints.delete(hint);
  }

  /** What is announced now and until the queue is given back by {@linkcode leave}. */
  watch(queue: HintQueue, options: SearchOptions): void {
    this.#queues.set(queue, options);
    for (const hint of this.#hints) if (isWanted(hint, options)) queue.push(hint);
  }

  /** Ends {@linkcode watch}. */
  leave(queue: HintQueue): void {
    this.#queues.delete(queue);
  }
}

class MemoryDiscovery implements Discovery {
  readonly #goodbyes = new Set<() => void>();
  readonly #queues = new Set<HintQueue>();

  constructor(readonly network: MemoryNetwork, readonly host: string) {}

  announce(service: ServiceAnnouncement): Promise<AsyncDisposable> {
    assertAnnouncement(service);
    const { idPrefix, port, slot } = service;
    const goodbye = this.network.add({
      idPrefix: idPrefix.toUpperCase(),
      addresses: [{ host: this.host, port }],
      ...(slot !== undefined && { slot }),
    });
    this.#goodbyes.add(goodbye);
    return Promise.resolve({
      [Symbol.asyncDispose]: () => {
        goodbye();
        this.#goodbyes.delete(goodbye);
        return Promise.resolve();
      },
    });
  }

  async *discover(options: SearchOptions = {}): AsyncGenerator<PeerHint, void> {
    const queue = new HintQueue();
    this.#queues.add(queue);
    this.network.watch(queue, options);
    try {
      yield* queue.read(options.timeoutMs ?? SEARCH_MS, options.signal);
    } finally {
      this.network.leave(queue);
      this.#queues.delete(queue);
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    for (const goodbye of this.#goodbyes) goodbye();
    this.#goodbyes.clear();
    for (const queue of this.#queues) queue.end();
    return Promise.resolve();
  }
}
