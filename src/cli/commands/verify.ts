import { UsageError } from "../../base/errors.ts";
import { resolve } from "../../base/system_path.ts";
import type { CommandInput, CommandSpec } from "../command_spec.ts";
import type { HostPort } from "../values/host_port.ts";
import { parsePeerShare, type PeerShare } from "../values/names.ts";
import { TIMEOUT, TIMEOUT_MS_DEFAULT } from "./diagnose.ts";
import { absoluteDir, ADDRESS, NO_DISCOVERY, PEER_HELP } from "./shared.ts";

/** `landropic verify`: re-reads a synced folder, or compares it with a peer's share. */
export interface VerifyCommand {
  readonly command: "verify";
  /** Absolute. */
  readonly dir: string;
  /** With what to compare the folder; `undefined` to check it against the index alone. */
  readonly with: PeerShare & { readonly address: HostPort | undefined } | undefined;
  /** How long to try to reach the peer. */
  readonly timeoutMs: number;
  readonly discovery: boolean;
}

/** The command `verify`. */
export const verifySpec: CommandSpec<VerifyCommand> = {
  name: "verify",
  summary: "check that files still hold what was synced, or compare with a peer",
  description:
    "Re-reads every file of a synced folder and reports those whose contents no longer match the " +
    "index, with exit code 3 if there are any. With PEER: compares the contents of the folder with " +
    "those of the peer's share, moves nothing, and prints one digest for each side, equal if and " +
    "only if names and contents are. An argument alone that names an existing folder or holds a " +
    "slash is DIR, anything else PEER.",
  group: "Folders:",
  operands: [
    { name: "PEER[:SHARE]|DIR", help: `${PEER_HELP}; or the folder`, completes: "directory" },
    { name: "DIR", help: "the folder (default: the current one)", completes: "directory" },
  ],
  flags: [ADDRESS, TIMEOUT, NO_DISCOVERY],
  examples: [
    ["landropic verify ~/Photos", "every file there, against the index"],
    ["landropic verify nas:photos ~/Photos", "against what nas has now"],
  ],
  usesHome: true,
  build(input) {
    const { operands, cwd, flags } = input;
    const peer = readPeer(input);
    if (peer === undefined && flags.typed(ADDRESS)) {
      throw new UsageError("--address needs PEER: whose address is it?");
    }
    return {
      command: "verify",
      dir: absoluteDir(operands[peer ? 1 : 0] ?? ".", cwd),
      with: peer && { ...peer, address: flags.get(ADDRESS) },
      timeoutMs: flags.get(TIMEOUT) ?? TIMEOUT_MS_DEFAULT,
      discovery: !(flags.get(NO_DISCOVERY) ?? false),
    };
  },
};

/** Two operands begin with the peer; one is the peer where it can't be a folder. */
function readPeer({ operands, parse, cwd }: CommandInput): PeerShare | undefined {
  const [first] = operands;
  if (first === undefined || first === "") return undefined;
  return operands.length > 1 || !isFolder(first, cwd) ? parse(0, parsePeerShare) : undefined;
}

function isFolder(text: string, cwd: string): boolean {
  if (/[/\\]|^\.\.?$/.test(text)) return true;
  try {
    return Deno.statSync(resolve(cwd, text)).isDirectory;
  } catch {
    return false;
  }
}
