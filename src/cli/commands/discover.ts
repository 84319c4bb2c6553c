import type { CommandSpec } from "../command_spec.ts";
import { valueFlag } from "../flags.ts";
import { parsePositiveDuration } from "../values/duration.ts";

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
  flags: [TIMEOUT],
  examples: [["landropic discover --timeout 10s", "listens longer"]],
  usesHome: true,
  build: ({ flags }) => ({
    command: "discover",
    timeoutMs: flags.get(TIMEOUT) ?? TIMEOUT_MS_DEFAULT,
  }),
};

const TIMEOUT_MS_DEFAULT = 3_000;
