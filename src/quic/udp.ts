import type { HostPort } from "./address.ts";

/** An address as one socket implementation prepared it; compare with `===` within one socket. */
export interface UdpAddress extends HostPort {
  /** The text `host port`, unique for each address. */
  readonly key: string;
}

/** Takes received datagrams. */
export interface DatagramSink {
  /** `datagram` is lent for the length of the call; it may be overwritten. */
  handleDatagram(datagram: Uint8Array, from: UdpAddress): void;
}

/** What a socket has done and seen; datagrams and system calls since it was opened. */
export interface UdpCounters {
  receivedDatagrams: number;
  receiveCalls: number;
  sentDatagrams: number;
  sendCalls: number;
  /** Datagrams given up: no route, too large, or a full queue. */
  droppedDatagrams: number;
  /** Datagrams refused as larger than the path carries (EMSGSIZE). */
  oversizedDatagrams: number;
}

/**
 * A UDP socket that sends and receives in batches. Sends never wait: what the system does not take at
 * once is queued, and `isBlocked` asks the owner to make no more until `wait()` has resolved.
 */
export interface UdpSocket {
  /** Where it is bound, with the port the system picked. */
  readonly local: HostPort;
  /**
   * Where the owner writes outgoing datagrams, back to back, before `send()`. Its length is the most
   * that one `send()` takes.
   */
  readonly slab: Uint8Array;
  /** How many datagrams one `send()` takes. */
  readonly segmentsMax: number;
  /** True while a queue waits for the system to take more. */
  readonly isBlocked: boolean;
  readonly counters: Readonly<UdpCounters>;

  /** Prepares a numeric address for sending. @throws {QuicError} `usage` if this socket has no way there. */
  addressOf(remote: HostPort): UdpAddress;

  /**
   * Sends the first `byteLength` bytes of the slab as datagrams of `segmentBytes` each, the last one
   * possibly shorter. The slab is free again when it returns. A datagram that cannot be sent is
   * dropped, as the network would.
   */
  send(to: UdpAddress, byteLength: number, segmentBytes: number): void;

  /** Sends one datagram from any buffer, which is free again when it returns. */
  sendOne(to: UdpAddress, datagram: Uint8Array): void;

  /**
   * Hands over what has arrived, in at most `callsMax` receive operations.
   *
   * @returns True if more may be waiting.
   */
  receive(sink: DatagramSink, callsMax: number): boolean;

  /** Resolves when there is something to receive, when `isBlocked` has ended, or on close. One at a time. */
  wait(): Promise<void>;

  /**
   * Opens a socket of its own for what one remote address sends to this one from now on, at the same
   * local address and port; all else still comes here. For another thread of the process.
   *
   * @param to As the sender of a datagram was told.
   * @returns Its file descriptor, the caller's to close; undefined where the system can't.
   */
  branch(to: UdpAddress): number | undefined;

  /** The largest UDP payload the system believes the path carries; undefined if it does not say. */
  pathPayloadBytes(remote: HostPort): number | undefined;

  /** Sends what is queued if the system takes it now, then closes. Safe to call twice. */
  close(): Promise<void>;
}

/** Which implementation to open: the fast one for Linux, the portable one, or whichever works. */
export type UdpKind = "auto" | "linux" | "dgram";

/** Bytes that may wait in a socket for the system to take them. */
export const SEND_QUEUE_BYTES_MAX = 4 << 20;

/** What is asked of the system for its own queues; less if it refuses. */
export const SOCKET_BUFFER_BYTES = 8 << 20;

/** The largest UDP payload that fits a datagram over IPv4. */
export const UDP_PAYLOAD_BYTES_MAX = 65_507;
