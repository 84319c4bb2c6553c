import { LandropicError } from "../base/errors.ts";
import type { TrustEntry } from "../identity/mod.ts";
import { type Message, ProtocolError, type ShareInfo } from "../protocol/mod.ts";
import type { QuicConnection } from "../quic/mod.ts";
import type { PeerLink } from "../sync/mod.ts";
import type { Orchestrator } from "./orchestrator.ts";
import { callPeer } from "./peer_call.ts";

/** A connection with a peer that is not there to sync: to see how it is, and to be remembered. */
export class PeerVisit implements AsyncDisposable {
  readonly #link: PeerLink;
  readonly #listener: SharesListener;

  /**
   * Says Hello, and waits for the peer's: it is then known to accept this device. The visit owns the
   * connection.
   *
   * @throws {LandropicError} `peer_untrusted` where the peer turns this device away.
   */
  static async open(
    orchestrator: Orchestrator,
    entry: TrustEntry,
    connection: QuicConnection,
  ): Promise<PeerVisit> {
    const handler = new SharesListener();
    const link = await callPeer(orchestrator, entry, connection, { handler });
    try {
      await link.peerHello;
      return new PeerVisit(link, handler);
    } catch (error) {
      await link[Symbol.asyncDispose]();
      throw error;
    }
  }

  private constructor(link: PeerLink, listener: SharesListener) {
    this.#link = link;
    this.#listener = listener;
  }

  /** What the peer lets this device use. */
  async shares(): Promise<readonly ShareInfo[]> {
    await this.#link.send({ type: "shares-query" });
    const ended = this.#link.ended.then((error) => {
      throw error ?? new LandropicError("peer_unreachable", "The peer closed the connection");
    });
    return await Promise.race([this.#listener.shares.promise, ended]);
  }

  /** One round trip through both devices' event loops, in milliseconds. */
  ping(): Promise<number> {
    return this.#link.ping();
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
