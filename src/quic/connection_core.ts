import { utf8 } from "../base/bytes.ts";
import type { Logger } from "../base/log.ts";
import { messageOf } from "../base/errors.ts";
import { CLOSE_CODE } from "../base/wire_codes.ts";
import { formatHostPort, type HostPort, withoutZone } from "./address.ts";
import type { NativeConnection, NativePathStats, NativeRecvInfo, NativeStats } from "./binding.ts";
import { type ClosedBy, type CloseInfo, closeWords } from "./close_codes.ts";
import type { DatagramSource } from "./datagram_sender.ts";
import { ConnectionLost, HandshakeRefused } from "./errors.ts";
import {
  checkHandshake,
  type HandshakePeer,
  readHandshakePeer,
  type Role,
  type VerifyPeer,
} from "./handshake.ts";
import type { Pacer } from "./pacer.ts";
import { PathWatch } from "./path_watch.ts";
import { DATAGRAM_BYTES_MIN } from "./profile.ts";
import { StreamTable } from "./stream_table.ts";
import type { UdpAddress } from "./udp.ts";

/** What a connection asks of its endpoint. */
export interface ConnectionHost {
  /** Asks for a turn soon. */
  touch(core: ConnectionCore): void;
  /** Sends what the connection has, or so many datagrams, within this call if the socket takes it. */
  flush(core: ConnectionCore, datagramsMax?: number): void;
  /** The peer has passed verification. */
  onVerified(core: ConnectionCore): void;
  /** The UDP payload that the system believes the path carries, if it says so. */
  pathPayloadBytes(core: ConnectionCore): number | undefined;
}

/** How a connection is made. */
export interface ConnectionCoreOptions {
  readonly native: NativeConnection;
  readonly host: ConnectionHost;
  readonly role: Role;
  readonly remote: UdpAddress;
  readonly local: HostPort;
  /** What this side offered. */
  readonly alpns: readonly string[];
  readonly verify: VerifyPeer;
  readonly datagramBytes: number;
  readonly pacer: Pacer;
  /** On the endpoint's clock. */
  readonly nowMs: number;
  readonly handshakeDeadlineMs: number;
  readonly logger: Logger;
}

/** What a look at the native core has shown. */
interface PathSample {
  readonly stats: NativeStats;
  readonly path: NativePathStats;
}

/**
 * The state of one connection around its native core: handshake, streams, end. Has no socket and no
 * timer; the endpoint hands it datagrams and turns, and sends what it has.
 */
export class ConnectionCore implements DatagramSource {
  readonly native: NativeConnection;
  readonly role: Role;
  readonly remote: UdpAddress;
  readonly streams: StreamTable;
  /** Ids under which the endpoint's table knows this connection. */
  readonly ids: Uint8Array[] = [];
  /** True while it waits for its turn. */
  isQueued = false;
  /** True if the last attempt to send left something unsent. */
  hasUnsent = false;
  /** Says when to send, and what is known of the path. */
  readonly pacer: Pacer;
  /** UDP payloads. The native core's own counters leave padding out, which a handshake has 2 KB of. */
  readonly payload = { sentBytes: 0, receivedBytes: 0 };
  /** When the peer was last heard of, on the endpoint's clock; told at each turn. */
  heardAtMs: number;
  /** When `handleTimeout()` is due, on the endpoint's clock. */
  deadlineMs = Infinity;

  peer: HandshakePeer | undefined;
  refusal: HandshakeRefused | undefined;
  lost: ConnectionLost | undefined;
  readonly verified = Promise.withResolvers<HandshakePeer>();
  readonly closed = Promise.withResolvers<CloseInfo>();

  readonly #host: ConnectionHost;
  readonly #alpns: readonly string[];
  readonly #verify: VerifyPeer;
  readonly #logger: Logger;
  readonly #receiveInfo: NativeRecvInfo;
  readonly #handshakeDeadlineMs: number;
  readonly #pathWatch: PathWatch;
  #pathCheckAtMs = -Infinity;
  /** Shrinks when the path turns out to carry less. */
  #pathBytes: number;
  /** What is sent next is to get through however little the path carries now. */
  #isProbing = false;
  #nativeDeadlineMs = Infinity;
  #wasHeard = false;
  readonly #closeSent = Promise.withResolvers<void>();
  #closingDatagram: Uint8Array | undefined;
  #datagramsWhileClosing = 0;

