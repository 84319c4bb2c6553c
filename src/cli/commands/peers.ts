import type { CommandSpec } from "../command_spec.ts";
import { valueFlag } from "../flags.ts";
import { type HostPort, hostPort, PORT_DEFAULT } from "../values/host_port.ts";
import { parseDeviceIdText, parseName, parsePeerRef } from "../values/names.ts";
import { NO_DISCOVERY, PEER_HELP } from "./shared.ts";

/** `landropic peers` and `landropic peers list`. */
export interface PeersListCommand {
  readonly command: "peers list";
  /** Also look for peers on the local network. */
  readonly discovery: boolean;
}

/** `landropic peers trust DEVICE-ID`. */
export interface PeersTrustCommand {
  readonly command: "peers trust";
  /** Of the right form; its check characters are not verified yet. */
  readonly deviceId: string;
  readonly name: string | undefined;
  readonly address: HostPort | undefined;
}

/** `landropic peers remove PEER`. */
export interface PeersRemoveCommand {
  readonly command: "peers remove";
  /** A name, a device id or the beginning of one. */
  readonly peer: string;
}

/** `landropic peers rename PEER NAME`. */
export interface PeersRenameCommand {
  readonly command: "peers rename";
  /** A name, a device id or the beginning of one. */
  readonly peer: string;
  readonly name: string;
}

const NAME = valueFlag("name", "NAME", "how to call the peer here", parseName("peer"));
const ADDRESS = valueFlag(
  "address",
  "HOST:PORT",
  `where the peer may be reached (port ${PORT_DEFAULT} unless given)`,
  hostPort({ portDefault: PORT_DEFAULT }),
);

/** What stands over the `peers` commands. */
export const PEERS_SUMMARY = "list, trust, remove and rename peers";

/** The command `peers list`, which is also what `peers` alone does. */
export const peersListSpec: CommandSpec<PeersListCommand> = {
  name: "peers list",
  summary: "list trusted peers",
  description: "Lists trusted peers: name, device id, last address, last seen, online now.",
  group: "Commands:",
  operands: [],
  flags: [NO_DISCOVERY],
  examples: [
    ["landropic peers", "all trusted peers"],
    ["landropic peers --json", "one `peer` event each"],
  ],
  usesHome: true,
  build: ({ flags }) => ({
    command: "peers list",
    discovery: !(flags.get(NO_DISCOVERY) ?? false),
  }),
};

/** The command `peers trust`. */
export const peersTrustSpec: CommandSpec<PeersTrustCommand> = {
  name: "peers trust",
  summary: "trust a device by its id, without a code",
  description: "Trusts a device without a code, for scripted set-ups. Both sides have to do it; " +
    "compare the id over a channel you trust.",
  group: "Commands:",
  operands: [{ name: "DEVICE-ID", help: "what `landropic id` prints there", required: true }],
  flags: [NAME, ADDRESS],
  examples: [[
    "landropic peers trust MFZWI3D-BONSGYC-YLTMRWG-C43ENRQ-XGZDMMF-ZWI3DBO-NSGYCYL-TMRWGC4 --name nas --address 192.168.1.5:9876",
    "trusts that device and calls it nas",
  ]],
  usesHome: true,
  build: ({ parse, flags }) => ({
    command: "peers trust",
    deviceId: parse(0, parseDeviceIdText),
    name: flags.get(NAME),
    address: flags.get(ADDRESS),
  }),
};

/** The command `peers remove`. */
export const peersRemoveSpec: CommandSpec<PeersRemoveCommand> = {
  name: "peers remove",
  summary: "stop trusting a peer",
  description: "Stops trusting a peer. Its files stay; it can no longer connect.",
  group: "Commands:",
  operands: [{ name: "PEER", help: PEER_HELP, required: true }],
  flags: [],
  examples: [["landropic peers remove old-laptop", "old-laptop can no longer connect"]],
  usesHome: true,
  build: ({ parse }) => ({ command: "peers remove", peer: parse(0, parsePeerRef) }),
};

/** The command `peers rename`. */
export const peersRenameSpec: CommandSpec<PeersRenameCommand> = {
  name: "peers rename",
  summary: "change how a peer is called here",
  description: "Changes how a peer is called on this device.",
  group: "Commands:",
  operands: [
    { name: "PEER", help: PEER_HELP, required: true },
    { name: "NAME", help: "the new name", required: true },
  ],
  flags: [],
  examples: [["landropic peers rename MFZWI3D nas", "by the beginning of its device id"]],
  usesHome: true,
  build: ({ parse }) => ({
    command: "peers rename",
    peer: parse(0, parsePeerRef),
    name: parse(1, parseName("peer")),
  }),
};
