import type { CommandSpec } from "../command_spec.ts";
import { absoluteDir } from "./shared.ts";

/** `landropic verify`: re-reads every file of a synced folder. */
export interface VerifyCommand {
  readonly command: "verify";
  /** Absolute. */
  readonly dir: string;
}

/** The command `verify`. */
export const verifySpec: CommandSpec<VerifyCommand> = {
  name: "verify",
  summary: "check that files still hold what was synced",
  description:
    "Re-reads every file of a synced folder and reports those whose contents no longer " +
    "match the index, with exit code 3 if there are any.",
  group: "Folders:",
  operands: [
    { name: "DIR", help: "the folder (default: the current one)", completes: "directory" },
  ],
  flags: [],
  examples: [["landropic verify ~/Photos", "every file there"]],
  usesHome: true,
  build: ({ operands, cwd }) => ({
    command: "verify",
    dir: absoluteDir(operands[0] ?? ".", cwd),
  }),
};
