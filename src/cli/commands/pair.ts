import { UsageError } from "../../base/errors.ts";
import type { CommandSpec } from "../command_spec.ts";
import { switchFlag, valueFlag } from "../flags.ts";
import { type PairingSecret, readPairingSecret } from "../secret.ts";
import { parsePositiveDuration } from "../values/duration.ts";
import { type HostPort, hostPort, PORT_DEFAULT } from "../values/host_port.ts";
import { parseName } from "../values/names.ts";
import { NO_DISCOVERY } from "./shared.ts";

/** `landropic pair`: shows a code, or joins with one. */
export interface PairCommand {
  readonly command: "pair";
  /** What the other device shows; `undefined` where this device shows it. */
  readonly secret: PairingSecret | undefined;
  /** Where the other device is; only with a secret. */
  readonly address: HostPort | undefined;
  readonly listen: HostPort | undefined;
  /** How to call the peer here; `undefined` for the name it gives itself. */
  readonly name: string | undefined;
  readonly timeoutMs: number;
  readonly discovery: boolean;
  /** Draw a QR code of the invitation, on a terminal. */
  readonly qr: boolean;
}

const ADDRESS = valueFlag(
  "address",
  "HOST:PORT",
  `where the other device is (port ${PORT_DEFAULT} unless given)`,
  hostPort({ portDefault: PORT_DEFAULT }),
);
const LISTEN = valueFlag(
  "listen",
  "HOST:PORT",
  "where to wait for the other device (UDP; port 0 picks a free one)",
  hostPort({ portDefault: PORT_DEFAULT, hostDefault: "::", allowPortZero: true }),
);
const NAME = valueFlag("name", "NAME", "how to call the peer here", parseName("peer"));
const TIMEOUT = valueFlag(
  "timeout",
  "DURATION",
  "how long to wait for the other device (default 5m)",
  parsePositiveDuration,
);
const NO_QR = switchFlag("no-qr", "no QR code of the invitation");

/** The command `pair`. */
export const pairSpec: CommandSpec<PairCommand> = {
  name: "pair",
  summary: "make this device and another one trust each other",
  description: "Without an argument, shows a short code and an invitation and waits. With one of " +
    "them, joins the device that shows it. A code is found by local discovery or --address; an " +
    "invitation carries addresses. Arguments show in process lists: - reads a line of stdin, and " +
    "LANDROPIC_CODE and LANDROPIC_INVITATION are read too.",
  group: "Devices:",
  operands: [{
    name: "CODE|INVITATION",
    help: "what the other device shows; - reads it from stdin",
  }],
  flags: [ADDRESS, LISTEN, NAME, TIMEOUT, NO_DISCOVERY, NO_QR],
  examples: [
    ["landropic pair", "on one device: shows a code"],
    ["landropic pair 42-apple-river-stone", "on the other one: joins"],
    [
      "landropic pair - --name nas < invitation.txt",
      "joins without showing the invitation to others",
    ],
  ],
  usesHome: true,
  async build(input) {
    const secret = await readPairingSecret(input.operands[0], input);
    if (secret === undefined && input.flags.typed(ADDRESS)) {
      throw new UsageError(
        "--address is where a code or an invitation is tried, and there is none",
        "to choose where this device waits, use --listen",
      );
    }
    return {
      command: "pair",
      secret,
      address: secret === undefined ? undefined : input.flags.get(ADDRESS),
      listen: input.flags.get(LISTEN),
      name: input.flags.get(NAME),
      timeoutMs: input.flags.get(TIMEOUT) ?? TIMEOUT_MS_DEFAULT,
      discovery: !(input.flags.get(NO_DISCOVERY) ?? false),
      qr: !(input.flags.get(NO_QR) ?? false),
    };
  },
};

const TIMEOUT_MS_DEFAULT = 5 * 60_000;
