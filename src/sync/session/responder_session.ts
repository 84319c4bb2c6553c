import { LandropicError } from "../../base/errors.ts";
import type { RelPath } from "../../base/paths.ts";
import { PLACE_BYTES } from "../../base/place.ts";
import { nextTurn } from "../../base/turn.ts";
import { STREAM_CODE } from "../../base/wire_codes.ts";
import {
  BlockReader,
  type Message,
  PLACES_MAX,
  ProtocolError,
  RecordReader,
  type Request,
  type SyncOpen,
  type SyncResult,
} from "../../protocol/mod.ts";
import { OutcomeSender, readOperations } from "../apply/apply_stream.ts";
import { Executor } from "../apply/executor.ts";
import type { Operation } from "../apply/operation.ts";
import type { SessionLink } from "../link/requester.ts";
import type { DuplexStream } from "../link/transport.ts";
import type { Snapshot } from "../scan/snapshot.ts";
import { glimpseNames, placesOf } from "../../store/mod.ts";
import { OpenShare, type ShareRole } from "../share/open_share.ts";
import { peerFolder, readAgreement, storeAgreement } from "../plan/agreement.ts";
import { agreedPrefixes } from "../plan/memory_check.ts";
import { Provider } from "../transfer/provider.ts";
import { RateLimiter } from "../transfer/rate_limiter.ts";
import { RemoteShare } from "../transfer/remote_share.ts";
import type { ShareWatch } from "../watch/share_watch.ts";
import { keepFor } from "./kept_files.ts";
import { Pulse } from "./pulse.ts";
import type { ResponderOptions, RunningSession, ServedShare } from "./responder.ts";
import { type ServedSums, ServedTally } from "./served_tally.ts";
import { problemsToTell } from "./share_problems.ts";

/** Operations that one session carries out: as many as a plan looks at entries. */
const OPERATIONS_MAX = 8_000_000;
/** So many files can be made ready to be found by their digests before anybody notices: 20 ms. */
const LOCATED_FILES_MAX = 32 * 1024;
/** How long a session that is being ended gets to let go of its folder. */
const TAKEOVER_WAIT_MS = 5_000;

/** Operations of a session that failed, of which this device says why. */
const FAILURES_SAID_MAX = 20;

/** What a {@linkcode ResponderSession} works with. */
export interface ResponderSessionOptions extends ResponderOptions {
  /** The watch over the session's share; to be asked for when the folder is known to be there. */
  readonly watchOf: () => ShareWatch | undefined;
}

/**
 * One session of the serving side: the folder with its locks, what is sent of it, and the operations that
 * the peer sends. Disposing it ends all that and lets go of the folder.
 */
export class ResponderSession implements AsyncDisposable {
  readonly #open: SyncOpen;
  readonly #served: ServedShare;
  readonly #role: ShareRole;
  readonly #link: SessionLink;
  readonly #options: ResponderSessionOptions;
  readonly #abort = new AbortController();
  readonly #signal: AbortSignal;
  readonly #startMs: number;
  readonly #ready = Promise.withResolvers<void>();
  readonly #tally = new ServedTally();
  #share: OpenShare | undefined;
  #snapshot: Snapshot | undefined;
  #provider: Provider | undefined;
  #watch: ShareWatch | undefined;
  #applying: Promise<void> | undefined;
  #tidying: Promise<void> | undefined;
  readonly #pulse: Pulse;
  /** Of requests that are being seen to. */
  readonly #streams = new Set<DuplexStream>();
  /** Bytes of files that came. */
  #bytesReceived = 0;
  #isSettling = false;
  #isRemembering = false;
  #operations = 0;
  #failures = 0;
  #starting: Promise<void> = Promise.resolve();
  /** It went through to its end. */
  #isSettled = false;

