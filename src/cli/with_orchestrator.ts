import { Orchestrator } from "../orchestrator/mod.ts";
import type { CliContext } from "./handlers.ts";
import { BUILD } from "#build";

/** Builds the orchestrator of this invocation, does the work, and takes it down whatever happens. */
export async function withOrchestrator<T>(
  context: CliContext,
  work: (orchestrator: Orchestrator) => Promise<T>,
): Promise<T> {
  const { paths, clock, logger, signal } = context;
  await using orchestrator = await Orchestrator.create({
    configDir: paths.configDir,
    stateDir: paths.stateDir,
    implementation: `landropic/${BUILD.version}`,
    clock,
    logger,
    signal,
  });
  return await work(orchestrator);
}
