import { UsageError } from "../../base/errors.ts";
import type { CommandSpec } from "../command_spec.ts";
import { valueFlag } from "../flags.ts";
import { parsePositiveDuration } from "../values/duration.ts";
import { NO_DISCOVERY } from "./shared.ts";

/** `landropic discover`: who announces itself on the local network. */
export interface DiscoverCommand {
  readonly command: "discover";
  readonly timeoutMs: number;
}

const TIMEOUT = valueFlag(
  "timeout",
  "DURATION",
  "how long to listen (default 3s)",
  parsePositiveDuration,
);

/** The command `discover`. */
export const discoverSpec: CommandSpec<DiscoverCommand> = {
  name: "discover",
  summary: "list devices on the local network",
  description: "Lists the devices that announce themselves on the local network: name, id, " +
    "address, and whether they are trusted.",
  group: "Devices:",
  operands: [],
  flags: [TIMEOUT, NO_DISCOVERY],
  examples: [
    ["landropic discover --timeout 10s", "listens longer"],
    ["landropic discover --discovery", "searches also where the settings forbid it"],
  ],
  usesHome: true,
  build: ({ flags }) => {
    // To search all the same would send what was not to be sent; to find nobody would be no answer.
    if (flags.get(NO_DISCOVERY) === true) {
      throw new UsageError(
        `Cannot look for devices: discovery is switched off by ${flags.label(NO_DISCOVERY)}`,
        "`landropic discover --discovery` searches all the same",
      );
    }
    return { command: "discover", timeoutMs: flags.get(TIMEOUT) ?? TIMEOUT_MS_DEFAULT };
  },
};

const TIMEOUT_MS_DEFAULT = 3_000;
