import type { Clock } from "../../src/base/clock.ts";
import type {
  NativeConfig,
  NativeConnection,
  NativeConnectionError,
  NativePathStats,
  NativeStats,
  QuicBinding,
} from "../../src/quic/binding.ts";
import type { Timers } from "../../src/quic/timers.ts";

/** A clock whose hands the test moves; its timers fire while they move. */
export class FakeClock implements Clock, Timers {
  #nowMs = 1000;
  #timers = new Map<number, { readonly dueMs: number; readonly callback: () => void }>();
  #nextHandle = 1;
  /** How often a timer was set. */
  timersSet = 0;

  nowMs(): number {
    return this.#nowMs;
  }

  wallMs(): number {
    return this.#nowMs;
  }

  get pendingTimers(): number {
    return this.#timers.size;
  }

  set(callback: () => void, delayMs: number): number {
    this.timersSet++;
    this.#timers.set(this.#nextHandle, { dueMs: this.#nowMs + delayMs, callback });
    return this.#nextHandle++;
  }

  clear(handle: unknown): void {
    this.#timers.delete(handle as number);
  }

  /** Moves time on, firing what becomes due in order. */
  advance(ms: number): void {
    const endMs = this.#nowMs + ms;
    while (true) {
      const due = [...this.#timers].filter(([, { dueMs }]) => dueMs <= endMs)
        .sort(([, a], [, b]) => a.dueMs - b.dueMs)[0];
      if (!due) break;
      const [handle, { dueMs, callback }] = due;
      this.#timers.delete(handle);
      this.#nowMs = Math.max(this.#nowMs, dueMs);
      callback();
    }
    this.#nowMs = endMs;
  }
}

/** What a fake stream holds. */
export interface FakeStream {
  /** Pieces that `streamRecv` hands out. */
  readonly incoming: Uint8Array[];
  incomingEnds?: boolean;
  resetCode?: number;
  stopCode?: number;
  /** Bytes that `streamSend` still takes. */
  capacity: number;
  readonly sent: number[];
  sentEnd: boolean;
  shutdowns: string[];
}

/** A QUIC core under the control of a test: no network, no cryptography. */
export class FakeConnection implements NativeConnection {
  readonly streams = new Map<number, FakeStream>();
  readonly received: Uint8Array[] = [];
  readonly outgoing: Uint8Array[] = [];
  /** In order: which calls were made that matter to a test. */
  readonly log: string[] = [];
  established = false;
  resumed = false;
  earlyData = false;
  draining = false;
  closed = false;
  timedOut = false;
  timeoutMs: number | null = null;
  alpn = "landropic-test/1";
  certificates: Uint8Array[] | null = [new Uint8Array([1])];
  peerCloses: NativeConnectionError | null = null;
  localCloses: NativeConnectionError | null = null;
  bidiLeft = 8;
  uniLeft = 8;

  stream(id: number): FakeStream {
    let stream = this.streams.get(id);
    if (!stream) {
      stream = { incoming: [], capacity: Infinity, sent: [], sentEnd: false, shutdowns: [] };
      this.streams.set(id, stream);
    }
    return stream;
  }

  recv(datagram: Uint8Array): number {
    this.received.push(datagram.slice());
    this.log.push("recv");
    return datagram.length;
  }

  send(into: Uint8Array): [number, unknown] | null {
    const next = this.outgoing.shift();
    if (!next) return null;
    into.set(next);
    this.log.push("send");
    if (this.log.includes("close")) this.draining = true;
    return [next.length, {}];
  }

  streamRecv(id: number, into: Uint8Array): [number, boolean] | null {
    this.log.push(`streamRecv ${id}`);
    const stream = this.stream(id);
    if (stream.resetCode !== undefined) throw new Error(`StreamReset(${stream.resetCode})`);
    const first = stream.incoming.shift();
    if (!first) {
      if (!stream.incomingEnds) return null;
      stream.incomingEnds = false;
      return [0, true];
    }
    const taken = first.subarray(0, into.length);
    into.set(taken);
    if (taken.length < first.length) stream.incoming.unshift(first.subarray(taken.length));
    const isLast = stream.incomingEnds === true && stream.incoming.length === 0;
    if (isLast) stream.incomingEnds = false;
    return [taken.length, isLast];
  }

