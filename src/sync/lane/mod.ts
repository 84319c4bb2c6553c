/**
 * Lanes: threads that move bytes beside the session's own. A door of its own, so that a thread loads no
 * more than it needs.
 *
 * @module
 */
export { PeerLink } from "../link/peer_link.ts";
export { Lane, type Providers } from "./lane.ts";
export { LaneHost } from "./lane_host.ts";
export type { FromLane, LaneStats, ToLane } from "./lane_messages.ts";
