import { STREAM_CODE } from "../base/wire_codes.ts";
import { NATIVE_SHUTDOWN, streamErrorCode } from "./binding.ts";
import { type ConnectionLost, QuicError, StreamClosed, StreamReset } from "./errors.ts";
import type { StreamHost } from "./stream_host.ts";

interface PendingRead {
  readonly into: Uint8Array;
  resolve(byteLength: number | null): void;
  reject(error: unknown): void;
}

/**
 * The receiving half of a stream. Data not yet read stays with the peer, but for the flow control
 * windows. Disposing it before the end tells the peer to stop (code `cancelled`).
 */
export class RecvStream implements Disposable, AsyncDisposable {
  readonly #host: StreamHost;
  #end: "finished" | QuicError | undefined;
  #pending: PendingRead | undefined;

  constructor(readonly id: number, host: StreamHost) {
    this.#host = host;
  }

  /**
   * Reads what has arrived straight into `into`, or waits for it. The buffer belongs to the stream until
   * the promise settles. One read at a time.
   *
   * @returns Bytes read, 1 to `into.length`; null at the end of the stream.
   * @throws {StreamReset} if the peer gave up on the stream. What was not read before is lost.
   * @throws {StreamClosed} after `stop()`.
   * @throws {ConnectionLost} if the connection has ended and nothing that arrived before is left.
   */
  read(into: Uint8Array): Promise<number | null> {
    if (this.#pending) return Promise.reject(new TypeError(`stream ${this.id}: already reading`));
    if (into.length === 0) return Promise.reject(new TypeError("read() into an empty buffer"));
    try {
      const result = this.#host.readBudgetBytes > 0 || this.#end || this.#host.lost
        ? this.#receive(into)
        : undefined;
      if (result !== undefined) return Promise.resolve(result);
    } catch (error) {
      return Promise.reject(error);
    }
    if (this.#host.lost) return Promise.reject(this.#host.lost);
    return new Promise((resolve, reject) => {
      this.#pending = { into, resolve, reject };
      this.#host.parkReader(this);
    });
  }

  /**
   * Tells the peer that no more data is wanted (STOP_SENDING), and drops what has arrived.
   *
   * @param code One of `STREAM_CODE`.
   */
  stop(code: number): void {
    if (this.#end) return;
    this.#finish(new StreamClosed(this.id));
    if (this.#host.lost) return;
    try {
      this.#host.native.streamShutdown(this.id, NATIVE_SHUTDOWN.read, code);
    } catch {
      // The native stream is already gone.
    }
    this.#host.touch();
  }

  /** Stops the stream unless its end was read. */
  [Symbol.dispose](): void {
    this.stop(STREAM_CODE.cancelled);
  }

  /** The same as disposing it synchronously. */
  [Symbol.asyncDispose](): Promise<void> {
    this.stop(STREAM_CODE.cancelled);
    return Promise.resolve();
  }

  /** True if only the peer writes: bit 1 of the id (RFC 9000 section 2.1). */
  get isUni(): boolean {
    return (this.id & 2) !== 0;
  }

  /** For the driver: whether a `read()` waits. */
  get isParked(): boolean {
    return this.#pending !== undefined;
  }

  /** For the driver: hands waiting data to a waiting `read()`. True if none waits any more. */
  serve(): boolean {
    const pending = this.#pending;
    if (!pending) return true;
    try {
      const result = this.#receive(pending.into);
      if (result === undefined) return false;
      this.#pending = undefined;
      pending.resolve(result);
    } catch (error) {
      this.#pending = undefined;
      pending.reject(error);
    }
    return true;
  }

  /** For the driver: the connection is over. */
  fail(error: ConnectionLost): void {
    if (this.serve()) return;
    const pending = this.#pending;
    this.#pending = undefined;
    pending?.reject(error);
  }

  /** What is there now; undefined if nothing is, null at the end. */
  #receive(into: Uint8Array): number | null | undefined {
    if (this.#end === "finished") return null;
    if (this.#end) throw this.#end;
    const { native } = this.#host;
    if (!native.streamReadable(this.id)) {
      // An end mark that came with bytes already read makes nothing readable.
      return native.streamFinished(this.id) ? this.#finishAtEnd() : undefined;
    }
    let result: [number, boolean] | null;
    try {
      result = native.streamRecv(this.id, into);
    } catch (error) {
      throw this.#finish(this.#errorOf(error));
    }
    if (result === null) return undefined;
    const [byteLength, isLast] = result;
    this.#host.readBudgetBytes -= byteLength;
    // Reading frees flow control credit, which the peer must hear of.
    this.#host.touch();
    if (isLast) this.#finish("finished");
    if (byteLength > 0) return byteLength;
    return isLast ? null : undefined;
  }

  #finishAtEnd(): null {
    this.#finish("finished");
    return null;
  }

  #errorOf(error: unknown): QuicError {
    const code = streamErrorCode(error, "StreamReset");
    if (code !== undefined) return new StreamReset(this.id, code);
    return new QuicError("failed", `Stream ${this.id} failed: ${error}`, undefined, error);
  }

  #finish<E extends "finished" | QuicError>(end: E): E {
    this.#end = end;
    const pending = this.#pending;
    if (pending && end instanceof StreamClosed) {
      this.#pending = undefined;
      pending.reject(end);
    }
    this.#host.forgetReceiver(this.id);
    return end;
  }
}
