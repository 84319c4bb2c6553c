import { shortId, type TrustEntry } from "../identity/mod.ts";
import type { InitiatorOptions } from "../sync/mod.ts";
import type { Orchestrator } from "./orchestrator.ts";
import { isOwnAddress } from "./own_address.ts";
import type { PooledPeer } from "./pool/pooled_peer.ts";

/** Whose sessions {@linkcode sessionOptions} are for. */
export interface SessionOf {
  readonly entry: TrustEntry;
  /** Connections to move many bytes over; chosen if left out. */
  readonly connections?: number | undefined;
  /** Bytes a second each way; no limit if left out. */
  readonly rateLimit?: number | undefined;
}

/** What any session over a pooled connection is given: who the peer is, and more connections in time. */
export function sessionOptions(
  orchestrator: Orchestrator,
  peer: PooledPeer,
  { entry, connections, rateLimit }: SessionOf,
): Pick<
  InitiatorOptions,
  "peer" | "shortIdOf" | "onTransfer" | "isSameMachine" | "clock" | "logger"
> {
  const { clock, logger } = orchestrator.options;
  return {
    peer: { id: entry.id, name: entry.alias },
    shortIdOf: shortId,
    onTransfer: (bytes) => peer.beginTransfer(bytes, { asked: connections, threads: !rateLimit }),
    isSameMachine: () => isOwnAddress(peer.connection.remoteAddress.host),
    clock,
    logger,
  };
}
