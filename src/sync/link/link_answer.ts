import type { Answer } from "./requester.ts";
import type { ReceiveSide } from "./transport.ts";

/** What may still come of an answer after its sender was told that it is enough. */
export const DRAIN_BYTES_MAX = 32 * 1024 * 1024;
const DRAIN_STEP_BYTES = 64 * 1024;

/**
 * An answer that can be called off without harm to its connection. The native QUIC core never gives back
 * the flow control credit of bytes that arrive on a stream after STOP_SENDING (quiche 0.18): some 64 MiB
 * of them, and the connection stands still for good. So the peer is asked to end the answer itself, and
 * what is on its way until then is read and dropped.
 */
export class LinkAnswer implements Answer {
  readonly #recv: ReceiveSide;
  readonly #tellEnough: (() => Promise<void>) | undefined;
  #reading: Promise<number | null> | undefined;
  /** Ends the wait of whoever reads. */
  #giveUp: (error: Error) => void = () => {};
  #isStopped = false;

  /** @param tellEnough Asks the peer to end the answer; left out where it would not understand. */
  constructor(recv: ReceiveSide, tellEnough: (() => Promise<void>) | undefined) {
    this.#recv = recv;
    this.#tellEnough = tellEnough;
  }

  read(into: Uint8Array): Promise<number | null> {
    if (this.#isStopped) return Promise.reject(calledOff());
    const reading = this.#reading = this.#recv.read(into);
    return new Promise((resolve, reject) => {
      this.#giveUp = reject;
      reading.then(resolve, reject);
    });
  }

  stop(code: number): void {
    if (this.#isStopped) return;
    this.#isStopped = true;
    this.#giveUp(calledOff());
    if (this.#tellEnough === undefined) return this.#recv.stop(code);
    this.#tellEnough().catch(() => {});
    void this.#drain(code);
  }

  [Symbol.dispose](): void {}

  /** Reads to the end, and is through with a peer that does not come to one. */
  async #drain(code: number): Promise<void> {
    try {
      const scratch = new Uint8Array(DRAIN_STEP_BYTES);
      await this.#reading;
      for (let bytes = 0; bytes < DRAIN_BYTES_MAX;) {
        const count = await this.#recv.read(scratch);
        if (count === null) return;
        bytes += count;
      }
      this.#recv.stop(code);
    } catch {
      // The stream or its connection has ended.
    }
  }
}

function calledOff(): Error {
  return new Error("The answer was called off");
}
