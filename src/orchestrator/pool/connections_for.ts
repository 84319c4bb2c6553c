/** Bytes that are worth the connections that the user asks for. */
const ASKED_BYTES_MIN = 4 * 1024 * 1024;
/** Bytes that are worth a second thread by itself, where there are cores for it. */
const THREAD_BYTES_MIN = 1024 * 1024 * 1024;
/** Both ends may be on one machine, which then has two busy threads already. */
const THREAD_CORES_MIN = 4;
/** Over longer ways the network is what holds a transfer back. */
const THREAD_RTT_MS_MAX = 2;

/** What {@linkcode connectionsFor} chooses by. */
export interface ConnectionChoice {
  /** File bytes to move. */
  readonly bytes: number;
  /** What the user wants, if anything. */
  readonly asked: number | undefined;
  /** Of this machine. */
  readonly cores: number;
  /** Round-trip time to the peer. */
  readonly rttMs: number;
}

/** How many connections to move bytes over; the figures behind it are in docs/performance.md. */
export function connectionsFor({ bytes, asked, cores, rttMs }: ConnectionChoice): number {
  if (asked !== undefined) return bytes < ASKED_BYTES_MIN ? 1 : asked;
  const hasCores = cores >= THREAD_CORES_MIN && rttMs <= THREAD_RTT_MS_MAX;
  return hasCores && bytes >= THREAD_BYTES_MIN ? 2 : 1;
}
