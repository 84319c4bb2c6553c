/**
 * Application close codes of landropic connections (QUIC CONNECTION_CLOSE of type 0x1d). On the wire:
 * never renumber.
 */
export const CLOSE_CODE = {
  /** Done; nothing went wrong. */
  normal: 0,
  /** The peer is not who it must be: certificate, trust or caps. */
  handshakeRefused: 1,
  /** The peer did not finish its handshake, or its first message, in time. */
  handshakeTimeout: 2,
  /** The peer broke a rule of the protocol. */
  protocolError: 3,
} as const;

/** Codes of RESET_STREAM and STOP_SENDING. On the wire: never renumber. */
export const STREAM_CODE = {
  /** The sender of this code lost interest; also what an abandoned stream is reset with. */
  cancelled: 0x10,
  /** What was asked for is no longer there. */
  gone: 0x11,
  /** Too much at once; ask again later. */
  busy: 0x12,
  /** The bytes did not match their digest. */
  corrupt: 0x13,
  /** Reading or writing storage failed. */
  io: 0x14,
  /** A limit was passed, such as too little progress. */
  limit: 0x15,
} as const;
