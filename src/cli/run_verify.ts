import { toHex } from "../base/bytes.ts";
import { LandropicError } from "../base/errors.ts";
import { IdentityError, type TrustEntry } from "../identity/mod.ts";
import { type Orchestrator, runCompare, runVerify as verifyFolder } from "../orchestrator/mod.ts";
import type { Difference } from "../sync/mod.ts";
import type { VerifyCommand } from "./commands/verify.ts";
import type { CliContext } from "./handlers.ts";
import { RateMeter } from "./rate_meter.ts";
import { hostOf } from "./run_peers.ts";
import { formatCount } from "./units.ts";
import { withOrchestrator } from "./with_orchestrator.ts";

/** Checks a folder against the index, or against a peer's share. */
export async function runVerify(command: VerifyCommand, context: CliContext): Promise<void> {
  if (command.with === undefined) await verifyAlone(command, context);
  else await compare(command, command.with, context);
}

async function verifyAlone(command: VerifyCommand, context: CliContext): Promise<void> {
  const { reporter, signal, clock } = context;
  const meter = new RateMeter();
  const startMs = clock.nowMs();
  const sums = await withOrchestrator(
    context,
    (orchestrator) =>
      verifyFolder(orchestrator, command.dir, {
        signal,
        observer: {
          fileError: (error) => reporter.emit({ event: "file-error", ...error }),
          progress: (now) => {
            const rate = meter.update(now.bytes, clock.nowMs());
            reporter.emit({ event: "progress", ...now, rate });
          },
        },
      }),
  );
  const seconds = (clock.nowMs() - startMs) / 1000;
  reporter.emit({ event: "verified", ok: sums.errors === 0, ...sums, seconds });
  if (sums.errors > 0) {
    throw new LandropicError("partial", `${formatCount(sums.errors, "file")} not as synced`);
  }
}

async function compare(
  { dir, timeoutMs, discovery }: VerifyCommand,
  { peer, share, address }: NonNullable<VerifyCommand["with"]>,
  context: CliContext,
): Promise<void> {
  const { reporter, signal, clock, run } = context;
  const startMs = clock.nowMs();
  const [entry, found] = await withOrchestrator(context, async (orchestrator) => {
    const entry = resolvePeer(orchestrator, peer);
    const options = { address: address && hostOf(address), timeoutMs, retries: 0, waitMs: 0 };
    const asked = { ...options, signal, dir, share: share ?? "", run };
    return [entry, await runCompare(orchestrator, entry, asked)] as const;
  }, { discovery });
  for (const { path, pathBytes, code, message } of found.problems) {
    reporter.emit({ event: "file-error", path: pathBytes ?? path, code, message });
  }
  for (const { path, difference } of found.differences) {
    const message = wordsOf(difference, entry.alias);
    reporter.emit({ event: "file-error", path, code: difference, message });
  }
  const differences = found.differences.length;
  const errors = found.problems.length + found.remoteProblems;
  const ok = differences + errors === 0;
  reporter.emit({
    event: "compared",
    ok,
    peer: entry.alias,
    share: found.share,
    root: toHex(found.localRoot),
    peerRoot: toHex(found.remoteRoot),
    files: found.files,
    bytes: found.bytes,
    differences,
    errors,
    seconds: (clock.nowMs() - startMs) / 1000,
  });
  if (ok) return;
  const hint = found.remoteProblems > 0
    ? `${formatCount(found.remoteProblems, "path")} can't be read on "${entry.alias}"`
    : undefined;
  throw new LandropicError("partial", "The two folders are not proven equal", hint);
}

/** A name that stands alone may have been meant for a folder. */
function resolvePeer({ trust }: Orchestrator, name: string): TrustEntry {
  try {
    return trust.resolve(name);
  } catch (error) {
    if (!(error instanceof IdentityError) || error.reason !== "peer_unknown") throw error;
    const message = `${error.message}, and there is no such folder`;
    throw new LandropicError(error.code, message, error.hint, error);
  }
}

function wordsOf(difference: Difference, peer: string): string {
  switch (difference) {
    case "differs":
      return "The contents differ";
    case "only_local":
      return "Only this device has it";
    case "only_remote":
      return `Only "${peer}" has it`;
    case "left_out":
      return "One side has it; the other ignores it or can't read it";
  }
}
