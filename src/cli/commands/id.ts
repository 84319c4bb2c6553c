import type { CommandSpec } from "../command_spec.ts";

/** `landropic id`. */
export interface IdCommand {
  readonly command: "id";
}

/** The command `id`. */
export const idSpec: CommandSpec<IdCommand> = {
  name: "id",
  summary: "print this device's id, name and addresses",
  description: "Prints this device's id, name and addresses. The first command on a new device " +
    "creates the identity by itself.",
  group: "Devices:",
  operands: [],
  flags: [],
  examples: [
    ["landropic id", "what to give to `peers trust` on another device"],
    ["landropic id --json", "the same for a script"],
  ],
  usesHome: true,
  build: () => ({ command: "id" }),
};
