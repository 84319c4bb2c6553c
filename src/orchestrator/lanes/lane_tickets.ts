import { toHex } from "../../base/bytes.ts";
import { laneTicket } from "../../protocol/mod.ts";

/** Tickets of a group that are good at any time: it may be that some are lost with their connections. */
const WINDOW = 8;

/** Finds the group that a client wants to join, by the connection id that it goes by. */
export class LaneTickets<Group> {
  readonly #groups = new Map<string, { readonly group: Group; readonly number: number }>();
  readonly #ids = new Map<Group, Uint8Array>();

  /** @param id The group's id, from its first connection's Hello. */
  add(group: Group, id: Uint8Array): void {
    this.#ids.set(group, id);
    for (let number = 0; number < WINDOW; number++) this.#put(group, id, number);
  }

  /** What the group was added with. */
  idOf(group: Group): Uint8Array | undefined {
    return this.#ids.get(group);
  }

  /** The group has ended. */
  delete(group: Group): void {
    this.#ids.delete(group);
    for (const [key, entry] of this.#groups) if (entry.group === group) this.#groups.delete(key);
  }

  /** The group that a ticket is for; it stays good until it is {@linkcode use}d. */
  find(ticket: Uint8Array): Group | undefined {
    return this.#groups.get(toHex(ticket))?.group;
  }

  /** A ticket was shown. From now on later ones are good, and it no longer is. */
  use(ticket: Uint8Array): void {
    const key = toHex(ticket);
    const entry = this.#groups.get(key);
    if (entry === undefined) return;
    this.#groups.delete(key);
    const { group, number } = entry;
    this.#put(group, this.#ids.get(group)!, number + WINDOW);
  }

  #put(group: Group, id: Uint8Array, number: number): void {
    this.#groups.set(toHex(laneTicket(id, number)), { group, number });
  }
}
