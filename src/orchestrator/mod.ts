/**
 * One invocation of landropic: builds everything a command needs, reaches peers, runs syncs and servers,
 * and takes it all down again in order. Owns life cycles and retries; it never prints, never decides an
 * exit code, and knows nothing of flags.
 *
 * @module
 */
export * from "./orchestrator.ts";
export * from "./dialer.ts";
export * from "./share_server.ts";
export * from "./sync_all.ts";
export * from "./sync_run.ts";
export * from "./bench_run.ts";
export * from "./verify_run.ts";
export * from "./watch_run.ts";
export type { PoolCounters } from "./pool/pool_core.ts";
export { DEFAULT_POOL_LIMITS, type PoolLimits } from "./pool/pool_limits.ts";
export type { DiscoveredPeer } from "./peer_watch.ts";
export { checkOwnFolder } from "./peer_call.ts";
export { PeerVisit } from "./peer_visit.ts";
