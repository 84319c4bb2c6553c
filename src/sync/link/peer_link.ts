import type { Clock } from "../../base/clock.ts";
import { LandropicError, messageOf } from "../../base/errors.ts";
import type { Logger } from "../../base/log.ts";
import { CLOSE_CODE, STREAM_CODE } from "../../base/wire_codes.ts";
import {
  decodeMessage,
  encodeMessage,
  encodeRequest,
  FEATURE_GROUPS,
  FRAME_BYTES_MAX,
  FrameDecoder,
  type Hello,
  HELLO_BYTES_MAX,
  type Message,
  ProtocolError,
  type Request,
  type RotateKey,
} from "../../protocol/mod.ts";
import { isBulk } from "./bulk.ts";
import { LinkAnswer } from "./link_answer.ts";
import { PacedStreams, type PaceOptions } from "./paced_streams.ts";
import { receiveRequest, REQUEST_TIMEOUT_MS, RequestGate } from "./request_gate.ts";
import type { Answer, AskOptions, SessionLink } from "./requester.ts";
import {
  type DuplexStream,
  type ReceiveSide,
  type SendSide,
  type Transport,
  URGENCY,
} from "./transport.ts";

/** How long the peer's Hello may take, from the first packet. */
export const HELLO_TIMEOUT_MS = 10_000;
/** How long a control frame may stay half sent. */
export const FRAME_TIMEOUT_MS = 30_000;
/** Control messages that may arrive in {@linkcode RATE_WINDOW_MS}. */
export const MESSAGES_MAX = 2_000;
const RATE_WINDOW_MS = 10_000;
/** Messages to a peer that takes none. */
const UNSENT_MAX = 1_024;
const READ_BYTES = 16 * 1024;
/** First byte of a one-way stream: what it carries. */
const KIND_CONTROL = 0x01;

/** Who handles what the peer sends once both sides have said Hello. */
export interface LinkHandler {
  /** Says through which link to answer; called once, before anything else. */
  attach?(link: PeerLink): void;
  /** The peer's Hello, before anything else of it. Throwing ends the connection. */
  handleHello?(hello: Hello): void;
  /** A control message other than Hello, Ping and Pong. Throwing ends the connection with code 3. */
  handleMessage(message: Message): void;
  /** A stream that the peer opened. What it throws ends that stream only. */
  handleRequest(request: Request, stream: DuplexStream): Promise<void>;
}

/** Options of {@linkcode PeerLink.open}. */
export interface LinkOptions {
  readonly hello: Omit<Hello, "type">;
  /** What is said right behind it. */
  readonly opening?: readonly Message[];
  readonly handler: LinkHandler;
  /** The peer is moving to a new key; unheard where nobody listens. */
  readonly onRotateKey?: (message: RotateKey) => void;
  readonly clock: Clock;
  readonly logger: Logger;
  /** For tests. */
  readonly pace?: PaceOptions;
  readonly requestTimeoutMs?: number;
}

/**
 * One peer at the other end of a connection: sends and receives control messages, opens request streams
 * and dispatches the peer's. It knows the protocol's order (Hello first and once, one control stream a
 * side) and nothing of syncing.
 */
export class PeerLink implements SessionLink, AsyncDisposable {
  readonly #transport: Transport;
  readonly #options: LinkOptions;
  readonly #helloArrived = Promise.withResolvers<Hello>();
  readonly #ended = Promise.withResolvers<Error | undefined>();
  readonly #pongs = new Map<number, () => void>();
  #hasHello = false;
  #control: SendSide | undefined;
  #sending: Promise<void> = Promise.resolve();
  #unsent = 0;
  #hasControl = false;
  #nextToken = 1;
  #isEnded = false;
  #features: readonly string[] = [];
  /** Answers under way: what ends each, by its stream. */
  readonly #serving = new Map<number, () => void>();
  readonly #paced: PacedStreams;
  readonly #gate = new RequestGate();
  #windowStartMs = 0;
  #windowCount = 0;

  /**
   * Says Hello and waits for the peer's.
   *
   * @throws {ProtocolError} if the peer does not speak as agreed; {@linkcode LandropicError} `timed_out`
   * after {@linkcode HELLO_TIMEOUT_MS}.
   */
  static async open(transport: Transport, options: LinkOptions): Promise<PeerLink> {
    const link = new PeerLink(transport, options);
    try {
      await link.#start();
      await link.peerHello;
      return link;
    } catch (error) {
      await link[Symbol.asyncDispose]();
      throw error;
    }
  }

  /**
   * As {@linkcode open}, but returns once our own Hello is on its way: the first request can then travel
   * in the same round trip. Await {@linkcode peerHello} before trusting that the peer accepts us.
   */
  static async begin(transport: Transport, options: LinkOptions): Promise<PeerLink> {
    const link = new PeerLink(transport, options);
    await link.#start();
    return link;
  }

