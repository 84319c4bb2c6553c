import type { TrustEntry } from "../identity/mod.ts";
import { formatHostPort } from "../quic/mod.ts";
import { measureThroughput } from "../sync/mod.ts";
import { ANSWER_MS, answeredWithin } from "./answer_time.ts";
import { ANSWER_TIMEOUT_MS, type ReachOptions, reachPeer } from "./dialer.ts";
import type { Orchestrator } from "./orchestrator.ts";
import { ASKING_ONLY, callPeer } from "./peer_call.ts";
import { explainRefusal } from "./refusal.ts";

/** Round trips measured, of which the median counts. */
const PINGS = 11;

/** Beyond its time, a measurement may take so long to begin, and for its last bytes to arrive. */
const BENCH_GRACE_MS = 30_000;

/** What the path to a peer is like. */
export interface PathMeasures {
  readonly peer: string;
  readonly address: string;
  /** From the first packet until both sides are verified. */
  readonly handshakeMs: number;
  /** Between the two programs, not the kernels. */
  readonly rttMs: number;
  /** Bytes of UDP payload. */
  readonly pathMtu: number;
  /** Bytes a second, with the time it takes to find out how much the path carries. */
  readonly uploadRate: number;
  readonly downloadRate: number;
  readonly seconds: number;
}

/**
 * Measures the path to a peer: one handshake, round trips, and each direction for a while.
 *
 * @throws {LandropicError} as {@linkcode reachPeer}; `protocol` if the peer can't measure.
 */
export async function runBench(
  orchestrator: Orchestrator,
  entry: TrustEntry,
  options: ReachOptions & {
    readonly durationMs: number;
    /** For tests. */
    readonly answerMs?: number;
  },
): Promise<PathMeasures> {
  const { durationMs, answerMs = ANSWER_MS } = options;
  const measureMs = durationMs + (options.answerMs ?? BENCH_GRACE_MS);
  const { clock } = orchestrator.options;
  const startMs = clock.nowMs();
  // The first connection pays for loading everything, and for trying several addresses.
  const found = await reachPeer(orchestrator, entry, options);
  const address = found.remoteAddress;
  await found.close(0);
  const dialMs = clock.nowMs();
  await using connection = await orchestrator.dial(entry, address, {
    timeoutMs: ANSWER_TIMEOUT_MS,
    signal: options.signal,
  });
  const handshakeMs = clock.nowMs() - dialMs;
  try {
    await using link = await callPeer(orchestrator, entry, connection, { handler: ASKING_ONLY });
    const onAbort = () => void link.close();
    options.signal.addEventListener("abort", onAbort, { once: true });
    try {
      await link.peerHello;
      const pings: number[] = [];
      for (let i = 0; i < PINGS; i++) {
        pings.push(await answeredWithin(link.ping(), entry.alias, answerMs));
      }
      const measure = (direction: "upload" | "download") =>
        answeredWithin(
          measureThroughput(link, direction, { durationMs, clock }),
          entry.alias,
          measureMs,
        );
      const upload = await measure("upload");
      const download = await measure("download");
      return {
        peer: entry.alias,
        address: formatHostPort(address),
        handshakeMs,
        rttMs: pings.sort((a, b) => a - b)[PINGS >> 1]!,
        pathMtu: connection.stats().datagramBytes,
        uploadRate: upload.rate,
        downloadRate: download.rate,
        seconds: (clock.nowMs() - startMs) / 1000,
      };
    } finally {
      options.signal.removeEventListener("abort", onAbort);
    }
  } catch (error) {
    options.signal.throwIfAborted();
    throw explainRefusal(orchestrator, entry, error);
  }
}
