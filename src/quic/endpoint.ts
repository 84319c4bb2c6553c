import { setImmediate } from "node:timers";
import { type Clock, systemClock } from "../base/clock.ts";
import { type Logger, silentLogger } from "../base/log.ts";
import { messageOf } from "../base/errors.ts";
import { CLOSE_CODE } from "../base/wire_codes.ts";
import { checkHostPort, formatHostPort, type HostPort } from "./address.ts";
import { loadBinding, type QuicBinding } from "./binding.ts";
import { QuicConnection } from "./connection.ts";
import type { ConnectionCore, ConnectionHost } from "./connection_core.ts";
import { ConnectionMaker, type NewConnection } from "./connection_maker.ts";
import { ConnectionTable } from "./connection_table.ts";
import { DatagramSender } from "./datagram_sender.ts";
import { ConnectionLost, QuicError } from "./errors.ts";
import { GarbageMeter } from "./garbage.ts";
import type { VerifyPeer } from "./handshake.ts";
import type {
  Branch,
  ConnectionStates,
  ConnectOptions,
  EndpointCounters,
  EndpointOptions,
  ListenOptions,
} from "./endpoint_options.ts";
import { openUdpSocket } from "./open_socket.ts";
import { LinuxUdpSocket } from "./udp_linux.ts";
import { hasLongHeader, type LongHeader, parseLongHeader } from "./packet.ts";
import { PathMemory } from "./path_memory.ts";
import { DEFAULT_PROFILE, type TransportProfile } from "./profile.ts";
import { Reception } from "./reception.ts";
import { DeadlineTimer, systemTimers, type Timers } from "./timers.ts";
import { type Traffic, TrafficLedger } from "./traffic.ts";
import type { DatagramSink, UdpAddress, UdpCounters, UdpSocket } from "./udp.ts";

/** Receive operations in one turn, each of up to 64 KiB: more means fewer acknowledgements, but longer turns. */
const RECEIVE_CALLS_PER_TURN = 32;
/**
 * How long datagrams of a distant peer gather before the next look. Each by itself, as a slow link brings
 * them, costs a wake-up, a turn and half an acknowledgement: most of the processor time at 100 Mbit/s.
 */
const GATHER_MS = 1;
/** Bytes that one connection sends before the next one gets its turn. */
const SEND_BYTES_PER_TURN = 512 << 10;

/**
 * One UDP socket and the QUIC connections on it, dialled and accepted. All work is done in turns: take
 * what has arrived, serve the connections it was for, send what they have, set the timer, yield.
 */
