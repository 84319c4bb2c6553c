import type { Clock } from "../../base/clock.ts";
import { LandropicError, messageOf } from "../../base/errors.ts";
import type { DeviceId } from "../../base/ids.ts";
import type { Logger } from "../../base/log.ts";
import { nextTurn } from "../../base/turn.ts";
import type { Index } from "../../index/mod.ts";
import {
  type Bench,
  BlockReader,
  type Message,
  ProtocolError,
  RecordReader,
  type Request,
  type ShareInfo,
  type SyncOpen,
  type SyncResult,
  type WireError,
} from "../../protocol/mod.ts";
import { OutcomeSender, readOperations } from "../apply/apply_stream.ts";
import { Executor, type ExecutorOptions } from "../apply/executor.ts";
import type { Operation } from "../apply/operation.ts";
import type { Providers } from "../lane/lane.ts";
import type { LinkHandler, PeerLink } from "../link/peer_link.ts";
import { LinkGroup } from "../link/link_group.ts";
import type { SessionLink } from "../link/requester.ts";
import { type DuplexStream, STREAM_CODE } from "../link/transport.ts";
import type { Snapshot } from "../scan/snapshot.ts";
import { OpenShare, type ShareRole } from "../share/open_share.ts";
import { peerFolder, readAgreement, storeAgreement } from "../plan/agreement.ts";
import { Provider } from "../transfer/provider.ts";
import { RateLimiter } from "../transfer/rate_limiter.ts";
import { RemoteShare } from "../transfer/remote_share.ts";
import type { FolderWatches } from "../watch/folder_watches.ts";
import { ShareWatch } from "../watch/share_watch.ts";
import { serveBench } from "./bench.ts";
import { Pulse, type PulseTimes } from "./pulse.ts";
import { type ServedSums, ServedTally } from "./served_tally.ts";

/** Sessions of one peer at once. */
export const SESSIONS_MAX = 4;
/** How long a session that is being ended gets to let go of its folder. */
const TAKEOVER_WAIT_MS = 5_000;

/** A folder that is served. */
export interface ServedShare {
  readonly name: string;
  readonly path: string;
  readonly writable: boolean;
}

/** What happened in a session, for whoever runs the server. */
export interface ResponderEvents {
  sessionStart(session: RunningSession): void;
  /** `result` is missing where the session broke off. */
  sessionEnd(
    session: RunningSession & { readonly seconds: number; readonly sums: ServedSums },
    result: SyncResult | undefined,
  ): void;
}

/** One session, for {@linkcode ResponderEvents}. */
export interface RunningSession {
  readonly share: string;
  readonly mode: SyncOpen["mode"];
  readonly run: string;
  /** One of many by a peer that stays connected. */
  readonly watch: boolean;
}

/** What a {@linkcode Responder} works with. */
export interface ResponderOptions {
  /** The shares that this peer may use; anything else does not exist for it. */
  readonly shares: readonly ServedShare[];
  readonly index: Index;
  readonly deviceId: DeviceId;
  readonly peerId: DeviceId;
  readonly peerName: string;
  /** Ends sessions of this very peer that no longer answer; true if there were any. */
  readonly endDeadSessions: () => Promise<boolean>;
  readonly lockFolder: string;
  readonly versionsMax: number;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly events: ResponderEvents;
  /** Watches shares for peers that ask for it; without it nobody is told of changes. */
  readonly watches?: FolderWatches;
  readonly signal: AbortSignal;
  /** For tests, which break off at a step of a commit. */
  readonly onStep?: ExecutorOptions["onStep"];
  /** For tests. */
  readonly times?: Partial<PulseTimes>;
}

/**
 * The serving side of one connection: opens shares for the peer's sessions, answers its requests, and
 * carries out the operations that it sends. Every session has its own locks and state; one that fails
 * tells the peer why and leaves the others alone.
 */
export class Responder implements LinkHandler, Providers, AsyncDisposable {
  readonly #options: ResponderOptions;
  readonly #sessions = new Map<number, ResponderSession>();
  readonly #closing = new Set<Promise<void>>();
  /** Shares that this peer wants to hear of, by name. */
  readonly #watches = new Map<string, ShareWatch>();
  #group: LinkGroup | undefined;
  #ended = 0;
  #isMeasuring = false;

  constructor(options: ResponderOptions) {
    this.#options = options;
  }

  /** Sessions that have ended, one way or another. */
  get sessionsEnded(): number {
    return this.#ended;
  }

