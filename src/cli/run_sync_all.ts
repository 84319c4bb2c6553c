import { type ErrorCode, LandropicError, messageOf } from "../base/errors.ts";
import { forEachPeer, runSync, type SyncRunSummary } from "../orchestrator/mod.ts";
import { NOTHING_DONE } from "../sync/mod.ts";
import type { SyncCommand } from "./commands/sync.ts";
import { describeFailure } from "./failure.ts";
import type { CliContext } from "./handlers.ts";
import { PeerReporter } from "./peer_reporter.ts";
import { shortfallOf, syncOptionsOf } from "./sync_request.ts";
import { formatCount } from "./units.ts";
import { withOrchestrator } from "./with_orchestrator.ts";

/**
 * Syncs one folder with every trusted peer that is there. Peers are reached all at once; their
 * sessions run side by side where the folder is only read, else one after the other. Ends with one
 * summary a peer, and with the worst of their exit codes.
 */
export async function runSyncAll(command: SyncCommand, context: CliContext): Promise<void> {
  const { reporter, signal } = context;
  const { timeoutMs, waitMs, direction, discovery } = command;
  const summaries = new Map<string, SyncRunSummary>();
  const unfinished = new Map<string, SyncRunSummary>();
  const outcomes = await withOrchestrator(context, async (orchestrator) => {
    const options = await syncOptionsOf(command, context);
    return await forEachPeer(orchestrator, {
      timeoutMs,
      waitMs,
      signal,
      isSerial: direction !== "push" && !command.dryRun,
      onUnreachable: ({ alias }, error) => {
        const { code, message } = describeFailure(error);
        reporter.emit({ event: "skipped", peer: alias, code, message });
      },
      work: async (entry) => {
        const own = { ...context, reporter: new PeerReporter(reporter, entry.alias) };
        const { observer } = await syncOptionsOf(command, own, options.request);
        const onFailure = (done: SyncRunSummary) => void unfinished.set(entry.id, done);
        const run = { ...options, observer, onFailure, address: undefined };
        summaries.set(entry.id, await runSync(orchestrator, entry, run));
      },
    });
  }, { discovery });
  const failures: LandropicError[] = [];
  for (const { entry, error, isReached } of outcomes) {
    if (!isReached) continue;
    const own = new PeerReporter(reporter, entry.alias);
    const summary = summaries.get(entry.id);
    const failure = summary ? shortfallOf(summary) : asFailure(error);
    if (failure) failures.push(failure);
    if (failure && !summary) own.fail(describeFailure(error));
    const { changed: _, ...fields } = summary ?? unfinished.get(entry.id) ?? NOT_REACHED;
    own.emit({ event: "summary", ...fields });
  }
  throwWorst(failures, outcomes.filter(({ isReached }) => isReached).length, outcomes);
}

function throwWorst(
  failures: readonly LandropicError[],
  reached: number,
  outcomes: readonly { readonly error: unknown }[],
): void {
  if (outcomes.length === 0) {
    throw new LandropicError(
      "peer_unreachable",
      "No peer is trusted yet",
      "pair with one: landropic pair",
    );
  }
  if (reached === 0) {
    const code = worst(outcomes.map(({ error }) => asFailure(error).code));
    throw new LandropicError(code, `None of ${formatCount(outcomes.length, "peer")} was reached`);
  }
  if (failures.length === 0) return;
  const code = worst(failures.map(({ code }) => code));
  const [only] = failures;
  if (failures.length === 1 && reached === 1) throw only!;
  throw new LandropicError(
    code,
    `${failures.length} of ${formatCount(reached, "peer")}: not everything is in sync`,
  );
}

function asFailure(error: unknown): LandropicError {
  if (error instanceof LandropicError) return error;
  return new LandropicError(describeFailure(error).code, messageOf(error), undefined, error);
}

function worst(codes: readonly ErrorCode[]): ErrorCode {
  return codes.reduce((a, b) => BADNESS.indexOf(a) >= BADNESS.indexOf(b) ? a : b);
}

/** From what is hardly a failure to what is most of one. */
const BADNESS: readonly ErrorCode[] = [
  "conflicts",
  "partial",
  "locked",
  "peer_unreachable",
  "timed_out",
  "share_unavailable",
  "safety_limit",
  "peer_untrusted",
  "protocol",
  "storage",
  "usage",
  "failed",
  "interrupted",
];

const NOT_REACHED: SyncRunSummary = {
  ok: false,
  ...NOTHING_DONE,
  wireSent: 0,
  wireReceived: 0,
  seconds: 0,
  connections: 0,
};
