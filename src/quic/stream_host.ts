import type { NativeConnection } from "./binding.ts";
import type { ConnectionLost } from "./errors.ts";
import type { RecvStream } from "./recv_stream.ts";
import type { SendStream } from "./send_stream.ts";

/** What a stream needs of its connection. */
export interface StreamHost {
  readonly native: NativeConnection;
  /** Set once the connection is over. */
  readonly lost: ConnectionLost | undefined;
  /** What may still be read or written before the next turn, so that input and timers get theirs. */
  readBudgetBytes: number;
  writeBudgetBytes: number;
  /** Asks for a turn: something is to be sent. */
  touch(): void;
  /** Sends what the native core has, as far as the socket takes it, before anything is received. */
  flush(): void;
  /** Sends the next datagram, in which what is most urgent travels, before a turn with much to do. */
  flushUrgent(): void;
  /** Asks for `releaseTail()` at the next turn, and for that turn. */
  holdTail(stream: SendStream): void;
  /** Asks for `serve()` at each turn until it is through. */
  parkReader(stream: RecvStream): void;
  parkWriter(stream: SendStream): void;
  /** This half needs nothing more. */
  forgetReceiver(streamId: number): void;
  forgetSender(streamId: number): void;
}
