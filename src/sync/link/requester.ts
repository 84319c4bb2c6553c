import type { Message, Request } from "../../protocol/mod.ts";
import type { Lane } from "../lane/lane.ts";
import type { DuplexStream, ReceiveSide } from "./transport.ts";

/** The answer to a request, on its way. Dispose it when nothing more of it will be read. */
export interface Answer extends ReceiveSide, Disposable {
  /**
   * Reads into the buffer; `null` at the end.
   *
   * @throws {AnswerCut} where the rest may be asked for again.
   */
  read(into: Uint8Array): Promise<number | null>;
}

/** An answer broke off with its connection, or was called off since another one shall carry the rest. */
export class AnswerCut extends Error {
  override readonly name = "AnswerCut";
  /** @param cause What was thrown, for where nobody asks again. */
  constructor(cause: unknown) {
    super("The answer was cut off", { cause });
  }
}

/** What is known of an answer before it comes. */
export interface AskOptions {
  /** Bytes a second that the peer was asked to hold what it sends to; no limit if left out. */
  readonly rateLimit?: number | undefined;
}

/** Asks a peer, over one connection or several. */
export interface Requester {
  /** Asks a request that is complete in itself. */
  ask(request: Request, urgency: number, options?: AskOptions): Promise<Answer>;
  /** True if the peer has named the feature in its Hello; false before that has come. */
  knows(feature: string): boolean;
}

/** Threads that fetch bytes beside the session's own. */
export interface Lanes {
  /** The one that should take the next request for bytes; `undefined` where this thread should. */
  pickLane(): Lane | undefined;
  /** True while this thread has more requests for bytes than some lane. */
  readonly hasFreeLane: boolean;
}

/** What a session needs of the connections that it runs over. */
export interface SessionLink extends Requester, Lanes {
  /** Resolves when the session can't go on: with the reason, or `undefined` for a wanted end. */
  readonly ended: Promise<Error | undefined>;
  /** When the peer was last heard of, on some clock; `undefined` where nobody can tell. */
  readonly heardAtMs: number | undefined;
  /** Asks the peer for a sign of life that it gives whatever it is busy with. */
  askForSign(): void;
  /** Sends one control message. */
  send(message: Message): Promise<void>;
  /** Opens a stream with a request at its head. */
  request(request: Request, urgency: number): Promise<DuplexStream>;
}
