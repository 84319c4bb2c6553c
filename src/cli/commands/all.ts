/** All commands there are. */
import type { CommandSpec } from "../command_spec.ts";
import { type CompletionsCommand, completionsSpec } from "./completions.ts";
import {
  type BenchCommand,
  benchSpec,
  type DoctorCommand,
  doctorSpec,
  type StatusCommand,
  statusSpec,
} from "./diagnose.ts";
import { type DiscoverCommand, discoverSpec } from "./discover.ts";
import { type IdCommand, idSpec } from "./id.ts";
import { type PairCommand, pairSpec } from "./pair.ts";
import {
  type PeersListCommand,
  peersListSpec,
  type PeersRemoveCommand,
  peersRemoveSpec,
  type PeersRenameCommand,
  peersRenameSpec,
  type PeersTrustCommand,
  peersTrustSpec,
} from "./peers.ts";
import { type ServeCommand, serveSpec } from "./serve.ts";
import { type SyncCommand, syncSpec } from "./sync.ts";
import { type VerifyCommand, verifySpec } from "./verify.ts";

/** Any command, told apart by `command`. */
export type Command =
  | IdCommand
  | PairCommand
  | PeersListCommand
  | PeersTrustCommand
  | PeersRemoveCommand
  | PeersRenameCommand
  | ServeCommand
  | SyncCommand
  | DiscoverCommand
  | StatusCommand
  | VerifyCommand
  | DoctorCommand
  | BenchCommand
  | CompletionsCommand;

/** In the order help lists them; the words of a name are command and subcommand. */
export const COMMANDS: readonly CommandSpec<Command>[] = [
  pairSpec,
  idSpec,
  peersListSpec,
  peersTrustSpec,
  peersRemoveSpec,
  peersRenameSpec,
  discoverSpec,
  serveSpec,
  syncSpec,
  verifySpec,
  statusSpec,
  doctorSpec,
  benchSpec,
  completionsSpec,
];
