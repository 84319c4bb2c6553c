/**
 * Looking at the network and at peers without syncing: who is there, who answers, over what path, and
 * what is wrong where nobody does. A door of its own, loaded by the commands that look.
 *
 * @module
 */
export { type NearbyDevice, nearbyDevices } from "./nearby.ts";
export { ONLINE_PROBE_MS, onlinePeers } from "./online_peers.ts";
export { type PeerReport, reportPeer } from "./peer_report.ts";
export type { Check } from "./check.ts";
export { checkDevice, checkNetwork } from "./device_checks.ts";
export { checkPeer } from "./peer_checks.ts";
