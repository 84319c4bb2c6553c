import type { Clock } from "../../base/clock.ts";
import { LandropicError, messageOf } from "../../base/errors.ts";
import type { DeviceId } from "../../base/ids.ts";
import type { Logger } from "../../base/log.ts";
import { STREAM_CODE } from "../../base/wire_codes.ts";
import type { Index } from "../../index/mod.ts";
import {
  type Bench,
  type Message,
  ProtocolError,
  type Request,
  type ShareInfo,
  type SyncOpen,
  type SyncResult,
  type WireError,
} from "../../protocol/mod.ts";
import type { ExecutorOptions } from "../apply/executor_options.ts";
import type { Providers } from "../lane/lane.ts";
import type { LinkHandler, PeerLink } from "../link/peer_link.ts";
import { LinkGroup } from "../link/link_group.ts";
import type { DuplexStream } from "../link/transport.ts";
import type { ShareRole } from "../share/open_share.ts";
import type { Provider } from "../transfer/provider.ts";
import type { FolderWatches } from "../watch/folder_watches.ts";
import { ShareWatch } from "../watch/share_watch.ts";
import { serveBench } from "./bench.ts";
import type { PulseTimes } from "./pulse.ts";
import { ResponderSession } from "./responder_session.ts";
import type { ServedSums } from "./served_tally.ts";

/** Sessions of one peer at once. */
export const SESSIONS_MAX = 4;

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
  /** What is remembered of the shares; a session for which it can't be opened tells its peer so. */
  readonly openIndex: () => Promise<Index>;
  readonly deviceId: DeviceId;
  readonly peerId: DeviceId;
  readonly peerName: string;
  /** Ends sessions of this very peer that no longer answer; true if there were any. */
  readonly endDeadSessions: () => Promise<boolean>;
  readonly lockFolder: string;
  /** As {@linkcode OpenShareOptions} has them. */
  readonly privateFolders?: readonly string[];
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
  readonly times?: Partial<PulseTimes> | undefined;
  readonly operationsMax?: number;
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
    // Also for a dry run, which is to show what the real one would do.
    if (roleOf(open.mode) !== "source" && !share.writable) {
      return this.#refuse(
        open.session,
        "not_allowed",
        `Share "${share.name}" is read-only for you`,
      );
    }
    const role = open.dryRun ? "source" : roleOf(open.mode);
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

function roleOf(mode: SyncOpen["mode"]): ShareRole {
  switch (mode) {
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
