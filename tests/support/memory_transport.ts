import type {
  DuplexStream,
  ReceiveSide,
  SendSide,
  Transport,
} from "../../src/sync/link/transport.ts";

/** Bytes that one direction of a stream holds before a writer waits. */
const WINDOW_BYTES = 1024 * 1024;

/** Two ends of a connection in memory, with flow control, resets and a close that both sides see. */
export function memoryTransportPair(): [MemoryTransport, MemoryTransport] {
  const a = new MemoryTransport();
  const b = new MemoryTransport(1);
  a.peer = b;
  b.peer = a;
  return [a, b];
}

/** One end of an in-memory connection. */
export class MemoryTransport implements Transport {
  peer!: MemoryTransport;
  /** How this side learned of the end. */
  closedWith: { by: "local" | "peer"; code: number } | undefined;
  /** Bytes that this side has written. */
  bytesSent = 0;
  /** Urgencies that this side has given to streams that it writes to. */
  readonly urgencies = new Set<number>();
  /** What this side writes is not accepted, as where the peer gives no credit. */
  holdsWrites = false;
  /** Called with each write of this side, before it counts; what it throws ends the connection. */
  onWrite: ((bytes: Uint8Array) => void) | undefined;
  readonly incomingUni = new Queue<ReceiveSide>();
  readonly incomingBidi = new Queue<DuplexStream>();
  readonly #pipes = new Set<Pipe>();
  #nextId: number;

  /** @param side 0 or 1. */
  constructor(side = 0) {
    this.#nextId = side;
  }

  openUni(): Promise<SendSide> {
    const pipe = this.#pipe(this);
    this.peer.incomingUni.push(pipe);
    return Promise.resolve(pipe);
  }

  openBidi(): Promise<DuplexStream> {
    const there = this.#pipe(this);
    const back = this.#pipe(this.peer);
    // As in QUIC (RFC 9000 section 2.1), so that ids of both sides never meet.
    const id = this.#nextId += 4;
    this.peer.incomingBidi.push({ id, send: back, recv: there });
    return Promise.resolve({ id, send: there, recv: back });
  }

  close(code: number): Promise<void> {
    this.#end("local", code);
    this.peer.#end("peer", code);
    return Promise.resolve();
  }

  #pipe(writer: MemoryTransport): Pipe {
    if (this.closedWith) throw new Error("connection closed");
    const pipe = new Pipe(
      (bytes) => writer.#count(bytes),
      () => writer.holdsWrites,
      (urgency) => writer.urgencies.add(urgency),
    );
    this.#pipes.add(pipe);
    this.peer.#pipes.add(pipe);
    return pipe;
  }

  #count(bytes: Uint8Array): void {
    try {
      this.onWrite?.(bytes);
    } catch (error) {
      void this.close(0);
      throw error;
    }
    this.bytesSent += bytes.length;
  }

  #end(by: "local" | "peer", code: number): void {
    if (this.closedWith) return;
    this.closedWith = { by, code };
    for (const pipe of this.#pipes) pipe.fail(new Error(`connection closed with ${code}`));
    this.incomingUni.end();
    this.incomingBidi.end();
  }
}

/** As the errors of the QUIC layer carry their code. */
function streamEnd(message: string, streamCode: number): Error {
  return Object.assign(new Error(message), { streamCode });
}

class Queue<T> implements AsyncIterable<T> {
  readonly #items: T[] = [];
  #waiting: ((result: IteratorResult<T>) => void) | undefined;
  #ended = false;

  push(item: T): void {
    if (this.#waiting) this.#waiting({ done: false, value: item });
    else this.#items.push(item);
    this.#waiting = undefined;
  }

  end(): void {
    this.#ended = true;
    this.#waiting?.({ done: true, value: undefined });
    this.#waiting = undefined;
  }

  [Symbol.asyncIterator](): AsyncIterator<T> {
    return {
      next: () => {
        const item = this.#items.shift();
        if (item !== undefined) return Promise.resolve({ done: false, value: item });
        if (this.#ended) return Promise.resolve({ done: true, value: undefined });
        return new Promise((resolve) => this.#waiting = resolve);
      },
    };
  }
}

class Pipe implements SendSide, ReceiveSide {
  readonly #chunks: Uint8Array[] = [];
  #held = 0;
  #finished = false;
  #error: Error | undefined;
  #wake = Promise.withResolvers<void>();

  constructor(
    readonly onWrite: (bytes: Uint8Array) => void,
    readonly isHeld: () => boolean,
    readonly onUrgency: (urgency: number) => void,
  ) {}

  async write(bytes: Uint8Array): Promise<void> {
    while ((this.#held >= WINDOW_BYTES || this.isHeld()) && !this.#error) await this.#wake.promise;
    if (this.#error) throw this.#error;
    this.onWrite(bytes);
    if (bytes.length > 0) this.#chunks.push(bytes.slice());
    this.#held += bytes.length;
    this.#notify();
  }

  finish(): Promise<void> {
    this.#finished = true;
    this.#notify();
    return Promise.resolve();
  }

  async read(into: Uint8Array): Promise<number | null> {
    while (this.#chunks.length === 0) {
      if (this.#error) throw this.#error;
      if (this.#finished) return null;
      await this.#wake.promise;
    }
    const chunk = this.#chunks[0]!;
    const count = Math.min(into.length, chunk.length);
    into.set(chunk.subarray(0, count));
    if (count === chunk.length) this.#chunks.shift();
    else this.#chunks[0] = chunk.subarray(count);
    this.#held -= count;
    this.#notify();
    return count;
  }

  reset(code: number): void {
    this.fail(streamEnd(`stream reset with ${code}`, code));
  }

  stop(code: number): void {
    this.fail(streamEnd(`stream stopped with ${code}`, code));
  }

  fail(error: Error): void {
    if (this.#finished && this.#chunks.length === 0) return;
    this.#error ??= error;
    this.#notify();
  }

  setPriority(urgency: number): void {
    this.onUrgency(urgency);
  }

  #notify(): void {
    this.#wake.resolve();
    this.#wake = Promise.withResolvers<void>();
  }
}
