/**
 * Pairing over the network: one device shows a code and waits, another one that has it comes and
 * finds it, and both write down that they trust each other. Brings together the sans-IO sessions of
 * identity/pairing, QUIC connections and discovery. A door of its own, since it loads what no other
 * command needs.
 *
 * @module
 */
export { hostPairing, type HostPairingOptions, type ShownPairing } from "./host_pairing.ts";
export { joinPairing, type JoinPairingOptions } from "./join_pairing.ts";
export type { PairedPeer } from "./paired_peer.ts";
export { type PairingTicket, readTicket } from "./ticket.ts";
