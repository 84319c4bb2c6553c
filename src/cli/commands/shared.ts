/** Flags and checks that several commands share. */
import { UsageError } from "../../base/errors.ts";
import { resolve } from "../../base/system_path.ts";
import type { FlagValues } from "../flag_values.ts";
import { type Flag, switchFlag, valueFlag } from "../flags.ts";
import { hostPort, PORT_DEFAULT } from "../values/host_port.ts";
import { wholeNumber } from "../values/whole_number.ts";

/** `--address`: where the peer is. */
export const ADDRESS = valueFlag(
  "address",
  "HOST:PORT",
  `where the peer is (default: its last address, then local discovery; port ${PORT_DEFAULT})`,
  hostPort({ portDefault: PORT_DEFAULT }),
);

/** `--no-discovery`: finding nobody and not being found, by anything that is sent. */
export const NO_DISCOVERY = switchFlag(
  "no-discovery",
  "neither search nor announce on the local network",
);

/** The operand of commands that talk about one trusted peer. */
export const PEER_HELP = "a trusted peer: its name, its device id, or the beginning of one";

/** The most versions of a file that are ever kept. */
export const VERSIONS_MAX = 1000;

/** Makes the parser of `--versions`. */
export const parseVersions = wholeNumber(0, VERSIONS_MAX);

/**
 * Makes a folder absolute. A trailing slash changes nothing; links are not followed.
 *
 * @throws {UsageError} on the empty text, which is a variable that was not set rather than `.`.
 */
export function absoluteDir(dir: string, cwd: string): string {
  if (dir === "") throw new UsageError("the folder is the empty text", "write . for this folder");
  return resolve(cwd, dir);
}

/**
 * Refuses a flag that means nothing here, if the user typed it. From the environment or the config
 * file it is just a default that does not apply.
 */
export function refuseTyped(values: FlagValues, flag: Flag<unknown>, why: string): void {
  if (values.typed(flag) && values.get(flag) !== false) {
    throw new UsageError(`--${flag.name} ${why}`);
  }
}
