import { Arrivals } from "./arrivals.ts";
import type { NativeConnection } from "./binding.ts";
import type { ConnectionLost } from "./errors.ts";
import { RecvStream } from "./recv_stream.ts";
import { SendStream } from "./send_stream.ts";
import type { StreamHost } from "./stream_host.ts";

/** A stream with both halves, which end independently. */
export interface BidiStream {
  readonly id: number;
  readonly send: SendStream;
  readonly recv: RecvStream;
}

/**
 * Bytes that readers take before the connection gets a turn: hashed and written, 2 to 3 ms in which no
 * message gets through.
 */
export const READ_BUDGET_BYTES = 512 << 10;
/** Read since the last turn: what an urgent message would have to wait for is worth a datagram. */
const BUSY_READ_BYTES = 64 << 10;
/** Bytes that writers hand over before the connection gets a turn: more only cools the caches. */
export const WRITE_BUDGET_BYTES = 512 << 10;
/** A writer's share before the next one is served. */
const WRITE_SHARE_BYTES = 64 << 10;
/** Stuck writers that are asked in one turn. */
const STUCK_WRITERS_PER_TURN = 64;
/** Between searches for streams that the peer opened out of order, while others wait unread. */
const SEARCH_INTERVAL_MS = 10;

const NOTHING = new Uint8Array(0);

/** Ids of one kind of streams that the peer opens: they grow by 4, but may arrive in any order. */
interface PeerStreams {
  readonly isBidi: boolean;
  next: number;
  /** Already seen, though above `next`. */
  readonly early: Set<number>;
}

/** Ids of one kind of streams that this side opens. */
interface OwnStreams<S> {
  next: number;
  readonly waiting: PromiseWithResolvers<S>[];
}

/**
 * All streams of a connection: opens them, finds those the peer opened, and serves waiting readers and
 * writers in turn.
 */
export class StreamTable implements StreamHost {
  readonly incomingUni = new Arrivals<RecvStream>();
  readonly incomingBidi = new Arrivals<BidiStream>();
  lost: ConnectionLost | undefined;
  readBudgetBytes = READ_BUDGET_BYTES;
  writeBudgetBytes = WRITE_BUDGET_BYTES;

  readonly #touch: () => void;
  readonly #flush: (datagramsMax?: number) => void;
  readonly #receivers = new Map<number, RecvStream>();
  readonly #senders = new Map<number, SendStream>();
  #readers: RecvStream[] = [];
  #writers: SendStream[] = [];
  /** Streams that hold back a byte. */
  #tails: SendStream[] = [];
  readonly #ownBidi: OwnStreams<BidiStream>;
  readonly #ownUni: OwnStreams<SendStream>;
  readonly #peerBidi: PeerStreams;
  readonly #peerUni: PeerStreams;
  /** When a search is due that was put off; Infinity if none is. */
  searchDeadlineMs = Infinity;
  #lastSearchMs = -Infinity;

  /**
   * @param touch Called when something is to be sent soon.
   * @param flush Called when something is to be sent at once, perhaps no more than a few datagrams.
   */
  constructor(
    readonly native: NativeConnection,
    role: "client" | "server",
    touch: () => void,
    flush: (datagramsMax?: number) => void,
  ) {
    this.#touch = touch;
    this.#flush = flush;
    // RFC 9000 section 2.1: bit 0 is the server's, bit 1 marks unidirectional streams.
    const own = role === "server" ? 1 : 0;
    this.#ownBidi = { next: own, waiting: [] };
    this.#ownUni = { next: own + 2, waiting: [] };
    this.#peerBidi = { isBidi: true, next: 1 - own, early: new Set() };
    this.#peerUni = { isBidi: false, next: 3 - own, early: new Set() };
  }

  /** Halves of streams that still take part. */
  get openHalves(): number {
    return this.#receivers.size + this.#senders.size;
  }

