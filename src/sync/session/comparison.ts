import type { Clock } from "../../base/clock.ts";
import type { Logger } from "../../base/log.ts";
import { decodePage } from "../../base/tree.ts";
import { type Message, ProtocolError, type Request, type SyncAccept } from "../../protocol/mod.ts";
import type { LinkHandler, PeerLink } from "../link/peer_link.ts";
import type { DuplexStream } from "../link/transport.ts";
import type { ScanProblem, Snapshot } from "../scan/snapshot.ts";
import type { OpenShare } from "../share/open_share.ts";
import { RemoteShare } from "../transfer/remote_share.ts";
import { type ComparisonResult, TreeComparison } from "../verify/tree_comparison.ts";
import { abortOf, CHUNKER_ID, endOf } from "./asking_side.ts";
import { PeerAnswers } from "./peer_answers.ts";
import { Pulse, type PulseTimes } from "./pulse.ts";
import { NOTHING_DONE, syncResultOf } from "./sync_summary.ts";

/** What a {@linkcode ComparisonSession} works with. */
export interface ComparisonOptions {
  /** "" for the peer's default or only share. */
  readonly share: string;
  readonly peerName: string;
  readonly run: string;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly signal: AbortSignal;
  /** For tests. */
  readonly times?: Partial<PulseTimes>;
}

/** What a comparison of two folders came to. */
export interface Comparison extends ComparisonResult {
  /** The share's name at the peer. */
  readonly share: string;
  /** Files and bytes here. */
  readonly files: number;
  readonly bytes: number;
  /** What could not be read here. */
  readonly problems: readonly ScanProblem[];
  /** How many paths could not be read there. */
  readonly remoteProblems: number;
}

/**
 * The asking side of a session in which nothing moves: both sides put the digest of every file into their
 * pages, reading those that they don't know, and the pages that differ are fetched.
 */
export class ComparisonSession implements LinkHandler {
  readonly #options: ComparisonOptions;
  readonly #session: number;
  readonly #answers: PeerAnswers;
  #pulse: Pulse | undefined;

  /** @param session Unique on its connection. */
  constructor(session: number, options: ComparisonOptions) {
    this.#session = session;
    this.#options = options;
    this.#answers = new PeerAnswers(options.peerName);
  }

  handleMessage(message: Message): void {
    this.#pulse?.handleSign();
    this.#answers.handleMessage(message);
  }

  handleRequest(_request: Request, _stream: DuplexStream): Promise<void> {
    return Promise.reject(new ProtocolError("Nothing is served in a comparison"));
  }

  /**
   * Runs the session to its end.
   *
   * @param share Opened as a source.
   * @throws {LandropicError} what keeps the whole session from going on.
   */
  async run(link: PeerLink, share: OpenShare): Promise<Comparison> {
    const { peerName, clock, signal, times } = this.#options;
    const remote = new RemoteShare(link, this.#session);
    using pulse = this.#pulse = new Pulse(link, {
      session: this.#session,
      peerName,
      clock,
      isWorking: () => true,
      isWaiting: () => remote.questions > 0,
      progress: () => remote.readings,
      times,
    });
    const during = this.#answers.untilEnd([endOf(link), abortOf(signal), pulse.givenUp]);
    await during(this.#open(link));
    const scanning = share.scan({ checksum: true, filters: [] });
    scanning.catch(() => {});
    const accepted = pulse.waitFor(this.#answers.accepted);
    const [snapshot, accept] = await during(Promise.all([scanning, accepted]));
    const comparison = await during(this.#compare(remote, snapshot, accept));
    await during(pulse.waitFor(this.#finish(link)));
    return {
      ...comparison,
      share: accept.share,
      files: snapshot.files,
      bytes: snapshot.bytes,
      problems: snapshot.problems.filter(({ isHarmless }) => !isHarmless),
      remoteProblems: accept.scanErrors,
    };
  }

  async #open(link: PeerLink): Promise<void> {
    const { share, run } = this.#options;
    await link.send({
      type: "sync-open",
      session: this.#session,
      share,
      mode: "compare",
      checksum: true,
      run,
      chunker: CHUNKER_ID,
      versions: 0,
      compress: true,
      dryRun: true,
      watch: false,
      rateLimit: 0,
      whole: true,
    });
  }

  async #compare(
    remote: RemoteShare,
    snapshot: Snapshot,
    accept: SyncAccept,
  ): Promise<ComparisonResult> {
    const comparison = new TreeComparison(
      (path) => ({
        entries: snapshot.list(path),
        opaque: snapshot.dirs.get(path)!.opaque,
      }),
      { local: snapshot.shape, remote: accept.shape },
    );
    for (let wanted; (wanted = comparison.pollWanted()).length > 0;) {
      const answers = await remote.getDirs(wanted);
      for (const [i, answer] of answers.entries()) {
        // It serves what its snapshot holds, and that does not change during a session.
        if (typeof answer === "number") throw new ProtocolError("Peer lacks a directory it named");
        comparison.handleDir(wanted[i]!.path, {
          entries: decodePage(answer.page),
          opaque: answer.opaque,
        });
      }
    }
    return comparison.finish();
  }

  async #finish(link: PeerLink): Promise<void> {
    await link.send(syncResultOf(this.#session, NOTHING_DONE));
    await this.#answers.acked;
  }
}
