import { LandropicError } from "../base/errors.ts";
import type { TrustEntry } from "../identity/mod.ts";
import { type Message, ProtocolError, type ShareInfo } from "../protocol/mod.ts";
import type { QuicConnection } from "../quic/mod.ts";
import type { PeerLink } from "../sync/mod.ts";
import { answeredWithin } from "./answer_time.ts";
import type { Orchestrator } from "./orchestrator.ts";
import { callPeer } from "./peer_call.ts";

/** A connection with a peer that is not there to sync: to see how it is, and to be remembered. */
export class PeerVisit implements AsyncDisposable {
  readonly #link: PeerLink;
  readonly #listener: SharesListener;
  readonly #peer: string;
  readonly #answerMs: number | undefined;

  /**
   * Says Hello, and waits for the peer's: it is then known to accept this device. The visit owns the
   * connection.
   *
   * @param answerMs How long each answer may take; for tests.
   * @throws {LandropicError} `peer_untrusted` where the peer turns this device away.
   */
  static async open(
    orchestrator: Orchestrator,
    entry: TrustEntry,
    connection: QuicConnection,
    answerMs?: number,
  ): Promise<PeerVisit> {
    const handler = new SharesListener();
    const link = await callPeer(orchestrator, entry, connection, { handler });
    try {
      await link.peerHello;
      return new PeerVisit(link, handler, entry.alias, answerMs);
    } catch (error) {
      await link[Symbol.asyncDispose]();
      throw error;
    }
  }

  private constructor(
    link: PeerLink,
    listener: SharesListener,
    peer: string,
    answerMs: number | undefined,
  ) {
    this.#link = link;
    this.#listener = listener;
    this.#peer = peer;
    this.#answerMs = answerMs;
  }

  /** What the peer lets this device use. @throws {LandropicError} `timed_out` where it does not say. */
  async shares(): Promise<readonly ShareInfo[]> {
    await this.#link.send({ type: "shares-query" });
    const ended = this.#link.ended.then((error) => {
      throw error ?? new LandropicError("peer_unreachable", "The peer closed the connection");
    });
    const answer = Promise.race([this.#listener.shares.promise, ended]);
    return await answeredWithin(answer, this.#peer, this.#answerMs);
  }

  /**
   * One round trip through both devices' event loops, in milliseconds.
   *
   * @throws {LandropicError} `timed_out` where nothing comes back.
   */
  ping(): Promise<number> {
    return answeredWithin(this.#link.ping(), this.#peer, this.#answerMs);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#link[Symbol.asyncDispose]();
  }
}

/** Hears the one answer that a visitor asks for. */
class SharesListener {
  readonly shares = Promise.withResolvers<readonly ShareInfo[]>();

  handleMessage(message: Message): void {
    switch (message.type) {
      case "shares":
        return this.shares.resolve(message.shares);
      case "error":
      case "changed":
      case "go-away":
        return;
      default:
        throw new ProtocolError(`Message ${message.type} is not for a visitor`);
    }
  }

  handleRequest(): Promise<void> {
    return Promise.reject(new ProtocolError("A visitor serves nothing"));
  }
}
