/**
 * Discovery: where on the local network a peer may be reached.
 *
 * Owns multicast DNS: what this device announces about itself (8 characters of its id, a port, and
 * while it pairs the public slot of the code; never its name, user or folders) and what others do.
 * It never decides whom to trust and never connects: every hint is unproved, and a wrong one dies
 * at the certificate check of whoever dials it.
 */
export {
  type Discovery,
  ID_PREFIX_CHARS,
  type PeerAddress,
  type PeerHint,
  SEARCH_MS,
  type SearchOptions,
  type ServiceAnnouncement,
} from "./discovery.ts";
export { MdnsDiscovery, type MdnsOptions } from "./mdns_discovery.ts";
export { MemoryNetwork } from "./memory_discovery.ts";
export { NullDiscovery } from "./null_discovery.ts";
export { type LinkSpec, listLinks } from "./link_spec.ts";
export {
  type LinkEvents,
  type LinkOpener,
  type MulticastLink,
  openMulticastLink,
} from "./multicast_link.ts";
