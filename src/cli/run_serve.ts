import { LandropicError } from "../base/errors.ts";
import { type ServedSession, ShareServer } from "../orchestrator/mod.ts";
import type { SyncResult } from "../protocol/mod.ts";
import type { ServeCommand } from "./commands/serve.ts";
import type { Direction, SummaryFields } from "./events.ts";
import type { CliContext } from "./handlers.ts";
import { hostOf } from "./run_peers.ts";
import { withOrchestrator } from "./with_orchestrator.ts";

/** Serves folders until it is stopped. */
export async function runServe(command: ServeCommand, context: CliContext): Promise<void> {
  const { reporter, signal } = context;
  for (const share of command.shares) checkFolder(share.dir);
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
          reporter.emit({
            event: "session-end",
            ...fieldsOf(session),
            ...sumsOf(result, session.seconds),
          }, session.run);
        },
      },
    });
    reporter.emit({
      event: "listening",
      address: server.address.host,
      port: server.address.port,
      id: orchestrator.identity.id,
      shares: command.shares.map(({ name }) => name),
    });
    if (orchestrator.trust.list().length === 0) {
      reporter.note("no peer is trusted yet, so nobody can connect: see `landropic pair --help`");
    }
    await Promise.race([server.done, aborted(signal)]);
  });
}

const DIRECTIONS = { "two-way": "both", push: "push", pull: "pull", compare: "pull" } as const;

function fieldsOf(
  { peer, share, mode }: ServedSession,
): { peer: string; share: string; direction: Direction } {
  return { peer, share, direction: DIRECTIONS[mode] };
}

/** The peer's sums, seen from this side: what it sent was received here. */
function sumsOf(result: SyncResult | undefined, seconds: number): SummaryFields {
  return {
    ok: result?.ok ?? false,
    sent: 0,
    received: 0,
    deleted: result?.deleted ?? 0,
    renamed: result?.renamed ?? 0,
    conflicts: result?.conflicts ?? 0,
    errors: result?.errors ?? 0,
    bytesSent: result?.bytesReceived ?? 0,
    bytesReceived: result?.bytesSent ?? 0,
    bytesReused: result?.bytesReused ?? 0,
    wireSent: 0,
    wireReceived: 0,
    files: result?.files ?? 0,
    seconds,
    connections: 1,
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