  streamSend(id: number, bytes: Uint8Array, fin: boolean): number | null {
    this.log.push(`streamSend ${id}`);
    const stream = this.stream(id);
    if (stream.stopCode !== undefined && bytes.length > 0) {
      throw new Error(`StreamStopped(${stream.stopCode})`);
    }
    if (stream.capacity === 0 && bytes.length > 0) return null;
    const taken = Math.min(bytes.length, stream.capacity);
    stream.capacity -= taken;
    for (let i = 0; i < taken; i++) stream.sent.push(bytes[i]!);
    if (fin && taken === bytes.length) stream.sentEnd = true;
    return taken;
  }

  streamPriority(): void {}

  streamShutdown(id: number, direction: 0 | 1, code: number): null {
    this.stream(id).shutdowns.push(`${direction === 0 ? "read" : "write"} ${code}`);
    return null;
  }

  streamReadable(id: number): boolean {
    const stream = this.streams.get(id);
    if (!stream) return false;
    return stream.incoming.length > 0 || stream.incomingEnds === true ||
      stream.resetCode !== undefined;
  }

  streamFinished(): boolean {
    return false;
  }

  streamCapacity(id: number): number {
    const stream = this.streams.get(id);
    if (!stream) throw new Error(`InvalidStreamState(${id})`);
    if (stream.stopCode !== undefined) throw new Error(`StreamStopped(${stream.stopCode})`);
    return stream.capacity;
  }

  peerStreamsLeftBidi(): number {
    return this.bidiLeft;
  }
  peerStreamsLeftUni(): number {
    return this.uniLeft;
  }
  readable(): number[] {
    this.log.push("readable");
    return [...this.streams.keys()].filter((id) => this.streamReadable(id));
  }
  isReadable(): boolean {
    return [...this.streams.keys()].some((id) => this.streamReadable(id));
  }
  timeout(): number | null {
    return this.timeoutMs;
  }
  onTimeout(): void {
    this.log.push("onTimeout");
  }
  close(isApp: boolean, code: number): void {
    this.log.push("close", `close ${isApp ? "app" : "quic"} ${code}`);
    this.outgoing.push(new Uint8Array([0x40, 0xcc]));
  }
  applicationProto(): Uint8Array {
    return new TextEncoder().encode(this.alpn);
  }
  peerCertChain(): Uint8Array[] | null {
    return this.certificates;
  }
  isEstablished(): boolean {
    return this.established;
  }
  isResumed(): boolean {
    return this.resumed;
  }
  isInEarlyData(): boolean {
    return this.earlyData;
  }
  isDraining(): boolean {
    return this.draining;
  }
  isClosed(): boolean {
    return this.closed;
  }
  isTimedOut(): boolean {
    return this.timedOut;
  }
  peerError(): NativeConnectionError | null {
    return this.peerCloses;
  }
  localError(): NativeConnectionError | null {
    return this.localCloses;
  }
  counters: NativeStats = {
    recv: 0,
    sent: 0,
    lost: 0,
    retrans: 0,
    sentBytes: 0,
    recvBytes: 0,
    lostBytes: 0,
    streamRetransBytes: 0,
    peerMaxUdpPayloadSize: 16_383,
  };
  path: NativePathStats = { active: true, rtt: 0, cwnd: 14_720, pmtu: 1472, deliveryRate: 0 };

  stats(): NativeStats {
    return this.counters;
  }
  pathStats(): NativePathStats[] {
    return [this.path];
  }
  sendQuantum(): number {
    return 65_536;
  }
  sendAckEliciting(): void {
    this.log.push("ping");
  }
}

/** A binding whose connections are fakes; they are kept in the order they were made. */
export class FakeBinding implements QuicBinding {
  readonly connections: FakeConnection[] = [];
  /** Congestion control of each connection, in that order. */
  readonly controls: string[] = [];
  #control = "";
  readonly Config = {
    withBoringSslCtx: () => fakeConfig((name) => void (this.#control = name)),
  };
  readonly Connection = { connect: () => this.#make(), accept: () => this.#make() };
  /** Tokens handed out, in order. */
  readonly retryTokens: { readonly token: Uint8Array; readonly id: Uint8Array }[] = [];

  retry(
    _source: Uint8Array,
    _destination: Uint8Array,
    id: Uint8Array,
    token: Uint8Array,
    _version: number,
    into: Uint8Array,
  ): number {
    this.retryTokens.push({ token: token.slice(), id: id.slice() });
    into.set(token);
    return token.length;
  }

  #make(): FakeConnection {
    const connection = new FakeConnection();
    this.connections.push(connection);
    this.controls.push(this.#control);
    return connection;
  }
}

function fakeConfig(setCcAlgorithmName: (name: string) => void): NativeConfig {
  return new Proxy({ setCcAlgorithmName } as NativeConfig, {
    get: (config, name) => Reflect.get(config, name) ?? (() => {}),
  });
}