  constructor(options: ConnectionCoreOptions) {
    this.native = options.native;
    this.role = options.role;
    this.remote = options.remote;
    this.#pathBytes = options.datagramBytes;
    this.pacer = options.pacer;
    this.heardAtMs = options.nowMs;
    this.#pathWatch = new PathWatch(options.datagramBytes);
    this.#host = options.host;
    this.#alpns = options.alpns;
    this.#verify = options.verify;
    this.#logger = options.logger;
    this.#handshakeDeadlineMs = options.handshakeDeadlineMs;
    this.#receiveInfo = {
      from: withoutZone(options.remote),
      to: withoutZone(options.local),
    };
    this.streams = new StreamTable(
      this.native,
      this.role,
      () => this.#host.touch(this),
      (datagramsMax) => this.#host.flush(this, datagramsMax),
    );
    // Nobody need be waiting for the handshake when it fails.
    this.verified.promise.catch(() => {});
  }

  /** No datagram is to be larger than this. */
  get datagramBytes(): number {
    return this.#isProbing ? DATAGRAM_BYTES_MIN : this.#pathBytes;
  }

  /** The state of the network path in use. */
  get activePath(): NativePathStats | undefined {
    return this.native.pathStats().find(({ active }) => active);
  }

  /** True once nothing more can come of it, not even an answer to late datagrams. */
  get isDrained(): boolean {
    return this.lost !== undefined && this.native.isClosed();
  }

  /** While the end mark is being sent: keeps a copy, to answer a peer that has missed it. */
  get onDatagram(): ((datagram: Uint8Array) => void) | undefined {
    if (this.lost === undefined || this.#closingDatagram) return undefined;
    return (datagram) => {
      this.#closingDatagram = datagram.slice();
    };
  }

  /**
   * Takes one datagram of this connection, from the right address.
   *
   * @returns A datagram to send in answer, for a peer that has not heard that it is over.
   */
  handleDatagram(datagram: Uint8Array): Uint8Array | undefined {
    this.payload.receivedBytes += datagram.length;
    if (this.#closingDatagram) return this.#answerWhileClosing();
    this.#wasHeard = true;
    try {
      this.native.recv(datagram, this.#receiveInfo);
    } catch (error) {
      // The native core has closed the connection if it had to; the turn finds out.
      this.#logger.log("debug", "datagram refused by QUIC", {
        remote: formatHostPort(this.remote),
        error: messageOf(error),
      });
    }
    return undefined;
  }

  /**
   * One turn after datagrams, timers or calls: verifies the peer, serves streams.
   *
   * @param mayWrite False while the socket takes nothing.
   * @returns True if another turn is wanted at once.
   */
  serve(nowMs: number, mayWrite: boolean): boolean {
    if (this.lost) return false;
    if (this.#wasHeard) this.heardAtMs = nowMs;
    this.#wasHeard = false;
    if (!this.peer && !this.#establish()) return false;
    return this.streams.serve(nowMs, mayWrite && !this.hasUnsent);
  }

  /** To be called whenever datagrams have been taken from the native core. */
  afterSend(nowMs: number): void {
    if (this.native.isDraining() || this.native.isClosed()) {
      if (!this.lost) this.#findEnd();
      this.#closeSent.resolve();
    }
    if (this.#pathWatch.isUnproven && nowMs - this.#pathCheckAtMs >= PATH_CHECK_INTERVAL_MS) {
      this.#pathCheckAtMs = nowMs;
      this.#checkPath(false, nowMs);
    }
    const delayMs = this.native.timeout();
    // The native core rounds down: at the moment it names, it may find nothing due.
    this.#nativeDeadlineMs = delayMs === null ? Infinity : nowMs + delayMs + 1;
    const ownDeadlineMs = this.lost
      ? Infinity
      : this.peer
      ? this.streams.searchDeadlineMs
      : this.#handshakeDeadlineMs;
    this.deadlineMs = Math.min(this.#nativeDeadlineMs, ownDeadlineMs, this.pacer.deadlineMs);
  }

  /** Runs what is due. What has arrived by then is to be handed over before. */
  handleTimeout(nowMs: number): void {
    if (nowMs >= this.#nativeDeadlineMs) this.#handleNativeTimeout(nowMs);
    if (!this.peer && !this.lost && nowMs >= this.#handshakeDeadlineMs) {
      this.close(CLOSE_CODE.handshakeTimeout);
    }
  }

  /** How many bytes may be sent now; Infinity for all. */
  allowance(nowMs: number): number {
    if (!this.peer || this.lost) return Infinity;
    if (this.pacer.wantsSample(nowMs)) this.#samplePath(nowMs);
    return this.pacer.allowance(nowMs);
  }

  noteSent(byteLength: number, largeBytes: number): void {
    this.payload.sentBytes += byteLength;
    this.#isProbing = false;
    if (largeBytes > 0) this.#pathWatch.noteSent(largeBytes);
  }

  /** The kernel has learnt that the path carries less. */
  noteOversized(): void {
    const pathBytes = this.#host.pathPayloadBytes(this) ?? DATAGRAM_BYTES_MIN;
    const isNews = pathBytes < this.#pathBytes;
    this.#shrinkTo(isNews ? Math.max(DATAGRAM_BYTES_MIN, pathBytes) : DATAGRAM_BYTES_MIN);
  }

  /** Ends the connection; resolves when the peer has been told. */
  close(code: number, reason = ""): Promise<void> {
    if (!this.lost) {
      this.native.close(true, code, utf8(reason));
      this.#end({
        by: "local",
        isApplication: true,
        code,
        reason,
        words: closeWords(true, code),
      });
      this.#host.flush(this);
    }
    return this.#closeSent.promise;
  }

  /** For an endpoint that goes away: gives up at once. */
  abandon(): void {
    if (!this.lost) void this.close(CLOSE_CODE.normal);
    this.#closeSent.resolve();
  }

  /** True once the peer is verified. */
  #establish(): boolean {
    if (!this.native.isEstablished()) return false;
    const peer = readHandshakePeer(this.native, this.remote, this.role);
    try {
      checkHandshake(peer, this.#alpns, this.#verify);
    } catch (error) {
      this.refusal = new HandshakeRefused(formatHostPort(this.remote), error);
      void this.close(CLOSE_CODE.handshakeRefused);
      return false;
    }
    this.peer = peer;
    this.#host.onVerified(this);
    this.verified.resolve(peer);
    // The callback may have closed it.
    return this.lost === undefined;
  }

  #handleNativeTimeout(nowMs: number): void {
    const { native } = this;
    const isDue = native.timeout() === 0;
    const { lost } = native.stats();
    native.onTimeout();
    if (this.lost) return;
    const stats = native.stats();
    // The native core also wakes to find out what is lost: then there are acknowledgements.
    const hasTimedOut = isDue && stats.lost === lost;
    // Perhaps the path has come to carry less. A small datagram finds out, whether the peer is silent or
    // heard: what it says, it says in small ones.
    if (hasTimedOut) this.#isProbing = true;
    this.#checkPath(hasTimedOut, nowMs, { stats });
  }

  #checkPath(hasTimedOut: boolean, nowMs: number, known?: Partial<PathSample>): void {
    if (this.#pathWatch.isOver || this.lost) return;
    const { lost: lostPackets, lostBytes } = known?.stats ?? this.native.stats();
    const { cwnd: congestionWindowBytes = 0, rtt: rttMs = 0 } = known?.path ?? this.activePath ??
      {};
    const counters = { lostPackets, lostBytes, congestionWindowBytes, rttMs };
    if (this.#pathWatch.check(counters, hasTimedOut, nowMs)) this.#shrinkTo(DATAGRAM_BYTES_MIN);
  }

  #samplePath(nowMs: number): void {
    const path = this.activePath;
    if (!path) return;
    const stats = this.native.stats();
    const { sent: sentPackets, lost: lostPackets } = stats;
    const { rtt: rttMs, cwnd: windowBytes, deliveryRate } = path;
    const quantumBytes = this.native.sendQuantum();
    const sample = { rttMs, windowBytes, deliveryRate, sentPackets, lostPackets, quantumBytes };
    this.pacer.handleSample(sample, this.hasUnsent, nowMs);
    this.#checkPath(false, nowMs, { stats, path });
  }

  /** The native core writes no more than it is given room for, also of what it sends again. */
  #shrinkTo(datagramBytes: number): void {
    if (datagramBytes >= this.#pathBytes) return;
    this.#logger.log("info", "the path carries smaller datagrams only", {
      remote: formatHostPort(this.remote),
      bytes: datagramBytes,
      before: this.#pathBytes,
    });
    this.#pathBytes = datagramBytes;
  }

  #answerWhileClosing(): Uint8Array | undefined {
    // RFC 9000 section 10.2.1: answer ever more rarely.
    const count = ++this.#datagramsWhileClosing;
    return (count & (count - 1)) === 0 ? this.#closingDatagram : undefined;
  }

  /** The native core is closing without having been told to by this side. */
  #findEnd(): void {
    const { native } = this;
    const peerError = native.peerError();
    const error = peerError ?? native.localError();
    const by: ClosedBy = native.isTimedOut() ? "timeout" : peerError ? "peer" : "transport";
    const code = error?.errorCode ?? 0;
    const isApplication = error?.isApp ?? false;
    this.#end({
      by,
      isApplication,
      code,
      reason: error ? new TextDecoder().decode(error.reason) : "",
      words: by === "timeout" ? "no answer" : closeWords(isApplication, code),
    });
  }

  #end(info: CloseInfo): void {
    this.lost = new ConnectionLost(info, formatHostPort(this.remote));
    this.streams.fail(this.lost, this.peer !== undefined);
    this.verified.reject(this.refusal ?? this.lost);
    this.closed.resolve(info);
  }
}

/** Between looks at the counters, while the path's size is not proven. */
const PATH_CHECK_INTERVAL_MS = 20;
