/** The commands that look at the path to a peer: `status`, `doctor`, `bench`. */
import { UsageError } from "../../base/errors.ts";
import type { CommandInput, CommandSpec } from "../command_spec.ts";
import { valueFlag } from "../flags.ts";
import { BadValue } from "../values/bad_value.ts";
import { parsePositiveDuration } from "../values/duration.ts";
import type { HostPort } from "../values/host_port.ts";
import { parsePeerRef } from "../values/names.ts";
import { ADDRESS, NO_DISCOVERY, PEER_HELP } from "./shared.ts";

/** How the path to one peer is looked at. */
export interface PeerProbe {
  /** A name, a device id or the beginning of one. */
  readonly peer: string;
  readonly address: HostPort | undefined;
}

/** `landropic status [PEER]`. */
export interface StatusCommand {
  readonly command: "status";
  /** `undefined` for this device alone. */
  readonly probe: PeerProbe | undefined;
  /** How long to try to reach the peer. */
  readonly timeoutMs: number;
  readonly discovery: boolean;
}

/** `landropic doctor [PEER]`. */
export interface DoctorCommand {
  readonly command: "doctor";
  /** `undefined` for this device alone. */
  readonly probe: PeerProbe | undefined;
  /** How long each check may take. */
  readonly timeoutMs: number;
  readonly discovery: boolean;
}

/** `landropic bench PEER`. */
export interface BenchCommand {
  readonly command: "bench";
  readonly probe: PeerProbe;
  /** How long to send, and again how long to receive. */
  readonly durationMs: number;
  /** How long to try to reach the peer. */
  readonly timeoutMs: number;
  readonly discovery: boolean;
}

/** `--timeout` of commands that look at a peer. */
export const TIMEOUT = valueFlag(
  "timeout",
  "DURATION",
  "how long to try to reach the peer (default 10s)",
  parsePositiveDuration,
);
const DURATION = valueFlag(
  "duration",
  "DURATION",
  "how long to measure in each direction, up to 1m (default 5s)",
  parseMeasuringTime,
);

/** The command `status`. */
export const statusSpec: CommandSpec<StatusCommand> = {
  name: "status",
  summary: "show this device, or the connection to a peer",
  description:
    "Shows this device: identity, state folder, index size, peers. With PEER: connects " +
    "and shows round-trip time, path MTU, the health of the connection, the peer's shares and " +
    "what it may do with each.",
  group: "Looking closer:",
  operands: [{ name: "PEER", help: PEER_HELP }],
  flags: [ADDRESS, TIMEOUT, NO_DISCOVERY],
  examples: [["landropic status", "this device"], ["landropic status nas", "the path to nas"]],
  usesHome: true,
  build: (input) => ({ command: "status", ...common(input) }),
};

/** The command `doctor`. */
export const doctorSpec: CommandSpec<DoctorCommand> = {
  name: "doctor",
  summary: "find out why syncing does not work",
  description:
    "Checks what syncing needs, one line a check: state folder, identity, UDP sockets, " +
    "local discovery; with PEER also every address it may have.",
  group: "Looking closer:",
  operands: [{ name: "PEER", help: PEER_HELP }],
  flags: [ADDRESS, TIMEOUT, NO_DISCOVERY],
  examples: [["landropic doctor", "this device"], ["landropic doctor nas", "also the path to nas"]],
  usesHome: true,
  build: (input) => ({ command: "doctor", ...common(input) }),
};

/** The command `bench`. */
export const benchSpec: CommandSpec<BenchCommand> = {
  name: "bench",
  summary: "measure the path to a peer",
  description: "Measures the path to a peer: handshake time, round-trip time, path MTU, upload " +
    "and download throughput.",
  group: "Looking closer:",
  operands: [{ name: "PEER", help: PEER_HELP, required: true }],
  flags: [DURATION, ADDRESS, TIMEOUT, NO_DISCOVERY],
  examples: [["landropic bench nas --duration 10s", "10 seconds each way"]],
  usesHome: true,
  build: (input) => ({
    command: "bench",
    probe: { peer: input.parse(0, parsePeerRef), address: input.flags.get(ADDRESS) },
    durationMs: input.flags.get(DURATION) ?? DURATION_MS_DEFAULT,
    timeoutMs: timeout(input),
    discovery: discovery(input),
  }),
};

function common(
  input: CommandInput,
): { probe: PeerProbe | undefined; timeoutMs: number; discovery: boolean } {
  return {
    probe: readProbe(input),
    timeoutMs: timeout(input),
    discovery: discovery(input),
  };
}

function discovery({ flags }: CommandInput): boolean {
  return !(flags.get(NO_DISCOVERY) ?? false);
}

function readProbe({ operands, parse, flags }: CommandInput): PeerProbe | undefined {
  if (operands.length > 0) return { peer: parse(0, parsePeerRef), address: flags.get(ADDRESS) };
  if (flags.typed(ADDRESS)) throw new UsageError("--address needs PEER: whose address is it?");
  return undefined;
}

function timeout({ flags }: CommandInput): number {
  return flags.get(TIMEOUT) ?? TIMEOUT_MS_DEFAULT;
}

function parseMeasuringTime(text: string): number {
  const durationMs = parsePositiveDuration(text);
  if (durationMs > DURATION_MS_MAX) throw new BadValue("longer than a minute");
  return durationMs;
}

/** The default of {@linkcode TIMEOUT}. */
export const TIMEOUT_MS_DEFAULT = 10_000;
const DURATION_MS_DEFAULT = 5_000;
/** What peers take part in at most (BENCH_MS_MAX). */
const DURATION_MS_MAX = 60_000;
