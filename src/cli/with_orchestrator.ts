import type { Discovery } from "../discovery/mod.ts";
import { Orchestrator } from "../orchestrator/mod.ts";
import type { CliContext } from "./handlers.ts";
import { BUILD } from "#build";

/** What a command wants of its orchestrator. */
export interface OrchestratorNeeds {
  /** False keeps it silent on the local network: `--no-discovery`. */
  readonly discovery?: boolean;
}

/** Builds the orchestrator of this invocation, does the work, and takes it down whatever happens. */
export async function withOrchestrator<T>(
  context: CliContext,
  work: (orchestrator: Orchestrator) => Promise<T>,
  { discovery = true }: OrchestratorNeeds = {},
): Promise<T> {
  const { paths, clock, logger, signal } = context;
  await using orchestrator = await Orchestrator.create({
    threads: true,
    configDir: paths.configDir,
    stateDir: paths.stateDir,
    implementation: `landropic/${BUILD.version}`,
    clock,
    logger,
    signal,
    ...(!discovery && { openDiscovery: openNothing }),
  });
  return await work(orchestrator);
}

async function openNothing(): Promise<Discovery> {
  const { NullDiscovery } = await import("../discovery/mod.ts");
  return new NullDiscovery();
}