  /** What the sessions that are under way have done so far, with the mode of each. */
  get running(): readonly { readonly mode: SyncOpen["mode"]; readonly sums: ServedSums }[] {
    return [...this.#sessions.values()].map((session) => ({
      mode: session.running.mode,
      sums: session.sums(undefined),
    }));
  }

  /** The connection it serves, and those that joined it. */
  get group(): LinkGroup | undefined {
    return this.#group;
  }

  attach(link: PeerLink): void {
    this.#group = new LinkGroup(link);
  }

  handleMessage(message: Message): void {
    switch (message.type) {
      case "sync-open":
        return this.#open(message);
      case "sync-result":
        return this.#finish(message);
      case "working":
        return this.#sessions.get(message.session)?.handleSign();
      case "shares-query":
        return void this.#send({ type: "shares", shares: this.#options.shares.map(infoOf) });
      case "error":
        this.#options.logger.log("warn", `Peer reports: ${message.message}`);
        return this.#end(message.session, undefined);
      case "go-away":
        return;
      default:
        throw new ProtocolError(`Message ${message.type} is not for the serving side`);
    }
  }

  async handleRequest(request: Request, stream: DuplexStream): Promise<void> {
    if (request.kind === "bench") return await this.#measure(request, stream);
    const session = this.#sessions.get(request.session);
    if (session === undefined) throw new ProtocolError("Request for a session that is not open");
    try {
      await session.handleRequest(request, stream);
    } catch (error) {
      // The end of the stream says nothing of why.
      if (isOfStorage(error) && this.#sessions.get(request.session) === session) {
        await this.#fail(request.session, session.running.share, error);
        this.#end(request.session, undefined);
      }
      throw error;
    }
  }

  async providerOf(session: number): Promise<Provider | undefined> {
    return await this.#sessions.get(session)?.provider();
  }

  async #measure(request: Bench, stream: DuplexStream): Promise<void> {
    if (this.#isMeasuring) {
      stream.send.reset(STREAM_CODE.busy);
      return stream.recv.stop(STREAM_CODE.busy);
    }
    this.#isMeasuring = true;
    try {
      await serveBench(request, stream, this.#options.clock);
    } finally {
      this.#isMeasuring = false;
    }
  }

  /** Ends all sessions; what is half done is discarded, what is staged for resuming stays. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const id of [...this.#sessions.keys()]) this.#end(id, undefined);
    await Promise.all(this.#closing);
    for (const watch of this.#watches.values()) watch[Symbol.dispose]();
    this.#watches.clear();
  }

  #open(open: SyncOpen): void {
    if (this.#sessions.has(open.session)) throw new ProtocolError("Session is open already");
    if (this.#sessions.size >= SESSIONS_MAX) {
      return this.#refuse(open.session, "busy", "Too many sessions");
    }
    const share = findShare(this.#options.shares, open.share);
    if (share === undefined) {
      const which = open.share === ""
        ? "a share without being told its name"
        : `share "${open.share}"`;
      return this.#refuse(open.session, "no_such_share", `This device does not offer you ${which}`);
    }
    const role = roleOf(open);
    if (role !== "source" && !share.writable) {
      return this.#refuse(
        open.session,
        "not_allowed",
        `Share "${share.name}" is read-only for you`,
      );
    }
    const session = new ResponderSession(open, share, role, this.#group!, {
      ...this.#options,
      watchOf: () => this.#watchOf(share, open.watch),
    });
    this.#sessions.set(open.session, session);
    this.#options.events.sessionStart(session.running);
    const { givenUp } = session;
    Promise.race([session.start().then(() => givenUp), givenUp]).catch((error) => {
      if (!this.#sessions.has(open.session)) return;
      void this.#fail(open.session, session.running.share, error);
      this.#end(open.session, undefined);
    });
  }

  /** The watch over a share, from the first session on that asks for one. */
  #watchOf(share: ServedShare, isWanted: boolean): ShareWatch | undefined {
    const { watches, clock, logger } = this.#options;
    const known = this.#watches.get(share.name);
    if (known || !isWanted || watches === undefined) return known;
    const watch = new ShareWatch({
      watches,
      path: share.path,
      filters: [],
      clock,
      logger,
      onChange: () => void this.#send({ type: "changed", share: share.name }),
    });
    this.#watches.set(share.name, watch);
    return watch;
  }

  #finish(result: SyncResult): void {
    const session = this.#sessions.get(result.session);
    if (session === undefined) throw new ProtocolError("Result of a session that is not open");
    session.settle().then(() => {
      this.#end(result.session, result);
      void this.#send({ type: "sync-ack", session: result.session });
    }, (error) => {
      void this.#fail(result.session, session.running.share, error);
      this.#end(result.session, undefined);
    });
  }

  #end(id: number, result: SyncResult | undefined): void {
    const session = this.#sessions.get(id);
    if (session === undefined) return;
    this.#sessions.delete(id);
    this.#ended++;
    const closing: Promise<void> = session[Symbol.asyncDispose]().finally(() =>
      this.#closing.delete(closing)
    );
    this.#closing.add(closing);
    const { running, seconds } = session;
    const ended = { ...running, seconds, sums: session.sums(result) };
    this.#options.events.sessionEnd(ended, result);
  }

  /** Tells both the peer and whoever serves why a session ends early. */
  #fail(session: number, share: string, error: unknown): Promise<void> {
    const [code, message] = wireErrorOf(error);
    // Only what somebody has to see to: a folder in use will be free again.
    const level = code === "storage" || code === "safety_limit" || code === "failed"
      ? "warn"
      : "info";
    const hint = error instanceof LandropicError ? error.hint : undefined;
    this.#options.logger.log(level, `share "${share}": ${message}`, { hint });
    return this.#send({ type: "error", session, code, message });
  }

  #refuse(session: number, code: WireError, message: string): void {
    this.#options.logger.log("info", `Session refused: ${message}`);
    void this.#send({ type: "error", session, code, message });
  }

  #send(message: Message): Promise<void> {
    // If it can't be sent the connection has ended, and with it every session.
    return this.#group!.send(message).catch(() => {});
  }
}

