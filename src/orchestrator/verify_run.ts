import { LandropicError } from "../base/errors.ts";
import type { TrustEntry } from "../identity/mod.ts";
import {
  type Comparison,
  ComparisonSession,
  verifyFiles,
  type VerifyObserver,
  type VerifySums,
} from "../sync/mod.ts";
import { type ReachOptions, reachPeer } from "./dialer.ts";
import type { Orchestrator } from "./orchestrator.ts";
import { callPeer, openOwnFolder } from "./peer_call.ts";
import { explainRefusal } from "./refusal.ts";

/**
 * Reads every file of a synced folder and compares it with what is remembered of it.
 *
 * @throws {LandropicError} `storage` if the folder was never synced; `locked` while a sync works on it.
 */
export async function runVerify(
  orchestrator: Orchestrator,
  dir: string,
  options: { readonly observer: VerifyObserver; readonly signal: AbortSignal },
): Promise<VerifySums> {
  const { clock } = orchestrator.options;
  const { observer, signal } = options;
  const index = await orchestrator.index();
  const path = realPathOf(dir);
  if (path !== undefined && !index.roots().some((row) => row.path === path)) {
    throw new LandropicError(
      "storage",
      `Nothing is remembered of folder ${JSON.stringify(dir)}`,
      "sync or serve it first; to compare it with a peer's: landropic verify PEER DIR",
    );
  }
  using share = await openOwnFolder(orchestrator, {
    dir,
    role: "source",
    untouched: true,
    activity: "verify",
    lockWaitMs: 0,
    signal,
  });
  return await verifyFiles({ root: share.root, index: share.index, observer, clock, signal });
}

/** What to compare with what. */
export interface CompareOptions extends ReachOptions {
  readonly dir: string;
  /** "" for the peer's default or only share. */
  readonly share: string;
  readonly run: string;
}

/** Compares a folder with a peer's share by their contents; nothing moves. */
export async function runCompare(
  orchestrator: Orchestrator,
  entry: TrustEntry,
  options: CompareOptions,
): Promise<Comparison> {
  const { dir, share, run, signal } = options;
  const { clock, logger } = orchestrator.options;
  // First what can go wrong without a peer.
  using folder = await openOwnFolder(orchestrator, {
    dir,
    role: "source",
    untouched: true,
    activity: `comparison with "${entry.alias}"`,
    lockWaitMs: 0,
    signal,
  });
  const connection = await reachPeer(orchestrator, entry, options);
  const session = new ComparisonSession(1, {
    share,
    peerName: entry.alias,
    run,
    clock,
    logger,
    signal,
  });
  try {
    await using link = await callPeer(orchestrator, entry, connection, { handler: session });
    return await session.run(link, folder);
  } catch (error) {
    signal.throwIfAborted();
    throw explainRefusal(orchestrator, entry, error);
  } finally {
    await connection.close(0);
  }
}

/** As the index has it; `undefined` where there is nothing, which opening it will report. */
function realPathOf(dir: string): string | undefined {
  try {
    return Deno.realPathSync(dir);
  } catch {
    return undefined;
  }
}
