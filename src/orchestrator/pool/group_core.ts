/** What is to be done about the connections of one group. */
export type GroupAction =
  /** Open another connection, and say how it went. */
  | { readonly kind: "dial" }
  /** No more requests for bytes onto this one. */
  | { readonly kind: "retire"; readonly id: number }
  /** A joined connection that has done its work. */
  | { readonly kind: "close"; readonly id: number };

/** Bounds of a {@linkcode GroupCore}. */
export interface GroupLimits {
  readonly connectionsMax: number;
  /** Packets after which a connection is replaced. */
  readonly packetsMax: number;
}

/** Connections that fail one after the other before no more are tried in this transfer. */
export const JOIN_FAILURES_MAX = 3;
/** A retired connection goes at so many times its packets, whatever still runs on it. */
const OVERDUE = 1.2;

interface Member {
  packets: number;
  load: number;
  isRetiring: boolean;
}

/**
 * Decides how many connections work together while bytes move, and when one takes over from another. The
 * first connection of the group is never closed here: it carries the sessions.
 */
export class GroupCore {
  readonly #limits: GroupLimits;
  readonly #primary: number;
  readonly #members = new Map<number, Member>();
  #wanted = 0;
  #dialling = 0;
  #failures = 0;

  constructor(primary: number, limits: GroupLimits) {
    this.#primary = primary;
    this.#limits = limits;
    this.#add(primary);
  }

  /** Its first connection has carried as many packets as it may. */
  get isWorn(): boolean {
    return this.#members.get(this.#primary)!.isRetiring;
  }

  /** Connections that are alive. */
  get size(): number {
    return this.#members.size;
  }

  /**
   * Says that bytes are about to move, or that they have.
   *
   * @param connections To move them over; 0 when it is over.
   */
  want(connections: number): void {
    this.#wanted = Math.min(connections, this.#limits.connectionsMax);
    this.#failures = 0;
  }

  /** A connection that was dialled has joined. */
  handleJoined(id: number): void {
    this.#dialling--;
    this.#add(id);
  }

  /** No connection came of it. */
  handleDialFailed(): void {
    this.#dialling--;
    this.#failures++;
  }

  /**
   * A joined connection has ended.
   *
   * @param isDismissed The peer has sent it away in good order: it wants that many no more.
   */
  handleEnded(id: number, isDismissed: boolean): void {
    const member = this.#members.get(id);
    if (member === undefined || id === this.#primary) return;
    this.#members.delete(id);
    if (member.isRetiring) return;
    this.#failures++;
    if (isDismissed) this.#wanted = Math.min(this.#wanted, Math.max(1, this.#fresh));
  }

  /**
   * How a connection is doing.
   *
   * @param packets Sent or received, whichever are more.
   * @param load Requests for bytes that run on it, both ways.
   */
  handleState(id: number, packets: number, load: number): void {
    const member = this.#members.get(id);
    if (member === undefined) return;
    member.packets = packets;
    member.load = load;
  }

  /** The next thing to do, if there is one. */
  poll(): GroupAction | undefined {
    const { packetsMax, connectionsMax } = this.#limits;
    for (const [id, member] of this.#members) {
      if (member.packets >= packetsMax && !member.isRetiring) {
        member.isRetiring = true;
        return { kind: "retire", id };
      }
    }
    const isShort = this.#wanted > this.#fresh + this.#dialling &&
      this.#failures < JOIN_FAILURES_MAX;
    const hasRoom = this.#members.size + this.#dialling < connectionsMax;
    if (isShort && hasRoom) {
      this.#dialling++;
      return { kind: "dial" };
    }
    const retired = [...this.#members].filter(([id, { isRetiring }]) =>
      isRetiring && id !== this.#primary
    );
    const ready = retired.find(([, { load, packets }]) =>
      load === 0 || packets >= packetsMax * OVERDUE
    );
    // Where there is no room for its successor, the one with the least to do goes first.
    const inTheWay = isShort ? retired.sort(([, a], [, b]) => a.load - b.load)[0] : undefined;
    const [id] = ready ?? inTheWay ?? [];
    if (id === undefined) return undefined;
    this.#members.delete(id);
    return { kind: "close", id };
  }

  /** Connections that take new requests. */
  get #fresh(): number {
    let count = 0;
    for (const { isRetiring } of this.#members.values()) if (!isRetiring) count++;
    return count;
  }

  #add(id: number): void {
    this.#members.set(id, { packets: 0, load: 0, isRetiring: false });
  }
}
