import type { CommandSpec } from "../command_spec.ts";
import { switchFlag } from "../flags.ts";

/** `landropic id`. */
export interface IdCommand {
  readonly command: "id";
  /** Begin to move this device to a new key. */
  readonly rotate: boolean;
}

const ROTATE = switchFlag(
  "rotate",
  "begin to move to a new key; peers met within 21 days learn of it by themselves",
);

/** The command `id`. */
export const idSpec: CommandSpec<IdCommand> = {
  name: "id",
  summary: "print this device's id, name and addresses",
  description: "Prints this device's id, name and addresses. The first command on a new device " +
    "creates the identity by itself. With --rotate the device begins to move to a new key, and so " +
    "to a new id: for 21 days it tells every peer it syncs with, then it uses the new key; peers " +
    "that were not met by then have to pair again.",
  group: "Devices:",
  operands: [],
  flags: [ROTATE],
  examples: [
    ["landropic id", "what to give to `peers trust` on another device"],
    ["landropic id --json", "the same for a script"],
    ["landropic id --rotate", "once the old key may be known to others"],
  ],
  usesHome: true,
  build: ({ flags }) => ({ command: "id", rotate: flags.get(ROTATE) ?? false }),
};
