/**
 * The part of the native QUIC core that the driver uses, described so that a test can stand in for
 * it. Calls that weaken TLS (sessions, early data, key logs, ticket keys) are left out on purpose.
 */

/** An address as the native core takes it: no zone, no brackets. */
export interface NativeAddress {
  readonly host: string;
  readonly port: number;
}

/** Where a received datagram came from, and the local address it was sent to. */
export interface NativeRecvInfo {
  readonly from: NativeAddress;
  readonly to: NativeAddress;
}

/** An error that the native core has sent or received in CONNECTION_CLOSE. */
export interface NativeConnectionError {
  readonly isApp: boolean;
  readonly errorCode: number;
  readonly reason: Uint8Array;
}

/** Counters of a connection, in packets and bytes of UDP payload; bytes without padding. */
export interface NativeStats {
  readonly recv: number;
  readonly sent: number;
  readonly lost: number;
  readonly retrans: number;
  readonly sentBytes: number;
  readonly recvBytes: number;
  readonly lostBytes: number;
  readonly streamRetransBytes: number;
  readonly peerMaxUdpPayloadSize: number;
}

/** State of a network path: `rtt` in milliseconds, `deliveryRate` in bytes a second. */
export interface NativePathStats {
  readonly active: boolean;
  readonly rtt: number;
  readonly cwnd: number;
  readonly pmtu: number;
  readonly deliveryRate: number;
}

/** Transport and TLS settings; a connection copies them when it is made. */
export interface NativeConfig {
  grease(enabled: boolean): void;
  setApplicationProtos(protocols: string[]): void;
  setMaxIdleTimeout(ms: number): void;
  setMaxRecvUdpPayloadSize(bytes: number): void;
  setMaxSendUdpPayloadSize(bytes: number): void;
  setInitialMaxData(bytes: number): void;
  setInitialMaxStreamDataBidiLocal(bytes: number): void;
  setInitialMaxStreamDataBidiRemote(bytes: number): void;
  setInitialMaxStreamDataUni(bytes: number): void;
  setInitialMaxStreamsBidi(count: number): void;
  setInitialMaxStreamsUni(count: number): void;
  setActiveConnectionIdLimit(count: number): void;
  setDisableActiveMigration(disabled: boolean): void;
  setCcAlgorithmName(name: string): void;
  enableHystart(enabled: boolean): void;
  enablePacing(enabled: boolean): void;
  setMaxStreamWindow(bytes: number): void;
  setMaxConnectionWindow(bytes: number): void;
}

/** Which half of a stream to give up. The numbers are the native core's. */
export const NATIVE_SHUTDOWN = { read: 0, write: 1 } as const;

/**
 * One QUIC connection without socket, clock or timer. After any call into it: drain `send()` until it
 * returns null, then ask `timeout()`. Calls throw `Error` whose message names the native error, such
 * as `StreamReset(17)`.
 */
export interface NativeConnection {
  /** Takes one datagram, decrypting it in place. */
  recv(datagram: Uint8Array, info: NativeRecvInfo): number;
  /** Writes the next datagram into `into`; null when there is none. The second item is not used. */
  send(into: Uint8Array): [number, unknown] | null;
  streamRecv(streamId: number, into: Uint8Array): [number, boolean] | null;
  streamSend(streamId: number, bytes: Uint8Array, fin: boolean): number | null;
  streamPriority(streamId: number, urgency: number, incremental: boolean): void;
  streamShutdown(streamId: number, direction: 0 | 1, code: number): void | null;
  streamReadable(streamId: number): boolean;
  /** True if everything up to the end was read, and for a stream that does not exist any more. */
  streamFinished(streamId: number): boolean;
  /** Throws if the stream is stopped or does not exist. */
  streamCapacity(streamId: number): number;
  peerStreamsLeftBidi(): number;
  peerStreamsLeftUni(): number;
  readable(): Iterable<number>;
  isReadable(): boolean;
  /** Milliseconds until `onTimeout()` is due, rounded down; null for never. */
  timeout(): number | null;
  onTimeout(): void;
  close(isApp: boolean, code: number, reason: Uint8Array): void | null;
  applicationProto(): Uint8Array;
  peerCertChain(): Uint8Array[] | null;
  isEstablished(): boolean;
  isResumed(): boolean;
  isInEarlyData(): boolean;
  isDraining(): boolean;
  isClosed(): boolean;
  isTimedOut(): boolean;
  peerError(): NativeConnectionError | null;
  localError(): NativeConnectionError | null;
  stats(): NativeStats;
  pathStats(): NativePathStats[];
  sendQuantum(): number;
  sendAckEliciting(): void;
}

/** The native module. */
export interface QuicBinding {
  readonly Config: {
    withBoringSslCtx(
      verifyPeer: boolean,
      verifyAllowFail: boolean,
      ca: Uint8Array | null,
      keysPem: Uint8Array[] | null,
      certsPem: Uint8Array[] | null,
      signatureAlgorithms: string | null,
    ): NativeConfig;
  };
  readonly Connection: {
    connect(
      serverName: string | null,
      sourceId: Uint8Array,
      local: NativeAddress,
      remote: NativeAddress,
      config: NativeConfig,
    ): NativeConnection;
    accept(
      sourceId: Uint8Array,
      originalDestinationId: Uint8Array | null,
      local: NativeAddress,
      remote: NativeAddress,
      config: NativeConfig,
    ): NativeConnection;
  };
  /** Writes a Retry packet (RFC 9000 section 17.2.5) and returns its length. */
  retry(
    sourceId: Uint8Array,
    destinationId: Uint8Array,
    newSourceId: Uint8Array,
    token: Uint8Array,
    version: number,
    into: Uint8Array,
  ): number;
}

/** Loads the native addon, once; only a program that opens an endpoint pays for it. */
export async function loadBinding(): Promise<QuicBinding> {
  return (await import("#native")).default;
}

/** The stream code inside a native error such as `StreamReset(17)`, if it is that error. */
export function streamErrorCode(
  error: unknown,
  kind: "StreamReset" | "StreamStopped",
): number | undefined {
  const message = error instanceof Error ? error.message : String(error);
  if (!message.startsWith(kind + "(")) return undefined;
  const code = Number(message.slice(kind.length + 1, message.indexOf(")")));
  return Number.isSafeInteger(code) ? code : undefined;
}