export class QuicEndpoint implements AsyncDisposable, DatagramSink, ConnectionHost {
  readonly #socket: UdpSocket;
  readonly #sender: DatagramSender;
  readonly #profile: TransportProfile;
  readonly #maker: ConnectionMaker;
  readonly #reception: Reception;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #timer: DeadlineTimer;
  readonly #timers: Timers;
  readonly #table = new ConnectionTable<ConnectionCore>();
  readonly #cores = new Set<ConnectionCore>();
  readonly #ledger = new TrafficLedger();
  readonly #paths: PathMemory;
  readonly #counters: EndpointCounters = {
    verifiedPeers: 0,
    failedHandshakes: 0,
    refusedPeers: 0,
    strayDatagrams: 0,
    misaddressedDatagrams: 0,
    shedClients: 0,
    retries: 0,
    badTokens: 0,
    surplusConnections: 0,
    handshakeTimeouts: 0,
  };
  #queue: ConnectionCore[] = [];
  #isScheduled = false;
  #isInTurn = false;
  #isWaiting = false;
  #gatherTimer: unknown;
  /** Whom the datagrams since the last turn were for. */
  #heard: "nobody" | "patient" | "impatient" = "nobody";
  #isClosed = false;

  /**
   * Opens the socket, and loads the native core if this is the first endpoint.
   *
   * @throws {QuicError} if the address cannot be bound.
   */
  static async bind(options: EndpointOptions): Promise<QuicEndpoint> {
    const binding = options.binding ?? await loadBinding();
    const logger = options.logger ?? silentLogger;
    const socket = options.socket ??
      (options.branch === undefined
        ? await openUdpSocket(options.listen, options.udp, logger)
        : LinuxUdpSocket.adopt(options.branch));
    return new QuicEndpoint(options, binding, socket, logger);
  }

  private constructor(
    options: EndpointOptions,
    binding: QuicBinding,
    socket: UdpSocket,
    logger: Logger,
  ) {
    this.#socket = socket;
    this.#logger = logger;
    const profile = this.#profile = { ...DEFAULT_PROFILE, ...options.profile };
    const paths = this.#paths = options.paths ?? new PathMemory();
    this.#maker = new ConnectionMaker({
      binding,
      identity: options.identity,
      profile,
      socket,
      paths,
      host: this,
      logger,
    });
    this.#reception = new Reception({ binding, socket, counters: this.#counters, logger });
    this.#clock = options.clock ?? systemClock;
    this.#sender = new DatagramSender(socket, new GarbageMeter());
    this.#timers = options.timers ?? systemTimers;
    this.#timer = new DeadlineTimer(() => this.#handleTimeouts(), this.#clock, this.#timers);
    this.#wait();
  }

  /** Where the socket is bound. */
  get localAddress(): HostPort {
    return this.#socket.local;
  }

  get counters(): Readonly<EndpointCounters> {
    return this.#counters;
  }

  /** Datagrams and system calls of the socket. */
  get socketCounters(): Readonly<UdpCounters> {
    return this.#socket.counters;
  }

  /** Connections in any state, also those that are being closed. */
  get connectionCount(): number {
    return this.#cores.size;
  }

  /** Connections by state. */
  get connectionStates(): ConnectionStates {
    const states = { handshaking: 0, open: 0, closing: 0, streams: 0 };
    for (const core of this.#cores) {
      states[core.lost ? "closing" : core.peer ? "open" : "handshaking"]++;
      states.streams += core.streams.openStreams;
    }
    return states;
  }

  /** What all connections so far have moved; never goes backwards. */
  traffic(): Traffic {
    return this.#ledger.total(this.#cores);
  }

  /**
   * Dials. The connection is verified on this side when it resolves; that the server took it too shows
   * in the first message from it.
   *
   * @param remote Numeric; see `resolveAddress()` for names.
   * @throws {HandshakeRefused} if the verifier turned the server down; its error is the cause.
   * @throws {ConnectionLost} if the server or TLS turned this side down.
   * @throws {QuicError} `peer_unreachable` if there was no answer in time.
   */
  async connect(remote: HostPort, options: ConnectOptions): Promise<QuicConnection> {
    const { alpn, verify, signal, timeoutMs = this.#profile.handshakeTimeoutMs } = options;
    this.#checkOpen();
    signal?.throwIfAborted();
    checkHostPort(remote, "dial");
    const address = this.#socket.addressOf(remote);
    const { datagramBytes, sourceId } = options;
    const core = this.#add({
      role: "client",
      remote: address,
      alpns: [alpn],
      verify,
      timeoutMs,
      datagramBytes,
      sourceId,
    });
    const onAbort = () => void core.close(CLOSE_CODE.normal);
    signal?.addEventListener("abort", onAbort, { once: true });
    try {
      const peer = await core.verified.promise;
      return new QuicConnection(core, peer);
    } catch (error) {
      signal?.throwIfAborted();
      throw isOwnTimeout(error) ? noAnswer(remote, timeoutMs, error) : error;
    } finally {
      signal?.removeEventListener("abort", onAbort);
    }
  }

  /** Accepts connections from now on. Only one listener at a time. */
  listen(options: ListenOptions): void {
    this.#checkOpen();
    this.#reception.open(options);
  }

  /** Accepts no more connections; those that exist go on. */
  stopListening(): void {
    this.#reception.close();
  }

  /** Closes all connections with code 0, then the socket. Safe to call twice. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isClosed) return;
    this.stopListening();
    for (const core of [...this.#cores]) {
      this.#learn(core);
      core.abandon();
    }
    this.#isClosed = true;
    this.#timer.stop();
    this.#timers.clear(this.#gatherTimer);
    this.#cores.clear();
    this.#queue = [];
    await this.#socket.close();
  }

  /** Takes a client that another endpoint has branched off with this endpoint's socket. */
  takeBranch({ datagram, remote }: Pick<Branch, "datagram" | "remote">): void {
    this.handleDatagram(datagram, this.#socket.addressOf(remote));
    this.#schedule();
  }

  /** For the socket. */
  handleDatagram(datagram: Uint8Array, from: UdpAddress): void {
    const core = hasLongHeader(datagram)
      ? this.#findByLongHeader(datagram, from)
      : this.#table.getByShortHeader(datagram);
    if (core === undefined) {
      this.#counters.strayDatagrams++;
      return;
    }
    // Migration is off: a datagram from elsewhere is not the peer's, or no longer.
    if (from !== core.remote && from.key !== core.remote.key) {
      this.#counters.misaddressedDatagrams++;
      return;
    }
    if (!core.pacer.isPatient) this.#heard = "impatient";
    else if (this.#heard === "nobody") this.#heard = "patient";
    const answer = core.handleDatagram(datagram);
    if (answer) this.#socket.sendOne(core.remote, answer);
    this.#enqueue(core);
  }

  /** For connections. */
  touch(core: ConnectionCore): void {
    this.#enqueue(core);
    this.#schedule();
  }

  /** For connections. */
  flush(core: ConnectionCore, datagramsMax?: number): void {
    if (this.#isClosed) return;
    this.#send(core, datagramsMax);
    this.#enqueue(core);
    this.#schedule();
  }

  /** For connections. */
  onVerified(core: ConnectionCore): void {
    this.#counters.verifiedPeers++;
    if (core.role === "server") this.#reception.welcome(core, this.#clock.nowMs());
  }

  /** For connections. */
  pathPayloadBytes({ remote }: ConnectionCore): number | undefined {
    return this.#socket.pathPayloadBytes(remote);
  }

  #enqueue(core: ConnectionCore): void {
    if (core.isQueued) return;
    core.isQueued = true;
    this.#queue.push(core);
  }

  #schedule(): void {
    if (this.#isScheduled || this.#isInTurn || this.#isClosed) return;
    this.#isScheduled = true;
    // A macrotask: finalizers of the native core's objects run between turns.
    setImmediate(() => {
      this.#isScheduled = false;
      this.#turn();
    });
  }

  #turn(): void {
    if (this.#isClosed) return;
    this.#isInTurn = true;
    const hasInput = this.#socket.receive(this, RECEIVE_CALLS_PER_TURN);
    const queue = this.#queue;
    this.#queue = [];
    const nowMs = this.#clock.nowMs();
    for (const core of queue) {
      core.isQueued = false;
      const wantsTurn = core.serve(nowMs, !this.#socket.isBlocked);
      this.#send(core);
      if (wantsTurn || (core.hasUnsent && !core.pacer.isHeld(this.#clock.nowMs()))) {
        this.#enqueue(core);
      }
    }
    this.#isInTurn = false;
    const heard = this.#heard;
    this.#heard = "nobody";
    this.#armTimer();
    // While the socket is blocked, what is unsent waits for it.
    if (hasInput || (this.#queue.length > 0 && !this.#socket.isBlocked)) this.#schedule();
    else if (heard === "patient" && !this.#socket.isBlocked) this.#gather();
    else this.#wait();
  }

  #send(core: ConnectionCore, datagramsMax?: number): void {
    try {
      if (datagramsMax !== undefined) this.#sender.drain(core, datagramsMax * core.datagramBytes);
      else this.#sendPaced(core);
    } catch (error) {
      core.hasUnsent = false;
      this.#logger.log("debug", "QUIC failed to send", { error: messageOf(error) });
    }
    core.afterSend(this.#clock.nowMs());
    if (core.isDrained) this.#remove(core);
  }

  #sendPaced(core: ConnectionCore): void {
    const nowMs = this.#clock.nowMs();
    const allowed = core.allowance(nowMs);
    const before = core.payload.sentBytes;
    core.hasUnsent = allowed === 0 ||
      this.#sender.drain(core, Math.min(allowed, SEND_BYTES_PER_TURN));
    core.pacer.noteSent(core.payload.sentBytes - before, core.hasUnsent, nowMs);
  }

  #gather(): void {
    if (this.#isWaiting || this.#isClosed) return;
    this.#isWaiting = true;
    this.#gatherTimer = this.#timers.set(() => {
      this.#isWaiting = false;
      this.#turn();
    }, GATHER_MS);
  }

  #wait(): void {
    if (this.#isWaiting || this.#isClosed) return;
    this.#isWaiting = true;
    this.#socket.wait().then(
      () => {
        this.#isWaiting = false;
        this.#turn();
      },
      (error) => {
        this.#logger.log("error", "socket failed", { error: messageOf(error) });
        void this[Symbol.asyncDispose]();
      },
    );
  }

  #armTimer(): void {
    let earliestMs = Infinity;
    for (const { deadlineMs } of this.#cores) {
      if (deadlineMs < earliestMs) earliestMs = deadlineMs;
    }
    this.#timer.moveTo(earliestMs);
  }

  #handleTimeouts(): void {
    // On a busy machine timers ring late: what was missed may have arrived meanwhile.
    this.#isInTurn = true;
    this.#socket.receive(this, RECEIVE_CALLS_PER_TURN);
    this.#isInTurn = false;
    const nowMs = this.#clock.nowMs();
    for (const core of [...this.#cores]) {
      if (core.deadlineMs > nowMs) continue;
      const wasLost = core.lost !== undefined;
      core.handleTimeout(nowMs);
      if (!wasLost && core.lost?.info.by === "local") this.#counters.handshakeTimeouts++;
      this.#enqueue(core);
    }
    this.#turn();
  }

  #findByLongHeader(datagram: Uint8Array, from: UdpAddress): ConnectionCore | undefined {
    const header = parseLongHeader(datagram);
    if (!header) return undefined;
    return this.#table.get(header.destinationId) ?? this.#accept(datagram, header, from);
  }

  /** A datagram for no known connection: perhaps a client's first one. */
  #accept(
    datagram: Uint8Array,
    header: LongHeader,
    from: UdpAddress,
  ): ConnectionCore | undefined {
    const admitted = this.#reception.admit(datagram, { header, from, nowMs: this.#clock.nowMs() });
    if (!admitted) return undefined;
    const core = this.#add({ role: "server", remote: from, ...admitted });
    this.#reception.enter(core);
    // Until the client knows the id chosen here it uses its own.
    if (!admitted.afterRetry) this.#addId(core, header.destinationId.slice());
    return core;
  }

  #add(asked: Omit<NewConnection, "nowMs">): ConnectionCore {
    const core = this.#maker.make({
      ...asked,
      verify: (peer) => this.#verify(asked.verify, peer),
      nowMs: this.#clock.nowMs(),
    });
    this.#cores.add(core);
    for (const id of core.ids) this.#table.set(id, core);
    this.touch(core);
    return core;
  }

  #verify(verify: VerifyPeer, peer: Parameters<VerifyPeer>[0]): void {
    try {
      return verify(peer);
    } catch (error) {
      this.#counters.refusedPeers++;
      this.#logger.log("info", "peer refused", {
        remote: formatHostPort(peer.remote),
        error: messageOf(error),
      });
      throw error;
    }
  }

  #addId(core: ConnectionCore, id: Uint8Array): void {
    core.ids.push(id);
    this.#table.set(id, core);
  }

  #remove(core: ConnectionCore): void {
    for (const id of core.ids) this.#table.delete(id);
    if (!this.#cores.delete(core)) return;
    this.#learn(core);
    this.#ledger.retire(core);
    if (!core.peer && core.lost?.info.by !== "local") this.#counters.failedHandshakes++;
    if (core.role === "server") this.#reception.leave(core);
  }

  /** Only from who proved to be trusted. */
  #learn({ peer, remote, pacer }: ConnectionCore): void {
    if (peer) this.#paths.note(remote.host, pacer.judge.evidence);
  }

  #checkOpen(): void {
    if (this.#isClosed) throw new QuicError("failed", "The QUIC endpoint is closed");
  }
}

function isOwnTimeout(error: unknown): boolean {
  return error instanceof ConnectionLost && error.info.by === "local" &&
    error.info.code === CLOSE_CODE.handshakeTimeout;
}

function noAnswer(remote: HostPort, timeoutMs: number, cause: unknown): QuicError {
  return new QuicError(
    "peer_unreachable",
    `No answer from ${formatHostPort(remote)} within ${timeoutMs / 1000} s`,
    "check that the other device is serving, and that UDP reaches its port",
    cause,
  );
}
