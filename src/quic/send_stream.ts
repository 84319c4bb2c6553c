import { STREAM_CODE } from "../base/wire_codes.ts";
import { NATIVE_SHUTDOWN, streamErrorCode } from "./binding.ts";
import { type ConnectionLost, QuicError, StreamClosed, StreamStopped } from "./errors.ts";
import type { StreamHost } from "./stream_host.ts";

interface PendingWrite {
  readonly bytes: Uint8Array;
  /** How much of it the native core has taken. */
  offset: number;
  readonly isLast: boolean;
  resolve(): void;
  reject(error: unknown): void;
}

/** What `SendStream.serve()` achieved: nothing waits any more, the share is used up, or it is stuck. */
export type ServeResult = "done" | "more" | "blocked";

const NOTHING = new Uint8Array(0);
/** For handing over one byte; the native core copies it. */
const ONE = new Uint8Array(1);

/**
 * The sending half of a stream. Disposing it before `finish()` resets it (code `cancelled`), so a
 * half-written stream never looks complete to the peer.
 *
 * The last byte of a write stays here until the next turn, so that an end mark that follows at once
 * travels with it. The native core forgets a stream as soon as all its bytes are acknowledged: an end
 * mark that is on its own is then not sent at all, or not again if it is lost.
 *
 * An urgent stream waits for no turn: what is written to it leaves at once, ahead of all that other
 * streams have handed over.
 */
export class SendStream implements Disposable, AsyncDisposable {
  readonly #host: StreamHost;
  #end: "finished" | QuicError | undefined;
  #isFinishing = false;
  readonly #pending: PendingWrite[] = [];
  /** The byte held back; -1 if there is none. */
  #tail = -1;
  #hasSent = false;
  #urgency = URGENCY_DEFAULT;
  #isIncremental = true;

  constructor(readonly id: number, host: StreamHost) {
    this.#host = host;
  }

  /**
   * Sends all of `bytes`, in order with other writes. Resolves once the connection has taken everything,
   * which is when there was room in the peer's windows and in the congestion window: waiting for it is
   * the back-pressure. The caller may then reuse the buffer.
   *
   * @throws {StreamStopped} if the peer does not want the data.
   * @throws {StreamClosed} after `finish()` or `reset()`.
   * @throws {ConnectionLost} if the connection has ended.
   */
  write(bytes: Uint8Array): Promise<void> {
    return this.#enqueue(bytes, false);
  }

  /**
   * Sends as much of `bytes` as fits right now.
   *
   * @returns Bytes taken, 0 to `bytes.length`.
   * @throws as `write()`, but at once.
   */
  tryWrite(bytes: Uint8Array): number {
    this.#check();
    return this.#pending.length > 0 ? 0 : this.#push(bytes, 0, bytes.length, false);
  }

  /** Ends the stream behind what was written. Resolves when the connection has taken the end mark. */
  finish(): Promise<void> {
    return this.#enqueue(NOTHING, true);
  }

