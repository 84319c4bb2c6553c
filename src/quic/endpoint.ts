import { setImmediate } from "node:timers";
import { type Clock, systemClock } from "../base/clock.ts";
import { type Logger, silentLogger } from "../base/log.ts";
import { messageOf } from "../base/errors.ts";
import { checkHostPort, formatHostPort, type HostPort, withoutZone } from "./address.ts";
import { loadBinding, type NativeConfig, type QuicBinding } from "./binding.ts";
import { CLOSE_CODE } from "./close_codes.ts";
import { QuicConnection } from "./connection.ts";
import { ConnectionCore, type ConnectionHost } from "./connection_core.ts";
import { ConnectionTable } from "./connection_table.ts";
import { DatagramSender } from "./datagram_sender.ts";
import { ConnectionLost, QuicError } from "./errors.ts";
import { GarbageMeter } from "./garbage.ts";
import type { Role, VerifyPeer } from "./handshake.ts";
import { DEFAULT_LISTEN_LIMITS, Doorkeeper, type ListenLimits, type Place } from "./doorkeeper.ts";
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
import {
  CONNECTION_ID_BYTES,
  encodeVersionNegotiation,
  FIRST_DESTINATION_ID_BYTES_MIN,
  hasLongHeader,
  INITIAL_DATAGRAM_BYTES_MIN,
  type LongHeader,
  parseLongHeader,
  QUIC_VERSION,
} from "./packet.ts";
import { Pacer } from "./pacer.ts";
import { classifyPath, PATH_RULES } from "./path_class.ts";
import { PathMemory } from "./path_memory.ts";
import { datagramBytesFor, isIpv6Host } from "./path_size.ts";
import {
  DATAGRAM_BYTES_MAX,
  DATAGRAM_BYTES_MIN,
  DEFAULT_PROFILE,
  makeConfig,
  type TlsIdentity,
  type TransportProfile,
} from "./profile.ts";
import { RetryTokens } from "./retry_tokens.ts";
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
  readonly #binding: QuicBinding;
  readonly #socket: UdpSocket;
  readonly #sender: DatagramSender;
  readonly #identity: TlsIdentity;
  readonly #profile: TransportProfile;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #timer: DeadlineTimer;
  readonly #timers: Timers;
  readonly #table = new ConnectionTable<ConnectionCore>();
  readonly #cores = new Set<ConnectionCore>();
  readonly #configs = new Map<string, NativeConfig>();
  readonly #doorkeeper = new Doorkeeper();
  /** Of those whose handshake is under way. */
  readonly #places = new Map<ConnectionCore, Place>();
  readonly #peerKeys = new Map<ConnectionCore, string>();
  readonly #tokens = new RetryTokens(randomBytes(32));
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
  #listener: ActiveListener | undefined;
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
    this.#binding = binding;
    this.#socket = socket;
    this.#logger = logger;
    this.#identity = options.identity;
    this.#paths = options.paths ?? new PathMemory();
    this.#profile = { ...DEFAULT_PROFILE, ...options.profile };
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
    const core = this.#addCore("client", address, [alpn], verify, {
      timeoutMs,
      datagramBytes: options.datagramBytes,
      ...(options.sourceId && { sourceId: options.sourceId }),
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
    if (this.#listener) throw new TypeError("the endpoint is already listening");
    this.#listener = { ...options, limits: { ...DEFAULT_LISTEN_LIMITS, ...options.limits } };
  }

  /** Accepts no more connections; those that exist go on. */
  stopListening(): void {
    this.#listener = undefined;
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
    const listener = this.#listener;
    this.#counters.verifiedPeers++;
    if (core.role === "client") return;
    this.#endHandshake(core);
    if (!listener) return void core.close(CLOSE_CODE.normal);
    try {
      if (!this.#makeRoomForPeer(core, listener)) {
        this.#counters.surplusConnections++;
        return void core.close(CLOSE_CODE.normal);
      }
      listener.onConnection(new QuicConnection(core, core.peer!));
    } catch (error) {
      this.#logger.log("error", "connection handler failed", { error: messageOf(error) });
      void core.close(CLOSE_CODE.normal);
    }
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
    const core = this.#table.get(header.destinationId);
    return core ?? this.#accept(datagram, header, from);
  }

  /** A datagram for no known connection: perhaps a client's first one. */
  #accept(
    datagram: Uint8Array,
    header: LongHeader,
    from: UdpAddress,
  ): ConnectionCore | undefined {
    const listener = this.#listener;
    if (!listener || datagram.length < INITIAL_DATAGRAM_BYTES_MIN) return undefined;
    if (header.version !== QUIC_VERSION) {
      // Version 0 is itself a version negotiation packet: answering it could go on for ever.
      if (header.version !== 0) {
        this.#socket.sendOne(from, encodeVersionNegotiation(header, randomBytes(1)[0]! & 0x7f));
      }
      return undefined;
    }
    if (!header.isInitial || header.destinationId.length < FIRST_DESTINATION_ID_BYTES_MIN) {
      return undefined;
    }
    const alpns = listener.alpns();
    if (alpns.length === 0) return undefined;
    const nowMs = this.#clock.nowMs();
    let originalId: Uint8Array | undefined;
    if (header.token.length > 0) {
      const claim = { client: from, retrySourceId: header.destinationId };
      originalId = this.#tokens.open(header.token, claim, nowMs);
      // A client obeys one Retry only (RFC 9000 section 17.2.5.2): another would not help it.
      if (!originalId) return void this.#counters.badTokens++;
    }
    if (this.#branchOff(listener, { datagram, sourceId: header.sourceId, from })) return undefined;
    const isProven = originalId !== undefined;
    switch (this.#doorkeeper.admit(from, isProven, listener.limits, nowMs)) {
      case "ignore":
        return void this.#counters.shedClients++;
      case "retry":
        return this.#sendRetry(header, from, nowMs);
      case "accept":
    }
    const core = this.#addCore("server", from, alpns, listener.verify, {
      timeoutMs: this.#profile.handshakeTimeoutMs,
      datagramBytes: undefined,
      afterRetry: originalId && { originalId, id: header.destinationId.slice() },
    });
    this.#places.set(core, this.#doorkeeper.enter(from));
    // Until the client knows the id chosen here it uses its own.
    if (!isProven) this.#addId(core, header.destinationId.slice());
    return core;
  }

  /** False for a client that is served here. */
  #branchOff(
    { branchFor }: ActiveListener,
    { datagram, sourceId, from }: { datagram: Uint8Array; sourceId: Uint8Array; from: UdpAddress },
  ): boolean {
    const remote = { host: from.host, port: from.port };
    const take = branchFor?.(sourceId, remote);
    const socket = take && this.#socket.branch(from);
    if (take === undefined || socket === undefined) return false;
    take({ socket, datagram: datagram.slice(), remote });
    return true;
  }

  /** Asks a client to come back with a token: nothing is kept of it until then. */
  #sendRetry(header: LongHeader, from: UdpAddress, nowMs: number): undefined {
    const retrySourceId = randomBytes(CONNECTION_ID_BYTES);
    const originalId = header.destinationId;
    const token = this.#tokens.issue(originalId, { client: from, retrySourceId }, nowMs);
    const packet = new Uint8Array(RETRY_BYTES_MAX);
    const byteLength = this.#binding.retry(
      header.sourceId.slice(),
      originalId.slice(),
      retrySourceId,
      token,
      QUIC_VERSION,
      packet,
    );
    this.#counters.retries++;
    this.#socket.sendOne(from, packet.subarray(0, byteLength));
  }

  #endHandshake(core: ConnectionCore): void {
    const place = this.#places.get(core);
    if (!place) return;
    this.#places.delete(core);
    this.#doorkeeper.endHandshake(place);
  }

  /** False if the peer has as many connections as it may, and all of them are alive. */
  #makeRoomForPeer(core: ConnectionCore, { peerKey, limits, makeRoom }: ActiveListener): boolean {
    if (!peerKey) return true;
    const key = peerKey(core.peer!);
    const others = new Set<string>();
    const own: ConnectionCore[] = [];
    for (const [other, otherKey] of this.#peerKeys) {
      if (other.lost) continue;
      if (otherKey === key) own.push(other);
      else others.add(otherKey);
    }
    if (own.length === 0 && others.size >= limits.peersMax) return false;
    if (own.length >= limits.connectionsPerPeerMax) {
      // A device that was switched off and is back has connections that only look alive.
      const silent = own.reduce((a, b) => a.heardAtMs <= b.heardAtMs ? a : b);
      if (this.#clock.nowMs() - silent.heardAtMs < SILENT_MS) {
        if (!makeRoom?.(key)) return false;
      } else {
        this.#counters.surplusConnections++;
        void silent.close(CLOSE_CODE.normal);
      }
    }
    this.#peerKeys.set(core, key);
    return true;
  }

  #addCore(
    role: Role,
    remote: UdpAddress,
    alpns: readonly string[],
    verify: VerifyPeer,
    { timeoutMs, datagramBytes, sourceId, afterRetry }: {
      readonly timeoutMs: number;
      readonly datagramBytes: number | undefined;
      readonly sourceId?: Uint8Array<ArrayBuffer>;
      /** The ids of a client that proved its address. */
      readonly afterRetry?:
        | { readonly originalId: Uint8Array; readonly id: Uint8Array }
        | undefined;
    },
  ): ConnectionCore {
    const size = datagramBytes ?? this.#profile.datagramBytes ??
      datagramBytesFor(this.#socket, remote);
    if (!(size >= DATAGRAM_BYTES_MIN && size <= DATAGRAM_BYTES_MAX)) {
      throw new QuicError("usage", `No such datagram size: ${size}`);
    }
    const path = this.#paths.get(remote.host);
    const rule = PATH_RULES[classifyPath(path)];
    const { congestionControl = rule.congestionControl, isPaced } = this.#profile;
    const config = this.#configFor(alpns);
    // Copied by the connection that is made next.
    config.setMaxSendUdpPayloadSize(size);
    config.setCcAlgorithmName(congestionControl);
    const id = afterRetry?.id ?? sourceId ?? randomBytes(CONNECTION_ID_BYTES);
    const local = this.#localFor(remote);
    const nativeRemote = withoutZone(remote);
    const { Connection } = this.#binding;
    const native = role === "client"
      ? Connection.connect(null, id, local, nativeRemote, config)
      : Connection.accept(id, afterRetry?.originalId ?? null, local, nativeRemote, config);
    const nowMs = this.#clock.nowMs();
    const core = new ConnectionCore({
      native,
      host: this,
      role,
      remote,
      local,
      alpns,
      verify: (peer) => this.#verify(verify, peer),
      datagramBytes: size,
      pacer: new Pacer(path, congestionControl, isPaced),
      nowMs,
      handshakeDeadlineMs: nowMs + timeoutMs,
      logger: this.#logger,
    });
    this.#cores.add(core);
    this.#addId(core, id);
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
    this.#peerKeys.delete(core);
    this.#endHandshake(core);
    if (core.role === "server") this.#doorkeeper.leave();
  }

  /** Only from who proved to be trusted. */
  #learn({ peer, remote, pacer }: ConnectionCore): void {
    if (peer) this.#paths.note(remote.host, pacer.judge.evidence);
  }

  #configFor(alpns: readonly string[]): NativeConfig {
    const key = alpns.join(" ");
    let config = this.#configs.get(key);
    if (!config) {
      config = makeConfig(this.#binding, this.#identity, this.#profile, alpns);
      if (this.#configs.size >= CONFIGS_MAX) this.#configs.clear();
      this.#configs.set(key, config);
    }
    return config;
  }

  /** The local address as the native core sees it: any constant does, in the family of the remote one. */
  #localFor(remote: HostPort): HostPort {
    const { port } = this.#socket.local;
    return { host: isIpv6Host(remote.host) ? "::1" : "127.0.0.1", port };
  }

  #checkOpen(): void {
    if (this.#isClosed) throw new QuicError("failed", "The QUIC endpoint is closed");
  }
}

/** How it accepts, with the limits filled in. */
type ActiveListener = ListenOptions & { readonly limits: ListenLimits };

/** Sets of protocols for which settings are kept. */
const CONFIGS_MAX = 16;
/** Room for a Retry packet: two ids of up to 20 bytes, a token with a third, and its check. */
const RETRY_BYTES_MAX = 256;
/** Silence after which a peer's connection may make room for its next one: longer than any pause of one at work. */
const SILENT_MS = 5000;

function randomBytes(byteLength: number): Uint8Array {
  return crypto.getRandomValues(new Uint8Array(byteLength));
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
