import type { CongestionControl } from "./profile.ts";

/** Kinds of network paths that want to be sent on differently. */
export type PathClass = "unknown" | "lan" | "wan" | "lossy";

/** What was seen of a path. */
export interface PathEvidence {
  /** The shortest smoothed round trip, in whole milliseconds, so 0 on a fast network; Infinity for none. */
  readonly rttMs: number;
  /** Packets sent while the round trip was that short, so that no queue was in their way. */
  readonly packets: number;
  /** How many of those were lost: by chance, then. */
  readonly lost: number;
}

/** How to send on a path. */
export interface PathRule {
  /** For connections made from now on: the native core settles it when a connection is made. */
  readonly congestionControl: CongestionControl;
  /** See `Pacer`. */
  readonly pacing: "loose" | "steady";
}

/**
 * The rule, with figures in docs/performance.md, "Networks".
 *
 * A local network loses packets where its queue overflows, and nowhere else. CUBIC is a few percent faster
 * there, and takes what BBR does not dare to take; nobody minds its queue of some milliseconds.
 *
 * On longer paths BBR keeps queues short, and does not take a packet lost by chance for a full queue: one in
 * a thousand holds CUBIC back at 50 ms, one in a hundred to a sixth. Sending steadily at the rate that
 * arrives spares most of what BBR loses in a short queue, and costs nothing where there are hardly any other
 * losses. Where there are, BBR needs that queue to make good for the window that each loss cuts.
 */
export const PATH_RULES: Readonly<Record<PathClass, PathRule>> = {
  unknown: { congestionControl: "bbr", pacing: "loose" },
  lan: { congestionControl: "cubic", pacing: "loose" },
  wan: { congestionControl: "bbr", pacing: "steady" },
  lossy: { congestionControl: "bbr", pacing: "loose" },
};

export const NO_EVIDENCE: PathEvidence = { rttMs: Infinity, packets: 0, lost: 0 };

/** Judges a path by what was seen of it. */
export function classifyPath({ rttMs, packets, lost }: PathEvidence): PathClass {
  if (lost >= LOST_MIN && lost >= packets * LOSSY_SHARE) return "lossy";
  if (packets < PACKETS_MIN) return "unknown";
  const isLan = rttMs <= LAN_RTT_MS_MAX && (lost < LOST_MIN || lost < packets * LAN_LOSS_SHARE);
  return isLan ? "lan" : "wan";
}

/** The counters of a connection that a judge needs, from the native core. */
export interface JudgeSample {
  /** Smoothed, in whole milliseconds. */
  readonly rttMs: number;
  /** So far. */
  readonly sentPackets: number;
  readonly lostPackets: number;
}

/** Gathers evidence about the path of one connection, on top of what was known of it before. */
export class PathJudge {
  readonly #known: PathEvidence;
  #own: PathEvidence = NO_EVIDENCE;
  #pathClass: PathClass;
  #sentBefore = 0;
  #lostBefore = 0;
  #wasEmpty = false;

  constructor(known: PathEvidence = NO_EVIDENCE) {
    this.#known = known;
    this.#pathClass = classifyPath(known);
  }

  get pathClass(): PathClass {
    return this.#pathClass;
  }

  /** What is known now; of before only what fits: under the same address there may be another network. */
  get evidence(): PathEvidence {
    const known = this.#known;
    const own = this.#own;
    if (own.packets < OWN_PACKETS_MIN) return known;
    if (!isAlike(own.rttMs, known.rttMs)) return own;
    return {
      rttMs: own.rttMs,
      packets: known.packets + own.packets,
      lost: known.lost + own.lost,
    };
  }

  /** True while the round trip is too short for a queue to be on it. */
  isEmpty(rttMs: number): boolean {
    return rttMs <= this.#own.rttMs * EMPTY_FACTOR + 1;
  }

  /** To be called several times a round trip, so that a queue does not come and go unseen. */
  handleSample({ rttMs, sentPackets, lostPackets }: JudgeSample): void {
    if (rttMs < this.#own.rttMs) this.#own = { ...this.#own, rttMs };
    const isEmpty = this.isEmpty(rttMs);
    if (isEmpty && this.#wasEmpty) {
      this.#own = aged({
        rttMs: this.#own.rttMs,
        packets: this.#own.packets + sentPackets - this.#sentBefore,
        lost: this.#own.lost + lostPackets - this.#lostBefore,
      });
      this.#pathClass = classifyPath(this.evidence);
    }
    this.#wasEmpty = isEmpty;
    this.#sentBefore = sentPackets;
    this.#lostBefore = lostPackets;
  }
}

/** Gives what is new more weight: a path may get better, or worse. */
export function aged(evidence: PathEvidence): PathEvidence {
  const { rttMs, packets, lost } = evidence;
  return packets < PACKETS_MAX ? evidence : { rttMs, packets: packets / 2, lost: lost / 2 };
}

function isAlike(aMs: number, bMs: number): boolean {
  return Math.max(aMs, bMs) <= Math.min(aMs, bMs) * ALIKE_FACTOR + ALIKE_MS;
}

/** A round trip of a cable or of a wireless network nearby, with both ends at work. */
const LAN_RTT_MS_MAX = 3;
/** One in two hundred: at 50 ms it holds CUBIC to a fifth of 100 Mbit/s. */
const LOSSY_SHARE = 0.005;
const LAN_LOSS_SHARE = 0.001;
/** Fewer say nothing. */
const PACKETS_MIN = 500;
const LOST_MIN = 3;
const PACKETS_MAX = 20_000;
/** Before that a round trip tells more of two programs that start than of the path. */
const OWN_PACKETS_MIN = 200;
const ALIKE_FACTOR = 2;
const ALIKE_MS = 3;
const EMPTY_FACTOR = 1.15;
