import { type ErrorCode, LandropicError } from "../base/errors.ts";
import { CLOSE_CODE } from "../base/wire_codes.ts";
import type { CloseInfo } from "./close_codes.ts";

/** A failure of the transport. */
export class QuicError extends LandropicError {
  override readonly name: string = "QuicError";
}

/** The connection is over; whatever waited on it fails with this. */
export class ConnectionLost extends QuicError {
  override readonly name = "ConnectionLost";
  constructor(readonly info: CloseInfo, remote: string) {
    super(errorCodeOf(info), `Connection with ${remote} ended: ${describe(info)}`);
  }
}

/** The caller's verifier turned the peer down; what it threw is the `cause`. */
export class HandshakeRefused extends QuicError {
  override readonly name = "HandshakeRefused";
  constructor(remote: string, cause: unknown) {
    const code = cause instanceof LandropicError ? cause.code : "peer_untrusted";
    const why = cause instanceof Error ? cause.message : String(cause);
    super(
      code,
      // A verifier that knows the device says whom it refused by itself.
      why.startsWith("Refused ") ? why : `Refused ${remote}: ${why}`,
      cause instanceof LandropicError ? cause.hint : undefined,
      cause,
    );
  }
}

/** The peer gave up sending on this stream (RESET_STREAM). */
export class StreamReset extends QuicError {
  override readonly name = "StreamReset";
  /** @param streamCode One of `STREAM_CODE`, or anything a broken peer sends. */
  constructor(readonly streamId: number, readonly streamCode: number) {
    super("failed", `Peer reset stream ${streamId} with code 0x${streamCode.toString(16)}`);
  }
}

/** The peer wants no more data on this stream (STOP_SENDING). */
export class StreamStopped extends QuicError {
  override readonly name = "StreamStopped";
  /** @param streamCode One of `STREAM_CODE`, or anything a broken peer sends. */
  constructor(readonly streamId: number, readonly streamCode: number) {
    super("failed", `Peer stopped stream ${streamId} with code 0x${streamCode.toString(16)}`);
  }
}

/** This side has already reset, stopped, finished or disposed the stream. */
export class StreamClosed extends QuicError {
  override readonly name = "StreamClosed";
  constructor(readonly streamId: number) {
    super("failed", `Stream ${streamId} is closed on this side`);
  }
}

function describe({ by, words, code, isApplication }: CloseInfo): string {
  switch (by) {
    case "local":
      return `closed here (${words})`;
    case "timeout":
      return "no answer";
    case "peer":
      return `${words} (${isApplication ? "code" : "QUIC code"} ${code}, from the peer)`;
    case "transport":
      return `${words} (QUIC code ${code})`;
  }
}

function errorCodeOf(info: CloseInfo): ErrorCode {
  if (info.by === "timeout") return "peer_unreachable";
  if (info.isApplication) {
    if (info.code === CLOSE_CODE.handshakeRefused) return "peer_untrusted";
    if (info.code === CLOSE_CODE.handshakeTimeout) return "peer_unreachable";
    if (info.code === CLOSE_CODE.protocolError) return "protocol";
    // It is being stopped, or has enough connections of ours: neither lasts.
    return info.by === "peer" && info.code === CLOSE_CODE.normal ? "peer_unreachable" : "failed";
  }
  if (info.code === 0x02 || info.code === 0x0c) return "peer_unreachable";
  return TLS_CERTIFICATE_ALERTS.has(info.code) ? "peer_untrusted" : "protocol";
}

/** Alerts about the certificate, of ours or of the peer's (RFC 8446 section 6.2), as QUIC codes. */
const TLS_CERTIFICATE_ALERTS = new Set([42, 43, 44, 45, 46, 48, 49, 51, 116].map((a) => 0x100 + a));