  private constructor(transport: Transport, options: LinkOptions) {
    this.#transport = transport;
    this.#options = options;
    this.#paced = new PacedStreams(transport, options.clock, options.pace);
    // Both may fail with nobody waiting for them yet.
    this.#helloArrived.promise.catch(() => {});
    options.handler.attach?.(this);
  }

  /** The peer's Hello; rejects if the connection ends first. */
  get peerHello(): Promise<Hello> {
    return this.#helloArrived.promise;
  }

  /** True once the connection has ended. */
  get isEnded(): boolean {
    return this.#isEnded;
  }

  /** Resolves when the connection has ended: with the reason, or `undefined` for a wanted end. */
  get ended(): Promise<Error | undefined> {
    return this.#ended.promise;
  }

  /** Requests of the peer that are being answered. */
  get serving(): number {
    return this.#serving.size;
  }

  /** True if the peer has named the feature in its Hello. */
  knows(feature: string): boolean {
    return this.#features.includes(feature);
  }

  /** Sends one control message. Messages arrive in the order of the calls. */
  send(message: Message): Promise<void> {
    const frame = encodeMessage(message);
    if (++this.#unsent > UNSENT_MAX) {
      void this.close(
        CLOSE_CODE.protocolError,
        new ProtocolError("Peer takes no control messages"),
      );
    }
    const sent = this.#sending.then(() => {
      if (this.#control === undefined) {
        throw new LandropicError("failed", "Connection has no control stream");
      }
      return this.#control.write(frame);
    }).finally(() => this.#unsent--);
    this.#sending = sent.catch(() => {});
    return sent;
  }

  /** Opens a stream with a request at its head. */
  async request(request: Request, urgency: number): Promise<DuplexStream> {
    const stream = await this.#transport.openBidi();
    stream.send.setPriority(urgency, false);
    await stream.send.write(encodeRequest(request));
    return stream;
  }

  /** Asks a request that is complete in itself. */
  async ask(request: Request, urgency: number, options: AskOptions = {}): Promise<Answer> {
    const { id, send, recv } = await this.request(request, urgency);
    await send.finish();
    return new LinkAnswer(
      this.#paced.receive(recv, { ...options, isBulk: isBulk(request) }),
      this.knows(FEATURE_GROUPS) ? () => this.send({ type: "enough", stream: id }) : undefined,
    );
  }

  get heardAtMs(): number | undefined {
    return this.#transport.heardAtMs;
  }

  askForSign(): void {
    if (!this.#isEnded) this.#transport.ping?.();
  }

  /** One connection alone has no lanes. */
  pickLane(): undefined {}
  readonly hasFreeLane = false;

  /** Measures one round trip through both control streams, in milliseconds. */
  async ping(): Promise<number> {
    const token = this.#nextToken++;
    const answered = new Promise<void>((resolve) => this.#pongs.set(token, resolve));
    const startMs = this.#options.clock.nowMs();
    await this.send({ type: "ping", token });
    await Promise.race([answered, this.ended]);
    if (this.#isEnded) throw new LandropicError("peer_unreachable", "Connection ended");
    return this.#options.clock.nowMs() - startMs;
  }

  /** Ends the connection. Safe to call twice. */
  async close(code: number = CLOSE_CODE.normal, error?: Error): Promise<void> {
    if (this.#isEnded) return;
    this.#end(error);
    await this.#transport.close(code);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #start(): Promise<void> {
    this.#control = await this.#transport.openUni();
    this.#control.setPriority(URGENCY.control, false);
    await this.#control.write(new Uint8Array([KIND_CONTROL]));
    await this.send({ type: "hello", ...this.#options.hello });
    for (const message of this.#options.opening ?? []) await this.send(message);
    this.#background(this.#acceptUni());
    this.#background(this.#acceptBidi());
    const timer = setTimeout(() => {
      const error = new LandropicError(
        "timed_out",
        "Peer said nothing for 10 s after the handshake",
      );
      void this.close(CLOSE_CODE.handshakeTimeout, error);
    }, HELLO_TIMEOUT_MS);
    this.#helloArrived.promise.catch(() => {}).finally(() => clearTimeout(timer));
  }

  async #acceptUni(): Promise<void> {
    for await (const stream of this.#transport.incomingUni) this.#background(this.#readUni(stream));
    this.#end(undefined);
  }

  async #acceptBidi(): Promise<void> {
    for await (const stream of this.#transport.incomingBidi) void this.#serve(stream);
  }

  async #readUni(stream: ReceiveSide): Promise<void> {
    const buffer = new Uint8Array(READ_BYTES);
    const count = await stream.read(buffer.subarray(0, 1));
    if (count === null) throw new ProtocolError("One-way stream without a kind");
    if (buffer[0] !== KIND_CONTROL) {
      // As HTTP/3 does with stream types it does not know (RFC 9114 section 6.2).
      stream.stop(STREAM_CODE.cancelled);
      return;
    }
    if (this.#hasControl) throw new ProtocolError("Second control stream");
    this.#hasControl = true;
    const decoder = new FrameDecoder();
    decoder.bytesMax = HELLO_BYTES_MAX;
    let frameStartMs = 0;
    for (;;) {
      const length = await this.#readWithin(
        stream,
        buffer,
        decoder.isMidFrame ? frameStartMs : undefined,
      );
      if (length === null) throw new ProtocolError("Control stream was ended");
      let isNewFrame = !decoder.isMidFrame;
      for (const frame of decoder.handleBytes(buffer.subarray(0, length))) {
        isNewFrame = true;
        this.#countMessage();
        const message = decodeMessage(frame);
        if (message !== undefined) this.#dispatch(message);
        if (this.#hasHello) decoder.bytesMax = FRAME_BYTES_MAX;
      }
      if (isNewFrame) frameStartMs = this.#options.clock.nowMs();
    }
  }

  /** Reads; a frame that was begun at a time has to end by its limit, however slowly bytes drip in. */
  async #readWithin(
    stream: ReceiveSide,
    buffer: Uint8Array,
    frameStartMs: number | undefined,
  ): Promise<number | null> {
    if (frameStartMs === undefined) return await stream.read(buffer);
    const spentMs = this.#options.clock.nowMs() - frameStartMs;
    const timer = setTimeout(() => {
      void this.close(
        CLOSE_CODE.handshakeTimeout,
        new ProtocolError("Control message never ended"),
      );
    }, Math.max(0, FRAME_TIMEOUT_MS - spentMs));
    try {
      return await stream.read(buffer);
    } finally {
      clearTimeout(timer);
    }
  }

  #countMessage(): void {
    const nowMs = this.#options.clock.nowMs();
    if (nowMs - this.#windowStartMs > RATE_WINDOW_MS) {
      this.#windowStartMs = nowMs;
      this.#windowCount = 0;
    }
    if (++this.#windowCount > MESSAGES_MAX) throw new ProtocolError("Peer floods control messages");
  }

  #dispatch(message: Message): void {
    if (message.type === "hello") {
      if (this.#hasHello) throw new ProtocolError("Second Hello");
      this.#hasHello = true;
      this.#features = message.features;
      this.#options.handler.handleHello?.(message);
      this.#helloArrived.resolve(message);
      return;
    }
    if (!this.#hasHello) throw new ProtocolError(`Message ${message.type} before Hello`);
    switch (message.type) {
      case "ping":
        void this.send({ type: "pong", token: message.token }).catch(() => {});
        return;
      case "pong":
        this.#pongs.get(message.token)?.();
        this.#pongs.delete(message.token);
        return;
      case "enough":
        return this.#serving.get(message.stream)?.();
      case "rotate-key":
        return this.#options.onRotateKey?.(message);
      default:
        this.#options.handler.handleMessage(message);
    }
  }

  async #serve(stream: DuplexStream): Promise<void> {
    let isEnough = false;
    let isPaced = false;
    this.#serving.set(stream.id, () => isEnough = true);
    const { id, send, recv } = stream;
    const answer: SendSide = {
      write: (bytes) => {
        if (isEnough) return Promise.reject(new Error("It is enough"));
        return isPaced ? this.#paced.write(send, bytes) : send.write(bytes);
      },
      finish: () => send.finish(),
      reset: (code) => send.reset(code),
      setPriority: (urgency, incremental) => send.setPriority(urgency, incremental),
    };
    try {
      // A request can overtake Hello, which travels on another stream.
      await this.#helloArrived.promise;
      using _place = await this.#gate.enter();
      const request = await receiveRequest(stream, {
        heardAtMs: () => this.#transport.heardAtMs,
        timeoutMs: this.#options.requestTimeoutMs ?? REQUEST_TIMEOUT_MS,
      });
      isPaced = isBulk(request);
      await this.#options.handler.handleRequest(request, { id, send: answer, recv });
    } catch (error) {
      if (isEnough) return void await send.finish().catch(() => {});
      // Bad paths and pages are told by lower layers, in errors of their own.
      const isHostile = error instanceof LandropicError && error.code === "protocol";
      send.reset(isHostile ? STREAM_CODE.corrupt : STREAM_CODE.io);
      recv.stop(isHostile ? STREAM_CODE.corrupt : STREAM_CODE.io);
      if (!this.#isEnded) {
        this.#options.logger.log("info", `Request failed: ${messageOf(error)}`);
      }
    } finally {
      this.#serving.delete(id);
    }
  }

  #background(work: Promise<void>): void {
    work.catch((error) => {
      const code = error instanceof LandropicError && error.code === "protocol"
        ? CLOSE_CODE.protocolError
        : CLOSE_CODE.normal;
      return this.close(code, error instanceof Error ? error : new Error(String(error)));
    }).catch(() => {});
  }

  #end(error: Error | undefined): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#paced[Symbol.dispose]();
    this.#helloArrived.reject(error ?? new LandropicError("peer_unreachable", "Connection ended"));
    for (const resolve of this.#pongs.values()) resolve();
    this.#ended.resolve(error);
  }
}
