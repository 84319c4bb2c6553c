import type { ErrorCode } from "../../base/errors.ts";
import type { LogFields, LogLevel } from "../../base/log.ts";
import type { Hello } from "../../protocol/mod.ts";
import type { Branch, HostPort, PathEvidence, TlsIdentity } from "../../quic/mod.ts";
import type { FromLane, ToLane } from "../../sync/lane/mod.ts";

/** How a lane gets its connection. */
export type LaneWay =
  | {
    readonly kind: "dial";
    readonly remote: HostPort;
    /** The connection id to go by. */
    readonly ticket: Uint8Array<ArrayBuffer>;
    readonly timeoutMs: number;
  }
  | {
    readonly kind: "accept";
    readonly branch: Branch;
    /** What the peer must join. */
    readonly group: Uint8Array;
  };

/** What a thread needs to become a lane. */
export interface LaneStart {
  readonly type: "start";
  readonly identity: TlsIdentity;
  readonly ownFingerprint: Uint8Array;
  /** The keys that the peer may show: nobody else's are let in. */
  readonly peerKeys: readonly Uint8Array[];
  readonly hello: Omit<Hello, "type">;
  readonly way: LaneWay;
  /** What is known of the network path to the peer. */
  readonly path: PathEvidence | undefined;
}

/** Where the other end of a lane's connection is. */
export function remoteOf(way: LaneWay): HostPort {
  return way.kind === "dial" ? way.remote : way.branch.remote;
}

/** An error as it travels between threads. */
export interface PlainError {
  readonly code: ErrorCode;
  readonly message: string;
}

/** What the command's thread says to a lane's. */
export type ToThread =
  | LaneStart
  /** Give up, also before there is a connection. */
  | { readonly type: "stop" }
  | ToLane;

/** What a lane's thread says. */
export type FromThread =
  | FromLane
  /** Both sides have said Hello. */
  | { readonly type: "open" }
  | {
    readonly type: "log";
    readonly level: LogLevel;
    readonly message: string;
    readonly fields: LogFields | undefined;
  }
  /** The last one: the connection has ended, or never came about. */
  | { readonly type: "over"; readonly error: PlainError | undefined };
