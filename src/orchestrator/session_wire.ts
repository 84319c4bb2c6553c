/** Counters of a connection; see ConnectionStats. */
export interface WireCounters {
  readonly sentBytes: number;
  readonly receivedBytes: number;
}

/** Tells what each session of a connection cost on the wire, as long as they run one after the other. */
export class SessionWire {
  readonly #read: () => WireCounters;
  #last: WireCounters = { sentBytes: 0, receivedBytes: 0 };
  #running = 0;
  #isShared = false;

  /** @param read Reads the connection's counters. */
  constructor(read: () => WireCounters) {
    this.#read = read;
  }

  /** A session began. */
  sessionStart(): void {
    this.#isShared = this.#running > 0;
    this.#running++;
  }

  /** A session ended. @returns UDP payload bytes since the one before; 0 if others ran beside it. */
  sessionEnd(): { wireSent: number; wireReceived: number } {
    const isAlone = !this.#isShared;
    this.#running--;
    const now = this.#read();
    const { sentBytes, receivedBytes } = this.#last;
    if (this.#running === 0) this.#last = now;
    return isAlone
      ? { wireSent: now.sentBytes - sentBytes, wireReceived: now.receivedBytes - receivedBytes }
      : { wireSent: 0, wireReceived: 0 };
  }
}
