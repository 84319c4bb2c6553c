/**
 * Syncing: reads a folder, compares it with a peer's, decides what is to be done on both sides, and sees it
 * done. Owns sessions and everything they decide; brings the low layers together. It never opens a socket
 * of its own and never prints: connections are handed in, and what happens is told to observers.
 *
 * @module
 */
export { Lane, type Providers } from "./lane/lane.ts";
export type { LaneStats } from "./lane/lane_messages.ts";
export { JoinedHandler } from "./link/joined_handler.ts";
export { GROUP_LINKS_MAX, LinkGroup } from "./link/link_group.ts";
export * from "./link/peer_link.ts";
export type { SessionLink } from "./link/requester.ts";
export type { DuplexStream, ReceiveSide, SendSide, Transport } from "./link/transport.ts";
export type { DeleteLimit } from "./plan/safety.ts";
export * from "./plan/sync_plan.ts";
export { measureThroughput, type Throughput } from "./session/bench.ts";
export * from "./session/comparison.ts";
export * from "./session/initiator.ts";
export * from "./session/responder.ts";
export { SessionRouter } from "./session/session_router.ts";
export type { ServedSums } from "./session/served_tally.ts";
export type { SyncObserver } from "./session/sync_observer.ts";
export * from "./session/sync_request.ts";
export { NOTHING_DONE, type SyncSummary } from "./session/sync_summary.ts";
export * from "./share/open_share.ts";
export type { Difference } from "./verify/tree_comparison.ts";
export * from "./verify/verifier.ts";
export { FolderWatches } from "./watch/folder_watches.ts";
export { ShareWatch } from "./watch/share_watch.ts";
