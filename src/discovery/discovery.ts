/** How long a search lasts unless told otherwise. */
export const SEARCH_MS = 3000;
/** Characters of a device id that are announced. */
export const ID_PREFIX_CHARS = 8;

/** Where a peer may be reached. A zone stands behind the `%` of a link-local IPv6 host. */
export interface PeerAddress {
  /** An IP literal. */
  readonly host: string;
  /** UDP port. */
  readonly port: number;
}

/**
 * What some host on the network claims. Nothing in it is proved: it says where to dial, and the
 * certificate found there says whom one reached.
 */
export interface PeerHint {
  /** One running announcement; a device that serves and pairs at once has two. */
  readonly instance: string;
  /** First 8 characters of the device id's base32 text, upper case. */
  readonly idPrefix: string;
  /** The public part of a pairing code, while that device shows one. */
  readonly slot?: number;
  /** Best first: the sender's own address, then others it claims, link-local ones last. */
  readonly addresses: readonly PeerAddress[];
}

/** What this device tells the local network about itself; nothing else leaves it. */
export interface ServiceAnnouncement {
  /** First 8 characters of the device id's base32 text. */
  readonly idPrefix: string;
  /** UDP port that QUIC listens on. */
  readonly port: number;
  /** Only while a pairing code is shown. */
  readonly slot?: number;
}

/** What to look for, and for how long. */
export interface SearchOptions {
  /** Default {@linkcode SEARCH_MS}; Infinity searches until the signal says otherwise. */
  readonly timeoutMs?: number;
  /** Ends the search by throwing its reason. */
  readonly signal?: AbortSignal;
  /** Only hints with this prefix; others then take no place in the search's limits. */
  readonly idPrefix?: string;
  /** Only devices that show a pairing code of this slot. */
  readonly slot?: number;
}

/** Finding peers on the local network, and being found. Every implementation only gives hints. */
export interface Discovery extends AsyncDisposable {
  /**
   * Announces a service until the handle is disposed, which says goodbye. Without a network there is
   * nobody to tell; the announcement goes out when a network comes.
   *
   * @throws {RangeError} for a prefix, port or slot out of range.
   */
  announce(service: ServiceAnnouncement): Promise<AsyncDisposable>;

  /**
   * Searches, and gives a hint whenever something new is learned: a device may come up more than
   * once, with more addresses each time. Leaving the loop ends the search.
   */
  discover(options?: SearchOptions): AsyncIterable<PeerHint>;
}

/** Checks what a caller wants announced. @throws {RangeError} */
export function assertAnnouncement({ idPrefix, port, slot }: ServiceAnnouncement): void {
  if (!isIdPrefix(idPrefix)) throw new RangeError(`no id prefix: "${idPrefix}"`);
  if (!isPort(port)) throw new RangeError(`no port: ${port}`);
  if (slot !== undefined && !isSlot(slot)) throw new RangeError(`no slot: ${slot}`);
}

/** True for 8 characters of base32, in either case. */
export function isIdPrefix(text: string): boolean {
  return /^[A-Z2-7]{8}$/i.test(text);
}

/** True for 1 to 65535. */
export function isPort(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 1 && (value as number) <= 0xffff;
}

/** True for 1 to 9999. */
export function isSlot(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 1 && (value as number) <= 9999;
}

/** True where a hint is one that the search is for. */
export function isWanted(hint: PeerHint, { idPrefix, slot }: SearchOptions): boolean {
  return (idPrefix === undefined || hint.idPrefix === idPrefix.toUpperCase()) &&
    (slot === undefined || hint.slot === slot);
}
