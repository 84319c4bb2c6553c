import type { CompletionsCommand } from "./commands/completions.ts";
import { bashCompletions } from "./completions/bash.ts";
import { fishCompletions } from "./completions/fish.ts";
import { zshCompletions } from "./completions/zsh.ts";
import type { CliContext } from "./handlers.ts";

/** Prints the completion script of a shell. */
export function runCompletions({ shell }: CompletionsCommand, { reporter }: CliContext): void {
  reporter.print(SCRIPTS[shell]());
}

const SCRIPTS = { bash: bashCompletions, zsh: zshCompletions, fish: fishCompletions };
