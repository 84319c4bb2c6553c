/**
 * The command line: commands and flags, text and JSON output, exit codes.
 *
 * Owns everything a user or a script sees, and is the only layer that prints, prompts or decides
 * the exit code. Never touches files to sync, sockets, identities or indexes: a command is parsed
 * and checked here and handed to a handler, which calls the orchestrator.
 */
import { HANDLERS } from "./handler_table.ts";
import { denoHost } from "./host.ts";
import { runCli } from "./run_cli.ts";

export type { CliContext, Handler, Handlers, HandlerTable } from "./handlers.ts";
export type { CliEvent } from "./events.ts";
export type { Reporter } from "./reporter.ts";
export { runCli } from "./run_cli.ts";

/**
 * Runs the command line of this process.
 *
 * @param args Without the program's name.
 * @returns The exit code.
 */
export function main(args: readonly string[]): Promise<number> {
  return runCli(args, HANDLERS, denoHost());
}