interface SessionOptions extends ResponderOptions {
  /** The watch over the session's share; to be asked for when the folder is known to be there. */
  readonly watchOf: () => ShareWatch | undefined;
}

/** One session of the serving side. */
class ResponderSession implements AsyncDisposable {
  readonly #open: SyncOpen;
  readonly #served: ServedShare;
  readonly #role: ShareRole;
  readonly #link: SessionLink;
  readonly #options: SessionOptions;
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
  readonly #pulse: Pulse;
  /** Of requests that are being seen to. */
  readonly #streams = new Set<DuplexStream>();
  /** Bytes of files that came. */
  #bytesReceived = 0;
  #isSettling = false;
  #starting: Promise<void> = Promise.resolve();
  /** It went through to its end. */
  #isSettled = false;

  constructor(
    open: SyncOpen,
    served: ServedShare,
    role: ShareRole,
    link: SessionLink,
    options: SessionOptions,
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
    const records = new RecordReader(new BlockReader((into) => stream.recv.read(into)));
    const agreement = await readAgreement(records);
    await this.#applying;
    storeAgreement(
      this.#share!.index,
      peerFolder(this.#options.peerId, agreement.rootId),
      agreement,
      { snapshot: this.#snapshot!, clock: this.#options.clock },
    );
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
    await Promise.allSettled([this.#starting, this.#applying]);
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

  #tryOpenShare(lockWaitMs: number): Promise<OpenShare> {
    const { clock, index, deviceId, lockFolder, peerName } = this.#options;
    return OpenShare.open({
      path: this.#served.path,
      role: this.#role,
      untouched: this.#open.dryRun || this.#open.mode === "compare" || !this.#served.writable,
      index,
      deviceId,
      lockFolder,
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
  }

  #accept(share: OpenShare, snapshot: Snapshot): Message {
    const isTarget = this.#role !== "source";
    const features = isTarget ? share.root.features() : undefined;
    return {
      type: "sync-accept",
      session: this.#open.session,
      share: this.#served.name,
      shape: snapshot.shape,
      rootId: share.rootId,
      files: snapshot.files,
      bytes: snapshot.bytes,
      writable: this.#served.writable,
      foldsCase: features ? !features.caseSensitive : false,
      foldsUnicode: features ? !features.keepsNormalForm : false,
      scanErrors: snapshot.problems.filter((problem) => !problem.isHarmless).length,
      freeBytes: share.root.space().freeBytes,
      windows: Deno.build.os === "windows",
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
      onBytes: (bytes) => void (this.#bytesReceived += bytes),
      ...(this.#options.onStep && { onStep: this.#options.onStep }),
    });
    await executor.run(this.#note(readOperations(stream)));
    await outcomes.finish();
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

/** What becomes of replaced and deleted files. */
export function keepFor(mode: SyncOpen["mode"], versions: number): "versions" | "trash" | "none" {
  if (versions > 0) return "versions";
  return mode === "two-way" ? "trash" : "none";
}

function roleOf(open: SyncOpen): ShareRole {
  if (open.dryRun) return "source";
  switch (open.mode) {
    case "push":
      return "target";
    case "pull":
    case "compare":
      return "source";
    case "two-way":
      return "both";
  }
}

function findShare(shares: readonly ServedShare[], name: string): ServedShare | undefined {
  if (name !== "") return shares.find((share) => share.name === name);
  return shares.find((share) => share.name === "default") ??
    (shares.length === 1 ? shares[0] : undefined);
}

function infoOf({ name, writable }: ServedShare): ShareInfo {
  return { name, writable };
}

/** True for what the user of this device's folder has to see to. */
function isOfStorage(error: unknown): boolean {
  return error instanceof LandropicError && error.code === "storage";
}

function wireErrorOf(error: unknown): [WireError, string] {
  const message = messageOf(error);
  if (!(error instanceof LandropicError)) return ["failed", message];
  switch (error.code) {
    case "locked":
      return ["locked", message];
    case "storage":
      return ["storage", message];
    case "safety_limit":
      return ["safety_limit", message];
    case "protocol":
      return ["protocol", message];
    case "interrupted":
      return ["stopping", message];
    case "timed_out":
      return ["timed_out", message];
    default:
      return ["failed", message];
  }
}
