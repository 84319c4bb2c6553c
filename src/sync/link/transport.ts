/**
 * What sync asks of a connection: streams and an end. The QUIC layer's connection has this shape; so do a
 * pool of connections and the in-memory pair of the tests.
 */
export interface Transport {
  /** Opens a one-way stream; waits for stream credit. */
  openUni(): Promise<SendSide>;
  /** Opens a stream both ways; waits for stream credit. */
  openBidi(): Promise<DuplexStream>;
  /** One-way streams that the peer opened. */
  readonly incomingUni: AsyncIterable<ReceiveSide>;
  /** Streams both ways that the peer opened. */
  readonly incomingBidi: AsyncIterable<DuplexStream>;
  /** When the peer was last heard of, on some clock; left out where nobody can tell. */
  readonly heardAtMs?: number;
  /** Asks the peer for a sign of life that it gives whatever it is busy with. */
  ping?(): void;
  /** Ends the connection with an application close code. */
  close(code: number, reason?: string): Promise<void>;
}

/** The writing half of a stream. */
export interface SendSide {
  /** Resolves once accepted; the buffer may then be reused. */
  write(bytes: Uint8Array): Promise<void>;
  /** Marks the end. */
  finish(): Promise<void>;
  /** Gives up (RFC 9000 section 19.4, RESET_STREAM). */
  reset(code: number): void;
  /** 0 is the most urgent, 255 the least (RFC 9218 scaled to quiche's range). */
  setPriority(urgency: number, incremental: boolean): void;
}

/** The reading half of a stream. */
export interface ReceiveSide {
  /** Reads into the buffer; `null` at the end. */
  read(into: Uint8Array): Promise<number | null>;
  /** Asks the peer to stop (RFC 9000 section 19.5, STOP_SENDING). */
  stop(code: number): void;
}

/** A stream both ways. */
export interface DuplexStream {
  /** Unique on its connection, and the same on both sides. */
  readonly id: number;
  readonly send: SendSide;
  readonly recv: ReceiveSide;
}

/** Urgencies of the streams, most urgent first. */
export const URGENCY = { control: 0, plan: 16, smallFiles: 64, largeFiles: 128 } as const;
