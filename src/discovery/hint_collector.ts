import { isLinkLocal, parseIpAddress } from "../base/ip_address.ts";
import { isWanted, type PeerAddress, type PeerHint, type SearchOptions } from "./discovery.ts";

/** Announcements that one search remembers. */
export const INSTANCES_MAX = 128;
/** Of these, announcements that one address may bring. */
export const INSTANCES_PER_SOURCE_MAX = 8;
/** Addresses kept for one announcement. */
export const ADDRESSES_MAX = 16;
/** Times that one announcement may come up with news. */
export const UPDATES_MAX = 8;

interface Found {
  hint: PeerHint;
  updates: number;
}

/**
 * What one search has found. Hosts come up once for each way their words arrive, so only news is
 * passed on; and a host that makes up others can neither fill the memory nor, alone, the places.
 */
export class HintCollector {
  readonly #wanted: SearchOptions;
  readonly #found = new Map<string, Found>();
  readonly #countBySource = new Map<string, number>();

  constructor(wanted: SearchOptions) {
    this.#wanted = wanted;
  }

  /**
   * Takes a hint as it was read.
   *
   * @param source The sender's address.
   * @returns All that is known of the announcement now, or `undefined` where that is no news.
   */
  handleHint(hint: PeerHint, source: string): PeerHint | undefined {
    if (!isWanted(hint, this.#wanted)) return undefined;
    const found = this.#found.get(hint.instance);
    if (!found) return this.#add(hint, source);
    const merged = merge(found.hint, hint);
    const isNews = merged.addresses.length > found.hint.addresses.length ||
      merged.slot !== found.hint.slot;
    if (!isNews || found.updates >= UPDATES_MAX) return undefined;
    found.hint = merged;
    found.updates++;
    return merged;
  }

  #add(hint: PeerHint, source: string): PeerHint | undefined {
    const count = this.#countBySource.get(source) ?? 0;
    if (this.#found.size >= INSTANCES_MAX || count >= INSTANCES_PER_SOURCE_MAX) return undefined;
    this.#countBySource.set(source, count + 1);
    const first = merge(hint, hint);
    this.#found.set(hint.instance, { hint: first, updates: 0 });
    return first;
  }
}

/** The newer hint, with the addresses of both. A port that moved drops the addresses before. */
function merge(older: PeerHint, newer: PeerHint): PeerHint {
  const port = newer.addresses[0]?.port;
  const known = new Map<string, PeerAddress>();
  for (const address of [...older.addresses, ...newer.addresses]) {
    if (address.port === port && known.size < ADDRESSES_MAX) known.set(address.host, address);
  }
  const addresses = [...known.values()];
  const isLast = ({ host }: PeerAddress) => {
    const address = parseIpAddress(host);
    return address?.family === 6 && isLinkLocal(address);
  };
  return {
    ...newer,
    addresses: [
      ...addresses.filter((address) => !isLast(address)),
      ...addresses.filter(isLast),
    ],
  };
}