  /** Streams that have a half which takes part. */
  get openStreams(): number {
    let count = this.#senders.size;
    for (const id of this.#receivers.keys()) if (!this.#senders.has(id)) count++;
    return count;
  }

  /** Streams so far, whatever became of them. */
  get opened(): Readonly<Record<"ownBidi" | "ownUni" | "peerBidi" | "peerUni", number>> {
    // Ids of each kind count up by 4.
    return {
      ownBidi: this.#ownBidi.next >> 2,
      ownUni: this.#ownUni.next >> 2,
      peerBidi: (this.#peerBidi.next >> 2) + this.#peerBidi.early.size,
      peerUni: (this.#peerUni.next >> 2) + this.#peerUni.early.size,
    };
  }

  /** Opens a stream, as soon as the peer's limit allows one more. */
  openUni(): Promise<SendStream> {
    return this.#open(this.#ownUni, () => this.#createUni());
  }

  /** Opens a stream, as soon as the peer's limit allows one more. */
  openBidi(): Promise<BidiStream> {
    return this.#open(this.#ownBidi, () => this.#createBidi());
  }

  /**
   * One turn: streams that wait to be opened, new streams of the peer, readers, writers.
   *
   * @param nowMs Monotonic.
   * @param mayWrite False while what was written before is still unsent: then only what is urgent is.
   * @returns True if writers wait for nothing but another turn.
   */
  serve(nowMs: number, mayWrite: boolean): boolean {
    this.readBudgetBytes = READ_BUDGET_BYTES;
    this.writeBudgetBytes = mayWrite ? WRITE_BUDGET_BYTES : 0;
    if (mayWrite && this.#tails.length > 0) this.#releaseTails();
    this.#serveOpeners(this.#ownUni, () => this.#createUni());
    this.#serveOpeners(this.#ownBidi, () => this.#createBidi());
    this.#acceptNext(this.#peerUni);
    this.#acceptNext(this.#peerBidi);
    this.#serveReaders();
    this.searchDeadlineMs = Infinity;
    if (this.native.isReadable()) this.#searchIfDue(nowMs);
    const isShort = this.#serveWriters(mayWrite);
    return isShort || (!mayWrite && this.#writers.length + this.#tails.length > 0);
  }

  /**
   * The connection is over: everything that waits fails. What has arrived can still be read.
   *
   * @param isVerified False if the peer never was: then none of its streams is looked at.
   */
  fail(error: ConnectionLost, isVerified: boolean): void {
    if (this.lost) return;
    if (isVerified) {
      this.#acceptNext(this.#peerUni);
      this.#acceptNext(this.#peerBidi);
    }
    this.lost = error;
    for (const reader of this.#readers.splice(0)) reader.fail(error);
    for (const sender of [...this.#senders.values()]) sender.fail(error);
    for (const { reject } of this.#ownUni.waiting.splice(0)) reject(error);
    for (const { reject } of this.#ownBidi.waiting.splice(0)) reject(error);
    const { by, isApplication, code } = error.info;
    const isClean = by === "local" || (by === "peer" && isApplication && code === 0);
    this.incomingUni.end(isClean ? undefined : error);
    this.incomingBidi.end(isClean ? undefined : error);
  }

  touch(): void {
    this.#touch();
  }

  flush(): void {
    this.#flush();
  }

  flushUrgent(): void {
    const isBusy = this.#writers.length > 0 ||
      this.readBudgetBytes < READ_BUDGET_BYTES - BUSY_READ_BYTES;
    if (isBusy) this.#flush(1);
  }

  holdTail(stream: SendStream): void {
    this.#tails.push(stream);
    this.#touch();
  }

  parkReader(stream: RecvStream): void {
    // One-way streams carry messages: they come before bulk.
    if (stream.isUni) this.#readers.unshift(stream);
    else this.#readers.push(stream);
    // Data may be there that the budget did not let through.
    if (this.readBudgetBytes <= 0) this.#touch();
  }

  parkWriter(stream: SendStream): void {
    this.#writers.push(stream);
    if (this.writeBudgetBytes <= 0) this.#touch();
  }

  forgetReceiver(streamId: number): void {
    this.#receivers.delete(streamId);
  }

  forgetSender(streamId: number): void {
    this.#senders.delete(streamId);
  }

  #open<S>(own: OwnStreams<S>, create: () => S | undefined): Promise<S> {
    if (this.lost) return Promise.reject(this.lost);
    const stream = own.waiting.length === 0 ? create() : undefined;
    if (stream) return Promise.resolve(stream);
    const waiting = Promise.withResolvers<S>();
    own.waiting.push(waiting);
    return waiting.promise;
  }

  #serveOpeners<S>(own: OwnStreams<S>, create: () => S | undefined): void {
    while (own.waiting.length > 0) {
      const stream = create();
      if (!stream) return;
      own.waiting.shift()!.resolve(stream);
    }
  }

  #createUni(): SendStream | undefined {
    if (this.native.peerStreamsLeftUni() <= 0) return undefined;
    const id = this.#ownUni.next;
    this.#ownUni.next += 4;
    this.native.streamSend(id, NOTHING, false);
    return this.#addSender(id);
  }

  #createBidi(): BidiStream | undefined {
    if (this.native.peerStreamsLeftBidi() <= 0) return undefined;
    const id = this.#ownBidi.next;
    this.#ownBidi.next += 4;
    this.native.streamSend(id, NOTHING, false);
    return { id, send: this.#addSender(id), recv: this.#addReceiver(id) };
  }

  #addSender(id: number): SendStream {
    const sender = new SendStream(id, this);
    this.#senders.set(id, sender);
    return sender;
  }

  #addReceiver(id: number): RecvStream {
    const receiver = new RecvStream(id, this);
    this.#receivers.set(id, receiver);
    return receiver;
  }

  /** Takes the peer's streams in the order they were opened, which is how they nearly always arrive. */
  #acceptNext(peer: PeerStreams): void {
    while (true) {
      if (peer.early.delete(peer.next)) {
        peer.next += 4;
      } else if (this.native.streamReadable(peer.next)) {
        this.#accept(peer, peer.next);
        peer.next += 4;
      } else {
        return;
      }
    }
  }

  #accept(peer: PeerStreams, id: number): void {
    if (peer.isBidi) {
      this.incomingBidi.push({ id, send: this.#addSender(id), recv: this.#addReceiver(id) });
    } else {
      this.incomingUni.push(this.#addReceiver(id));
    }
  }

  /**
   * Something is readable and nobody waits for it. Usually its reader is just busy; else it is a stream
   * whose predecessor has not arrived, and only a search through all readable streams finds it. That
   * search is costly, so it is put off for a moment if a known stream explains the state.
   */
  #searchIfDue(nowMs: number): void {
    const dueMs = this.#lastSearchMs + SEARCH_INTERVAL_MS;
    if (nowMs < dueMs && this.#isExplained()) {
      this.searchDeadlineMs = dueMs;
      return;
    }
    this.#lastSearchMs = nowMs;
    const own = this.#ownBidi.next & 1;
    for (const id of this.native.readable()) {
      if ((id & 1) === own) continue;
      const peer = (id & 2) === 0 ? this.#peerBidi : this.#peerUni;
      if (id < peer.next || peer.early.has(id)) continue;
      peer.early.add(id);
      this.#accept(peer, id);
    }
  }

  #isExplained(): boolean {
    for (const [id, receiver] of this.#receivers) {
      if (!receiver.isParked && this.native.streamReadable(id)) return true;
    }
    return false;
  }

  /** Before anything is written in this turn: what is held back now was held back in an earlier one. */
  #releaseTails(): void {
    const tails = this.#tails;
    this.#tails = [];
    for (const sender of tails) if (!sender.releaseTail()) this.#tails.push(sender);
  }

  #serveReaders(): void {
    const readers = this.#readers;
    let kept = 0;
    // Readers only park themselves again in later microtasks, so the list is stable here.
    for (let i = 0; i < readers.length; i++) {
      const reader = readers[i]!;
      if (!reader.serve()) readers[kept++] = reader;
    }
    readers.length = kept;
  }

  /** Most urgent first. @returns True if somebody waits for nothing but another turn. */
  #serveWriters(mayWrite: boolean): boolean {
    const all = this.#writers;
    if (all.length === 0) return false;
    if (all.length > 1) all.sort(byPriority);
    const left: SendStream[] = [];
    let isShort = false;
    for (let from = 0, to = 0; from < all.length; from = to) {
      const { urgency, isUrgent } = all[from]!;
      while (to < all.length && all[to]!.urgency === urgency) to++;
      const peers = from === 0 && to === all.length ? all : all.slice(from, to);
      if (!isUrgent && !mayWrite) left.push(...peers);
      else if (this.#serveEqual(peers, isUrgent, left)) isShort = true;
    }
    this.#writers = left;
    return isShort;
  }

  /**
   * Serves writers of equal urgency: those that don't share one after the other, then the rest in turns.
   * Puts those that still wait into `left`, those not reached first.
   */
  #serveEqual(writers: readonly SendStream[], isUrgent: boolean, left: SendStream[]): boolean {
    let able = writers;
    let waits = false;
    const stuck: SendStream[] = [];
    const isOver = () =>
      (!isUrgent && this.writeBudgetBytes <= 0) || stuck.length >= STUCK_WRITERS_PER_TURN;
    while (able.length > 0 && !isOver()) {
      const again: SendStream[] = [];
      for (let i = 0; i < able.length; i++) {
        if (isOver()) {
          again.push(...able.slice(i));
          break;
        }
        const writer = able[i]!;
        const result = writer.serve(writer.isIncremental ? WRITE_SHARE_BYTES : Infinity);
        if (result === "more") again.push(writer);
        else if (result === "blocked") stuck.push(writer);
        else if (!isUrgent && !writer.isIncremental && i + 1 < able.length) {
          // It goes on writing before the next turn, and is still first.
          waits = true;
          again.push(...able.slice(i + 1));
          break;
        }
      }
      able = again;
      if (waits) break;
    }
    left.push(...able, ...stuck);
    return able.length > 0 && (waits || this.writeBudgetBytes <= 0);
  }
}

/** Most urgent first; of equal ones those that don't share, the oldest first. The others keep their order. */
function byPriority(a: SendStream, b: SendStream): number {
  if (a.urgency !== b.urgency) return a.urgency - b.urgency;
  if (a.isIncremental || b.isIncremental) return Number(a.isIncremental) - Number(b.isIncremental);
  return a.id - b.id;
}
