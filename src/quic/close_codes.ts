import { CLOSE_CODE } from "../base/wire_codes.ts";

/** Who ended a connection. `transport`: our own QUIC stack, on an error of TLS or of QUIC. */
export type ClosedBy = "local" | "peer" | "timeout" | "transport";

/** How a connection ended. */
export interface CloseInfo {
  readonly by: ClosedBy;
  /** True for an application code (`CLOSE_CODE`), false for a QUIC or TLS code (RFC 9000 section 20). */
  readonly isApplication: boolean;
  readonly code: number;
  /** The reason phrase sent along, as text from the peer: may be anything. Usually empty. */
  readonly reason: string;
  /** The code in words, for a line of output. */
  readonly words: string;
}

/** Says in a few words what a close code means. */
export function closeWords(isApplication: boolean, code: number): string {
  const table = isApplication ? APPLICATION_WORDS : TRANSPORT_WORDS;
  const words = table.get(code);
  if (words !== undefined) return words;
  if (isApplication) return `unknown application code ${code}`;
  if (code >= TLS_ALERT_BASE && code < TLS_ALERT_BASE + 0x100) {
    return `TLS alert ${code - TLS_ALERT_BASE}`;
  }
  return `QUIC error ${code}`;
}

/** Alert `n` of TLS is QUIC error `0x100 + n` (RFC 9001 section 4.8). */
const TLS_ALERT_BASE = 0x100;

const APPLICATION_WORDS: ReadonlyMap<number, string> = new Map([
  [CLOSE_CODE.normal, "closed"],
  [CLOSE_CODE.handshakeRefused, "handshake refused"],
  [CLOSE_CODE.handshakeTimeout, "handshake timed out"],
  [CLOSE_CODE.protocolError, "protocol error"],
]);

/** RFC 9000 section 20.1, and the alerts of RFC 8446 section 6 that occur in practice. */
const TRANSPORT_WORDS: ReadonlyMap<number, string> = new Map([
  [0x00, "closed"],
  [0x01, "internal error"],
  [0x02, "connection refused"],
  [0x03, "flow control limit passed"],
  [0x04, "too many streams"],
  [0x05, "stream in wrong state"],
  [0x06, "stream size contradicts itself"],
  [0x07, "malformed frame"],
  [0x08, "malformed transport parameter"],
  [0x09, "too many connection ids"],
  [0x0a, "QUIC protocol violation"],
  [0x0b, "invalid address token"],
  [0x0c, "closed before the handshake finished"],
  [0x0d, "too much handshake data"],
  [0x0e, "bad key update"],
  [0x0f, "key used for too many packets"],
  [0x10, "no viable path"],
  [TLS_ALERT_BASE + 10, "unexpected TLS message"],
  [TLS_ALERT_BASE + 20, "TLS record does not verify"],
  [TLS_ALERT_BASE + 40, "no common TLS parameters"],
  [TLS_ALERT_BASE + 42, "bad certificate"],
  [TLS_ALERT_BASE + 43, "unsupported certificate"],
  [TLS_ALERT_BASE + 46, "certificate not accepted"],
  [TLS_ALERT_BASE + 47, "illegal TLS parameter"],
  [TLS_ALERT_BASE + 48, "unknown certificate authority"],
  [TLS_ALERT_BASE + 50, "TLS message does not decode"],
  [TLS_ALERT_BASE + 51, "TLS signature does not verify"],
  [TLS_ALERT_BASE + 70, "no common TLS version"],
  [TLS_ALERT_BASE + 80, "internal TLS error"],
  [TLS_ALERT_BASE + 109, "missing TLS extension"],
  [TLS_ALERT_BASE + 116, "peer sent no certificate"],
  [TLS_ALERT_BASE + 120, "no common protocol"],
]);