  constructor(
    open: SyncOpen,
    served: ServedShare,
    role: ShareRole,
    link: SessionLink,
    options: ResponderSessionOptions,
  ) {
    this.#open = open;
    this.#served = served;
    this.#role = role;
    this.#link = link;
    this.#options = options;
    this.#signal = AbortSignal.any([options.signal, this.#abort.signal]);
    this.#startMs = options.clock.nowMs();
    this.#ready.promise.catch(() => {});
    this.#pulse = new Pulse(link, {
      session: open.session,
      peerName: options.peerName,
      clock: options.clock,
      isWorking: () => this.#provider === undefined || this.#streams.size > 0 || this.#isSettling,
      // It leads, and so it says that it is there whatever this side does.
      isWaiting: () => this.#provider !== undefined,
      progress: () => (this.#provider?.fileBytes ?? 0) + this.#bytesReceived,
      times: options.times,
    });
  }

  get running(): RunningSession {
    const { mode, run, watch } = this.#open;
    return { share: this.#served.name, mode, run, watch };
  }
  /** Rejects when the peer has not gone on for too long. */
  get givenUp(): Promise<never> {
    return this.#pulse.givenUp;
  }

  /** The peer says that it is at work. */
  handleSign(): void {
    this.#pulse.handleSign();
  }

  get seconds(): number {
    return (this.#options.clock.nowMs() - this.#startMs) / 1000;
  }

  sums(result: SyncResult | undefined): ServedSums {
    return this.#tally.sums(this.#provider, result);
  }

  /** Locks, scans and tells the peer what there is. */
  start(): Promise<void> {
    this.#starting = this.#prepare();
    this.#starting.then(() => this.#ready.resolve(), (error) => this.#ready.reject(error));
    return this.#starting;
  }

  async handleRequest(request: Request, stream: DuplexStream): Promise<void> {
    this.#pulse.handleSign();
    this.#streams.add(stream);
    try {
      await this.#serve(request, stream);
    } finally {
      this.#streams.delete(stream);
    }
  }

  async #serve(request: Request, stream: DuplexStream): Promise<void> {
    await this.#ready.promise;
    if (request.kind === "remember") return await this.#remember(stream);
    if (request.kind !== "apply") return await this.#provider!.handleRequest(request, stream);
    if (this.#role === "source") throw new ProtocolError("Operations in a session that only reads");
    if (this.#applying !== undefined) throw new ProtocolError("Operations twice in one session");
    this.#applying = this.#apply(stream);
    await this.#applying;
  }

  /** What it sends from, once that is known. */
  async provider(): Promise<Provider> {
    await this.#ready.promise;
    return this.#provider!;
  }

  /** Takes over what both sides agree on; ending the stream says that it is on the disk. */
  async #remember(stream: DuplexStream): Promise<void> {
    if (this.#open.dryRun) throw new ProtocolError("Nothing to agree on in a dry run");
    if (this.#isRemembering) throw new ProtocolError("Two agreements at once in one session");
    this.#isRemembering = true;
    const records = new RecordReader(new BlockReader((into) => stream.recv.read(into)));
    const agreement = await readAgreement(records);
    await this.#applying;
    storeAgreement(
      this.#share!.index,
      peerFolder(this.#options.peerId, agreement.rootId),
      agreement,
      { snapshot: this.#snapshot!, clock: this.#options.clock },
    );
    this.#isRemembering = false;
    await stream.send.finish();
  }

  /** Waits until everything asked for is on the disk and remembered. */
  async settle(): Promise<void> {
    this.#isSettling = true;
    await this.#ready.promise;
    await this.#applying;
    this.#share!.index.commit();
    this.#isSettled = true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#pulse[Symbol.dispose]();
    this.#abort.abort(new LandropicError("interrupted", "Session ended"));
    // A peer that stopped in the middle of one must not keep the folder locked.
    for (const { send, recv } of this.#streams) {
      recv.stop(STREAM_CODE.gone);
      send.reset(STREAM_CODE.gone);
    }
    await Promise.allSettled([this.#starting, this.#applying, this.#tidying]);
    this.#share?.[Symbol.dispose]();
    this.#watch?.sessionEnd(this.#share?.index, this.#isSettled);
    this.#share = undefined;
  }

  async #openShare(): Promise<OpenShare> {
    try {
      return await this.#tryOpenShare(0);
    } catch (error) {
      if (!(error instanceof LandropicError) || error.code !== "locked") throw error;
      // A peer that was killed and comes back finds its own old session in the way.
      if (!(await this.#options.endDeadSessions())) throw error;
      return await this.#tryOpenShare(TAKEOVER_WAIT_MS);
    }
  }

  async #tryOpenShare(lockWaitMs: number): Promise<OpenShare> {
    const { clock, openIndex, deviceId, lockFolder, privateFolders, peerName } = this.#options;
    const index = await openIndex();
    return await OpenShare.open({
      path: this.#served.path,
      role: this.#role,
      untouched: this.#open.dryRun || this.#open.mode === "compare" || !this.#served.writable,
      index,
      deviceId,
      lockFolder,
      ...(privateFolders && { privateFolders }),
      activity: `session with "${peerName}"`,
      lockWaitMs,
      clock,
      signal: this.#signal,
    });
  }

  async #prepare(): Promise<void> {
    const share = this.#share = await this.#openShare();
    await nextTurn();
    this.#watch = this.#options.watchOf();
    this.#watch?.sessionStart();
    const { checksum, whole: isWhole } = this.#open;
    const snapshot = this.#watch
      ? await this.#watch.scan(share, { checksum, isWhole })
      : await share.scan({ checksum, filters: [] });
    this.#snapshot = snapshot;
    this.#tally.begin(snapshot.files);
    for (const problem of snapshot.problems) {
      this.#options.logger.log("warn", `${problem.path}: ${problem.message}`);
    }
    this.#provider = new Provider({
      root: share.root,
      snapshot,
      content: share.content,
      index: share.index,
      compress: this.#open.compress,
      limiter: this.#open.rateLimit > 0
        ? new RateLimiter(this.#open.rateLimit, {
          clock: this.#options.clock,
          signal: this.#signal,
        })
        : undefined,
    });
    await this.#link.send(this.#accept(share, snapshot));
    const isTarget = this.#role !== "source" && !this.#open.dryRun;
    const locating = isTarget && snapshot.files <= LOCATED_FILES_MAX;
    this.#tidying = share.tidy(this.#signal, { locating });
  }

  #accept(share: OpenShare, snapshot: Snapshot): Message {
    const isTarget = this.#role !== "source";
    const features = isTarget
      ? share.root.features()
      : glimpseNames(share.root, snapshot.names(""));
    return {
      type: "sync-accept",
      session: this.#open.session,
      share: this.#served.name,
      shape: snapshot.shape,
      rootId: share.rootId,
      files: snapshot.files,
      bytes: snapshot.bytes,
      writable: this.#served.writable,
      foldsCase: !features.caseSensitive,
      foldsUnicode: !features.keepsNormalForm,
      scanErrors: snapshot.problems.filter((problem) => !problem.isHarmless).length,
      freeBytes: share.freeBytes,
      windows: Deno.build.os === "windows",
      problems: problemsToTell(snapshot.problems),
      agreed: agreedPrefixes(share.index, this.#options.peerId),
      places: placesOf(share.root.path).subarray(0, PLACES_MAX * PLACE_BYTES),
    };
  }

  async #apply(stream: DuplexStream): Promise<void> {
    const share = this.#share!;
    const outcomes = new OutcomeSender(stream, this.#open.compress);
    // A peer may ask for more than the owner of the folder wants kept, not for less.
    const versionsMax = Math.max(this.#open.versions, this.#options.versionsMax);
    const executor = new Executor({
      root: share.root,
      index: share.index,
      member: share.member,
      content: share.content,
      // The peer holds itself to the limit that it asks for.
      remote: new RemoteShare(this.#link, this.#open.session, this.#signal, {
        rateLimit: this.#open.rateLimit,
      }),
      lanes: this.#link,
      keep: keepFor(this.#open.mode, versionsMax),
      versionsMax,
      fsync: true,
      clock: this.#options.clock,
      signal: this.#signal,
      onOutcome: (outcome) => {
        this.#tally.handleOutcome(outcome);
        outcomes.push(outcome);
      },
      onFailure: (path, message) => this.#sayFailure(path, message),
      onBytes: (bytes) => void (this.#bytesReceived += bytes),
      ...(this.#options.onStep && { onStep: this.#options.onStep }),
    });
    await executor.run(this.#note(readOperations(stream)));
    await outcomes.finish();
  }

  /** For who looks after the folder here: the peer's user gets to hear of all. */
  #sayFailure(path: RelPath, message: string): void {
    if (++this.#failures > FAILURES_SAID_MAX) return;
    const more = this.#failures === FAILURES_SAID_MAX ? "; of what else fails the peer tells" : "";
    const { logger } = this.#options;
    logger.log("warn", `share "${this.#served.name}": ${path}: ${message}${more}`);
  }

  /** What is ignored here is not the peer's: moved elsewhere, it would come into its sight. */
  #refuseHidden(operation: Operation): void {
    const snapshot = this.#snapshot!;
    const isHidden = snapshot.isHidden(operation.path) ||
      ("from" in operation && snapshot.isHidden(operation.from));
    if (isHidden) throw new ProtocolError("Operation on something that is not shared");
  }

  async *#note(batches: AsyncIterable<Operation[]>): AsyncGenerator<Operation[]> {
    for await (const operations of batches) {
      this.#operations += operations.length;
      const { operationsMax = OPERATIONS_MAX } = this.#options;
      if (this.#operations > operationsMax) throw new ProtocolError("Too many operations");
      for (const operation of operations) {
        this.#refuseHidden(operation);
        this.#tally.handleOperation(operation);
        this.#watch?.handleOperation(operation);
        if (operation.op === "move") this.#provider!.addMove(operation.from, operation.path);
      }
      yield operations;
    }
  }
}
