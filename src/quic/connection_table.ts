import { CONNECTION_ID_BYTES } from "./packet.ts";

/** Finds the connection that a datagram belongs to, by destination connection id. */
export class ConnectionTable<T> {
  readonly #byId = new Map<string, T>();
  // Datagrams come in runs for one connection: remember the last short-header match.
  readonly #lastId = new Uint8Array(CONNECTION_ID_BYTES);
  #last: T | undefined;

  /** Connection ids in the table. */
  get size(): number {
    return this.#byId.size;
  }

  /** Adds an id. Later packets with it go to `connection`. */
  set(id: Uint8Array, connection: T): void {
    this.#byId.set(keyOf(id), connection);
    this.#last = undefined;
  }

  delete(id: Uint8Array): void {
    this.#byId.delete(keyOf(id));
    this.#last = undefined;
  }

  has(id: Uint8Array): boolean {
    return this.#byId.has(keyOf(id));
  }

  get(id: Uint8Array): T | undefined {
    return this.#byId.get(keyOf(id));
  }

  /** The connection of a short-header packet, whose id starts at its second byte. */
  getByShortHeader(datagram: Uint8Array): T | undefined {
    if (datagram.length <= CONNECTION_ID_BYTES) return undefined;
    if (this.#last !== undefined && this.#isLast(datagram)) return this.#last;
    const id = datagram.subarray(1, 1 + CONNECTION_ID_BYTES);
    const found = this.#byId.get(keyOf(id));
    if (found !== undefined) {
      this.#lastId.set(id);
      this.#last = found;
    }
    return found;
  }

  #isLast(datagram: Uint8Array): boolean {
    const id = this.#lastId;
    for (let i = 0; i < CONNECTION_ID_BYTES; i++) if (datagram[i + 1] !== id[i]) return false;
    return true;
  }
}

function keyOf(id: Uint8Array): string {
  return String.fromCharCode(...id);
}
