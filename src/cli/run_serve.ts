import { LandropicError } from "../base/errors.ts";
import { type ServedEnd, type ServedSession, ShareServer } from "../orchestrator/mod.ts";
import type { SyncResult } from "../protocol/mod.ts";
import type { ServeCommand } from "./commands/serve.ts";
import type { SessionFields, SummaryFields } from "./events.ts";
import type { CliContext } from "./handlers.ts";
import { hostOf } from "./run_peers.ts";
import { withOrchestrator } from "./with_orchestrator.ts";
import { BUILD } from "#build";

/** Serves folders until it is stopped. */
export async function runServe(command: ServeCommand, context: CliContext): Promise<void> {
  const { reporter, signal } = context;
  for (const share of command.shares) checkFolder(share.dir);
  const metrics = command.metrics && await import("../orchestrator/metrics/mod.ts");
  const tally = metrics && new metrics.SessionTally();
  await withOrchestrator(context, async (orchestrator) => {
    const allow = command.allow.map((peer) => orchestrator.trust.resolve(peer));
    await using server = await ShareServer.start(orchestrator, {
      shares: command.shares.map(({ name, dir, readOnly }) => ({
        name,
        path: dir,
        writable: !readOnly,
      })),
      allow,
      listen: hostOf(command.listen),
      once: command.once,
      versionsMax: command.versions ?? 0,
      observer: {
        sessionStart: (session) =>
          reporter.emit({ event: "session-start", ...fieldsOf(session) }, session.run),
        sessionEnd: (session, result) => {
          tally?.sessionEnd(session, result);
          reporter.emit({
            event: "session-end",
            ...fieldsOf(session),
            ...summaryOf(session, result),
          }, session.run);
        },
      },
    });
    await using scraped = metrics &&
      metrics.MetricsServer.start(
        hostOf(command.metrics!),
        new metrics.ServeMetrics({
          endpoint: await orchestrator.initializeQuicTransport(),
          server,
          pool: orchestrator.pool,
          threads: orchestrator.threads,
          sessions: tally!,
          version: BUILD.version,
        }),
      );
    reporter.emit({
      event: "listening",
      address: server.address.host,
      port: server.address.port,
      id: orchestrator.identity.id,
      shares: command.shares.map(({ name }) => name),
      ...(scraped && { metrics: scraped.url }),
    });
    if (orchestrator.trust.list().length === 0) {
      reporter.note("no peer is trusted yet, so nobody can connect: see `landropic pair --help`");
    }
    await Promise.race([server.done, aborted(signal)]);
  }, { discovery: command.discovery });
}

const DIRECTIONS = { "two-way": "both", push: "push", pull: "pull", compare: "compare" } as const;

function fieldsOf({ peer, share, mode, watch }: ServedSession): SessionFields {
  return { peer, share, direction: DIRECTIONS[mode], watch };
}

/** What this side counted; what only the planning side knows is taken from its result. */
function summaryOf(end: ServedEnd, result: SyncResult | undefined): SummaryFields {
  const { sums, seconds, wireSent, wireReceived, connections } = end;
  return {
    ok: result?.ok ?? false,
    sent: sums.sent,
    received: sums.received,
    // Of both sides together, as the other device's own summary says it.
    deleted: result?.deleted ?? sums.deleted,
    renamed: result?.renamed ?? sums.renamed,
    adjusted: result?.adjusted ?? 0,
    conflicts: result?.conflicts ?? 0,
    errors: result?.errors ?? sums.errors,
    bytesSent: sums.bytesSent,
    bytesReceived: sums.bytesReceived,
    bytesReused: result?.bytesReused ?? sums.bytesReused,
    wireSent,
    wireReceived,
    files: sums.files,
    seconds,
    connections,
  };
}

function checkFolder(dir: string): void {
  let isDirectory: boolean;
  try {
    isDirectory = Deno.statSync(dir).isDirectory;
  } catch (error) {
    throw new LandropicError(
      "storage",
      `Cannot serve ${JSON.stringify(dir)}: it does not exist`,
      "create it first",
      error,
    );
  }
  if (!isDirectory) {
    throw new LandropicError("storage", `Cannot serve ${JSON.stringify(dir)}: not a directory`);
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
