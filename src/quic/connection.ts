import { CLOSE_CODE } from "../base/wire_codes.ts";
import type { HostPort } from "./address.ts";
import type { Arrivals } from "./arrivals.ts";
import type { CloseInfo } from "./close_codes.ts";
import type { ConnectionCore } from "./connection_core.ts";
import type { HandshakePeer, Role } from "./handshake.ts";
import type { RecvStream } from "./recv_stream.ts";
import type { SendStream } from "./send_stream.ts";
import type { BidiStream } from "./stream_table.ts";

/** State and counters of a connection since it was made. Bytes are UDP payload unless said otherwise. */
export interface ConnectionStats {
  /** Smoothed round-trip time in whole milliseconds, so 0 on a fast network. */
  readonly rttMs: number;
  readonly congestionWindowBytes: number;
  /** The largest datagram in use. */
  readonly datagramBytes: number;
  /** As the congestion control sees it, in bytes a second. */
  readonly deliveryRate: number;
  readonly sentPackets: number;
  readonly receivedPackets: number;
  readonly lostPackets: number;
  readonly sentBytes: number;
  readonly receivedBytes: number;
  readonly lostBytes: number;
  /** Stream bytes sent again. */
  readonly retransmittedBytes: number;
}

/** A verified connection with a peer. Disposing closes it with code 0. */
export class QuicConnection implements AsyncDisposable {
  readonly remoteAddress: HostPort;
  readonly role: Role;
  /** What the handshake proved about the peer. */
  readonly peer: HandshakePeer;
  readonly #core: ConnectionCore;

  /** For the endpoint. */
  constructor(core: ConnectionCore, peer: HandshakePeer) {
    this.#core = core;
    this.peer = peer;
    this.role = core.role;
    this.remoteAddress = { host: core.remote.host, port: core.remote.port };
  }

  /** The application protocol both sides agreed on. */
  get alpn(): string {
    return this.peer.alpn;
  }

  /** How the connection ended. Never rejects. */
  get closed(): Promise<CloseInfo> {
    return this.#core.closed.promise;
  }

  /** True once the connection has ended, whoever ended it. */
  get isClosed(): boolean {
    return this.#core.lost !== undefined;
  }

  /** When the peer was last heard of, on the endpoint's clock. */
  get heardAtMs(): number {
    return this.#core.heardAtMs;
  }

  /** Streams to read that the peer opened. Ends with the connection; throws if that was no clean close. */
  get incomingUni(): Arrivals<RecvStream> {
    return this.#core.streams.incomingUni;
  }

  /** Streams in both directions that the peer opened. Ends as `incomingUni` does. */
  get incomingBidi(): Arrivals<BidiStream> {
    return this.#core.streams.incomingBidi;
  }

  /**
   * Opens a stream to write; waits while the peer allows no more. The peer sees it with its first data.
   *
   * @throws {ConnectionLost} if the connection has ended.
   */
  openUni(): Promise<SendStream> {
    return this.#core.streams.openUni();
  }

  /**
   * Opens a stream in both directions; waits while the peer allows no more. The peer sees it with its
   * first data.
   *
   * @throws {ConnectionLost} if the connection has ended.
   */
  openBidi(): Promise<BidiStream> {
    return this.#core.streams.openBidi();
  }

  /**
   * Ends the connection at once: what the peer has not acknowledged may never arrive. Resolves when the
   * peer has been told. Does nothing if the connection has ended.
   *
   * @param code One of `CLOSE_CODE`.
   * @param reason Goes to the peer; leave it empty unless it is meant for everyone to read.
   */
  close(code: number, reason = ""): Promise<void> {
    return this.#core.close(code, reason);
  }

  /** Sends a packet that the peer must acknowledge, so that a dead peer is noticed and a path stays open. */
  ping(): void {
    if (this.#core.lost) return;
    this.#core.native.sendAckEliciting();
    this.#core.streams.touch();
  }

  /** Costs about 25 microseconds. */
  stats(): ConnectionStats {
    const total = this.#core.native.stats();
    const path = this.#core.activePath;
    return {
      rttMs: path?.rtt ?? 0,
      congestionWindowBytes: path?.cwnd ?? 0,
      datagramBytes: Math.min(this.#core.datagramBytes, path?.pmtu ?? Infinity),
      deliveryRate: path?.deliveryRate ?? 0,
      sentPackets: total.sent,
      receivedPackets: total.recv,
      lostPackets: total.lost,
      sentBytes: this.#core.payload.sentBytes,
      receivedBytes: this.#core.payload.receivedBytes,
      lostBytes: total.lostBytes,
      retransmittedBytes: total.streamRetransBytes,
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close(CLOSE_CODE.normal);
  }
}
