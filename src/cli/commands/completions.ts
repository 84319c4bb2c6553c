import type { CommandSpec } from "../command_spec.ts";
import { choice } from "../values/choice.ts";

/** The shells there are completion scripts for. */
export const SHELLS = ["bash", "zsh", "fish"] as const;

/** `landropic completions SHELL`. */
export interface CompletionsCommand {
  readonly command: "completions";
  readonly shell: typeof SHELLS[number];
}

/** The command `completions`. */
export const completionsSpec: CommandSpec<CompletionsCommand> = {
  name: "completions",
  summary: "print a completion script for a shell",
  description: "Prints a script that makes a shell complete landropic's commands and flags.",
  group: "Looking closer:",
  operands: [
    { name: SHELLS.join("|"), help: "which shell", required: true, choices: SHELLS },
  ],
  flags: [],
  examples: [
    ["source <(landropic completions bash)", "in ~/.bashrc"],
    ['landropic completions zsh > "${fpath[1]}/_landropic"', "before compinit runs"],
    [
      "landropic completions fish > ~/.config/fish/completions/landropic.fish",
      "fish reads it by itself",
    ],
  ],
  usesHome: false,
  plainOutput: true,
  build: ({ parse }) => ({ command: "completions", shell: parse(0, choice(SHELLS)) }),
};