  /**
   * Gives up on the stream (RESET_STREAM). What was not sent yet is dropped; waiting writes fail.
   *
   * @param code One of `STREAM_CODE`.
   */
  reset(code: number): void {
    if (this.#end) return;
    this.#fail(new StreamClosed(this.id));
    if (this.#host.lost) return;
    try {
      this.#host.native.streamShutdown(this.id, NATIVE_SHUTDOWN.write, code);
    } catch {
      // The native stream is already gone.
    }
    this.#host.touch();
  }

  /** Less is earlier; see `setPriority()`. */
  get urgency(): number {
    return this.#urgency;
  }

  /** True if it takes turns with those of equal urgency; see `setPriority()`. */
  get isIncremental(): boolean {
    return this.#isIncremental;
  }

  /** True for a stream that waits for no turn. */
  get isUrgent(): boolean {
    return this.#urgency === URGENT;
  }

  /**
   * Says which streams go first when not all data fits.
   *
   * @param urgency 0 to 255, less is earlier; streams start at 127. With 0 a stream is urgent: for a few
   * small messages, and never ended on its own.
   * @param isIncremental Streams of equal urgency take turns if true, else the older one goes first.
   */
  setPriority(urgency: number, isIncremental: boolean): void {
    if (this.#end || this.#host.lost) return;
    this.#urgency = urgency;
    this.#isIncremental = isIncremental;
    this.#host.native.streamPriority(this.id, urgency, isIncremental);
  }

  /** Resets the stream unless `finish()` was called. */
  [Symbol.dispose](): void {
    if (!this.#isFinishing) this.reset(STREAM_CODE.cancelled);
  }

  /** The same as disposing it synchronously. */
  [Symbol.asyncDispose](): Promise<void> {
    this[Symbol.dispose]();
    return Promise.resolve();
  }

  /**
   * For the driver: moves waiting writes on.
   *
   * @param byteLengthMax This stream's share for now.
   */
  serve(byteLengthMax: number): ServeResult {
    let left = byteLengthMax;
    try {
      for (let first; (first = this.#pending[0]) !== undefined;) {
        const { bytes, offset, isLast } = first;
        if (left === 0 && offset < bytes.length) return "more";
        const end = Math.min(bytes.length, offset + left);
        const pushed = this.#push(bytes, offset, end, isLast);
        first.offset += pushed;
        left -= pushed;
        if (first.offset < bytes.length) {
          const isStuck = offset + pushed < end && this.#budgetBytes > 0;
          return isStuck ? "blocked" : "more";
        }
        if (isLast && this.#end !== "finished") return "blocked";
        this.#pending.shift();
        first.resolve();
      }
    } catch (error) {
      this.#fail(error as QuicError);
    }
    return "done";
  }

  /** For the driver: sends the byte held back. False if it is stuck. */
  releaseTail(): boolean {
    if (this.#tail < 0 || this.#end || this.#pending.length > 0) return true;
    try {
      return this.#sendTail(false);
    } catch (error) {
      this.#fail(error as QuicError);
      return true;
    }
  }

  /** For the driver: the connection is over. */
  fail(error: ConnectionLost): void {
    this.#fail(error);
  }

  #enqueue(bytes: Uint8Array, isLast: boolean): Promise<void> {
    try {
      this.#check();
      if (this.#pending.length >= WRITES_WAITING_MAX) {
        throw new TypeError(`stream ${this.id}: too many writes at once`);
      }
      if (isLast) this.#isFinishing = true;
      let offset = 0;
      if (this.#pending.length === 0) {
        offset = this.#push(bytes, 0, bytes.length, isLast);
        if (offset === bytes.length && (!isLast || this.#end)) return Promise.resolve();
      }
      return new Promise((resolve, reject) => {
        this.#pending.push({ bytes, offset, isLast, resolve, reject });
        if (this.#pending.length === 1) this.#host.parkWriter(this);
      });
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** What may be handed over before the next turn. */
  get #budgetBytes(): number {
    return this.isUrgent ? Infinity : this.#host.writeBudgetBytes;
  }

  #check(): void {
    if (this.#end instanceof QuicError) throw this.#end;
    if (this.#isFinishing) throw new StreamClosed(this.id);
    if (this.#host.lost) throw this.#host.lost;
  }

  /**
   * Gives `bytes` from `start` to `end` to the native core; returns how many it took, the byte held back
   * included. If it took all and they are the last, also the end mark.
   */
  #push(bytes: Uint8Array, start: number, end: number, isLast: boolean): number {
    const host = this.#host;
    if (start === end) {
      if (isLast && this.#sendEnd()) this.#finish();
      return 0;
    }
    const budgetBytes = this.#budgetBytes;
    if (budgetBytes <= 0 || !this.#sendTail(false)) return 0;
    // At the end of a write one byte stays here.
    const isWhole = end === bytes.length && !this.isUrgent;
    const wanted = isWhole ? end - 1 : end;
    const allowed = Math.min(wanted, start + budgetBytes);
    let taken = 0;
    if (start < allowed) {
      taken = this.#send(bytes.subarray(start, allowed), false) ?? 0;
      if (!this.isUrgent) host.writeBudgetBytes -= taken;
      else if (taken > 0) host.flushUrgent();
    }
    if (start + taken === wanted && isWhole) {
      this.#tail = bytes[end - 1]!;
      taken++;
      host.holdTail(this);
    }
    return taken;
  }

  /** True if no byte is held back any more. */
  #sendTail(isLast: boolean): boolean {
    if (this.#tail < 0) return true;
    ONE[0] = this.#tail;
    if (!this.#send(ONE, isLast)) return false;
    this.#tail = -1;
    return true;
  }

  /** True if the end mark was taken. */
  #sendEnd(): boolean {
    if (this.#tail >= 0) return this.#sendTail(true);
    // On its own it must leave at once, before the next acknowledgement comes in.
    const { native } = this.#host;
    try {
      if (this.#hasSent && native.streamCapacity(this.id) === 0) return false;
    } catch (error) {
      throw this.#fail(this.#errorOf(error));
    }
    this.#send(NOTHING, true);
    this.#host.flush();
    return true;
  }

  #send(bytes: Uint8Array, isLast: boolean): number | null {
    const { native } = this.#host;
    let taken: number | null;
    try {
      taken = native.streamSend(this.id, bytes, isLast);
      // A stream that the core has closed and forgotten also reports "nothing taken": ask.
      if (taken === null) native.streamCapacity(this.id);
    } catch (error) {
      throw this.#fail(this.#errorOf(error));
    }
    if (taken !== null) {
      this.#hasSent ||= taken > 0;
      this.#host.touch();
    }
    return taken;
  }

  #errorOf(error: unknown): QuicError {
    const code = streamErrorCode(error, "StreamStopped");
    if (code !== undefined) return new StreamStopped(this.id, code);
    // Only a stream that the peer stopped is forgotten while this side still writes to it.
    if (String(error).includes("InvalidStreamState")) {
      return new StreamStopped(this.id, STREAM_CODE.cancelled);
    }
    return new QuicError("failed", `Stream ${this.id} failed: ${error}`, undefined, error);
  }

  #finish(): void {
    this.#end = "finished";
    this.#host.forgetSender(this.id);
  }

  #fail(error: QuicError): QuicError {
    if (this.#end) return error;
    this.#end = error;
    for (const { reject } of this.#pending.splice(0)) reject(error);
    this.#host.forgetSender(this.id);
    return error;
  }
}

/** What the native core gives to a stream that nobody said anything about. */
const URGENCY_DEFAULT = 127;
const URGENT = 0;
/** Writes that may wait on one stream; a caller that awaits its writes has one. */
const WRITES_WAITING_MAX = 1024;
