import { type Message, ProtocolError, type SyncAccept } from "../../protocol/mod.ts";
import { errorFromPeer, untilFailure } from "./asking_side.ts";

/** What the serving side says of one session, for the asking side, which waits for it. */
export class PeerAnswers {
  readonly #peerName: string;
  readonly #accepted = Promise.withResolvers<SyncAccept>();
  readonly #acked = Promise.withResolvers<void>();
  readonly #failed = Promise.withResolvers<never>();

  constructor(peerName: string) {
    this.#peerName = peerName;
    for (const waiting of [this.#accepted, this.#acked, this.#failed]) {
      waiting.promise.catch(() => {});
    }
  }

  /** The peer takes part. */
  get accepted(): Promise<SyncAccept> {
    return this.#accepted.promise;
  }

  /** The peer knows that it is over. */
  get acked(): Promise<void> {
    return this.#acked.promise;
  }

  /** Takes what the peer says. @throws {ProtocolError} for what is not said to this side. */
  handleMessage(message: Message): void {
    switch (message.type) {
      case "sync-accept":
        return this.#accepted.resolve(message);
      case "sync-ack":
        return this.#acked.resolve();
      case "error":
        return this.#failed.reject(errorFromPeer(message, this.#peerName));
      case "working":
      case "changed":
      case "go-away":
        return;
      default:
        throw new ProtocolError(`Message ${message.type} is not for the asking side`);
    }
  }

  /**
   * Gives a way to wait for the session's work, as long as nothing ends the session: neither the peer nor
   * one of `ends`, which reject with why.
   */
  untilEnd(ends: readonly Promise<never>[]): <T>(work: Promise<T>) => Promise<T> {
    const failure = Promise.race([this.#failed.promise, ...ends]);
    failure.catch(() => {});
    return (work) => untilFailure(work, failure, this.#peerName);
  }
}
