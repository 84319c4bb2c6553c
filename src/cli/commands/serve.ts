import { UsageError } from "../../base/errors.ts";
import type { CommandSpec } from "../command_spec.ts";
import { listFlag, switchFlag, valueFlag } from "../flags.ts";
import { type HostPort, hostPort, PORT_DEFAULT } from "../values/host_port.ts";
import { parsePeerRef, parseShareSpec, SHARE_DEFAULT, type ShareSpec } from "../values/names.ts";
import { absoluteDir, NO_DISCOVERY, parseVersions } from "./shared.ts";

/** `landropic serve`: offers folders until stopped. */
export interface ServeCommand {
  readonly command: "serve";
  /** At least one, names all different, folders absolute. */
  readonly shares: readonly ShareSpec[];
  /** Names, ids or beginnings of ids; empty means every trusted peer. */
  readonly allow: readonly string[];
  readonly listen: HostPort;
  readonly discovery: boolean;
  /** Where Prometheus may read metrics over HTTP; `undefined` for nowhere. */
  readonly metrics: HostPort | undefined;
  readonly once: boolean;
  /** How many old versions of a file to keep; `undefined` where the user did not say. */
  readonly versions: number | undefined;
}

const SHARE = listFlag(
  "share",
  "NAME=DIR[:ro]",
  "serve one more folder under a name; :ro forbids writing (repeatable)",
  parseShareSpec,
  { completes: "directory" },
);
const ALLOW = listFlag(
  "allow",
  "PEER",
  "only this peer may connect (repeatable; default: every trusted peer)",
  parsePeerRef,
);
const LISTEN = valueFlag(
  "listen",
  "HOST:PORT",
  `where to listen (UDP; default [::]:${PORT_DEFAULT}; port 0 picks a free one)`,
  hostPort({ portDefault: PORT_DEFAULT, hostDefault: "::", allowPortZero: true }),
);
const METRICS = valueFlag(
  "metrics",
  "HOST:PORT",
  "offer Prometheus metrics over HTTP (default: off)",
  hostPort({ allowPortZero: true }),
);
const ONCE = switchFlag("once", "end after the first session ended");
const VERSIONS = valueFlag(
  "versions",
  "N",
  "keep the last N versions of a file that is replaced or deleted, in .landropic/versions/",
  parseVersions,
);

/** The command `serve`. */
export const serveSpec: CommandSpec<ServeCommand> = {
  name: "serve",
  summary: "offer folders to trusted peers until stopped",
  description: `Serves in the foreground until stopped. DIR is the share "${SHARE_DEFAULT}"; ` +
    "--share names more. A folder's path may hold colons: only a final :ro or :rw is special.",
  group: "Folders:",
  operands: [{
    name: "DIR",
    help: `the folder to serve as the share "${SHARE_DEFAULT}"`,
    completes: "directory",
  }],
  flags: [SHARE, ALLOW, LISTEN, NO_DISCOVERY, METRICS, ONCE, VERSIONS],
  examples: [
    ["landropic serve ~/Documents", `as the share "${SHARE_DEFAULT}"`],
    [
      "landropic serve --share photos=/srv/photos:ro --share docs=/srv/docs --allow laptop",
      "two shares, one of them not writable, for one peer",
    ],
    ["landropic serve ~/inbox --listen [::]:0 --once --json", "for one session, on a free port"],
  ],
  usesHome: true,
  build({ operands, flags, cwd }) {
    return {
      command: "serve",
      shares: readShares(operands[0], flags.get(SHARE) ?? [], cwd),
      allow: flags.get(ALLOW) ?? [],
      listen: flags.get(LISTEN) ?? LISTEN_DEFAULT,
      discovery: !(flags.get(NO_DISCOVERY) ?? false),
      metrics: flags.get(METRICS),
      once: flags.get(ONCE) ?? false,
      versions: flags.get(VERSIONS),
    };
  },
};

function readShares(
  dir: string | undefined,
  named: readonly ShareSpec[],
  cwd: string,
): readonly ShareSpec[] {
  const first = dir === undefined ? [] : [{ name: SHARE_DEFAULT, dir, readOnly: false }];
  const shares = [...first, ...named];
  if (shares.length === 0) {
    throw new UsageError(
      "nothing to serve",
      "give a folder (`landropic serve .`) or --share NAME=DIR",
    );
  }
  const names = new Set<string>();
  for (const { name } of shares) {
    if (names.has(name)) throw new UsageError(`two shares have the name "${name}"`);
    names.add(name);
  }
  return shares.map((share) => ({ ...share, dir: absoluteDir(share.dir, cwd) }));
}

const LISTEN_DEFAULT: HostPort = { kind: "ipv6", host: "::", zone: undefined, port: PORT_DEFAULT };
