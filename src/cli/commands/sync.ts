import { UsageError } from "../../base/errors.ts";
import type { DeleteLimit } from "../../sync/mod.ts";
import { resolve } from "../../base/system_path.ts";
import type { CommandInput, CommandSpec } from "../command_spec.ts";
import { type FilterRule, parseGlob, parseIncludeGlob } from "../filter_rules.ts";
import type { FlagValues } from "../flag_values.ts";
import { listFlag, switchFlag, valueFlag } from "../flags.ts";
import { choice } from "../values/choice.ts";
import { DELETE_LIMIT_DEFAULT, parseDeleteLimit } from "../values/delete_limit.ts";
import { parseDuration, parsePositiveDuration } from "../values/duration.ts";
import type { HostPort } from "../values/host_port.ts";
import { parsePeerShare } from "../values/names.ts";
import { parseRate } from "../values/rate.ts";
import { wholeNumber } from "../values/whole_number.ts";
import {
  absoluteDir,
  ADDRESS,
  NO_DISCOVERY,
  parseVersions,
  PEER_HELP,
  refuseTyped,
} from "./shared.ts";

/** With whom to sync. */
export type SyncTarget =
  | {
    readonly kind: "peer";
    /** A name, a device id or the beginning of one. */
    readonly peer: string;
    /** `undefined` for `default`, or the peer's only share. */
    readonly share: string | undefined;
  }
  /** Every trusted peer that is reachable. */
  | { readonly kind: "all" };

/** What becomes of a file that both sides changed. */
export type ConflictPolicy = "keep-both" | "newer" | "local" | "remote";

/** `landropic sync`: one foreground sync of one folder. */
export interface SyncCommand {
  readonly command: "sync";
  readonly target: SyncTarget;
  /** Absolute. */
  readonly dir: string;
  /** `push` makes the share equal to the folder, `pull` the folder equal to the share. */
  readonly direction: "both" | "push" | "pull";
  readonly address: HostPort | undefined;
  /** One-way: delete what the source does not have. Always false in both directions. */
  readonly deleteExtra: boolean;
  readonly maxDelete: DeleteLimit;
  /** Both ways: go on though every file of a side has changed. Always false one way. */
  readonly replaceAll: boolean;
  /** Go on though not everything fits on a disk. */
  readonly fillDisk: boolean;
  readonly dryRun: boolean;
  /** Print a line for each change; always true with `dryRun`. */
  readonly itemize: boolean;
  readonly filters: readonly FilterRule[];
  /** How long to wait for the peer to appear; 0 for not at all. */
  readonly waitMs: number;
  /** How long to wait for another run on the same folder; 0 for not at all. */
  readonly lockWaitMs: number;
  readonly checksum: boolean;
  /** How many old versions of a file to keep; `undefined` where the user did not say. */
  readonly versions: number | undefined;
  readonly conflict: ConflictPolicy;
  /** Bytes a second; `undefined` for no limit. */
  readonly rateLimit: number | undefined;
  /** 1 to 4; `undefined` where landropic chooses. */
  readonly connections: number | undefined;
  readonly compress: boolean;
  readonly watch: boolean;
  /** How often to try to reach or regain the peer after the first try failed. */
  readonly retries: number;
  /** How long to try in one outage; `undefined` where the number of tries alone decides. */
  readonly timeoutMs: number | undefined;
  readonly discovery: boolean;
}

const CONFLICT_POLICIES = ["keep-both", "newer", "local", "remote"] as const;

const ALL = switchFlag(
  "all",
  "sync with every trusted peer that is reachable; there is no PEER then",
);
const PUSH = switchFlag("push", "make the share equal to DIR");
const PULL = switchFlag("pull", "make DIR equal to the share");
const DELETE = switchFlag("delete", "with --push or --pull: delete what the source does not have");
const MAX_DELETE = valueFlag(
  "max-delete",
  "N|N%",
  "refuse if more would be deleted (default 50% of the files where there are over 20)",
  parseDeleteLimit,
);
const REPLACE_ALL = switchFlag(
  "replace-all",
  "both ways: go on though every file of a side (of over 20) has changed since the last sync",
);
const FILL_DISK = switchFlag(
  "fill-disk",
  "go on though not everything fits on the disk where it is to go: what fits is synced",
);
const DRY_RUN = switchFlag("dry-run", "print what would happen, change nothing", { short: "n" });
const ITEMIZE = switchFlag("itemize", "print a line for each change", { short: "i" });
const EXCLUDE = listFlag(
  "exclude",
  "GLOB",
  "leave out what this gitignore rule matches (repeatable)",
  (text): FilterRule => ({ kind: "exclude", glob: parseGlob(text) }),
);
const INCLUDE = listFlag(
  "include",
  "GLOB",
  "don't leave out what this rule matches; of all rules the last match wins (repeatable)",
  (text): FilterRule => ({ kind: "include", glob: parseIncludeGlob(text) }),
);
const EXCLUDE_FROM = listFlag(
  "exclude-from",
  "FILE",
  "read gitignore rules from a file, - for stdin (repeatable)",
  (text): FilterRule => ({ kind: "exclude-from", file: text }),
  { completes: "file" },
);
const WAIT = valueFlag("wait", "DURATION", "wait for the peer to appear", parseDuration);
const LOCK_WAIT = valueFlag(
  "lock-wait",
  "DURATION",
  "wait for another run on the same folder to end",
  parseDuration,
);
const CHECKSUM = switchFlag("checksum", "compare contents, not size and modification time", {
  short: "c",
});
const VERSIONS = valueFlag(
  "versions",
  "N",
  "where a file is replaced or deleted, keep its last N versions in .landropic/versions/",
  parseVersions,
);
const CONFLICT = valueFlag(
  "conflict",
  "POLICY",
  "what becomes of a file both sides changed: keep-both (default), newer, local or remote",
  choice(CONFLICT_POLICIES),
  { choices: CONFLICT_POLICIES },
);
const BWLIMIT = valueFlag(
  "bwlimit",
  "RATE",
  "at most so many bytes a second, such as 20M",
  parseRate,
);
const CONNECTIONS = valueFlag(
  "connections",
  "N",
  "1 to 4 connections to the peer (default: chosen)",
  wholeNumber(1, 4),
);
const NO_COMPRESS = switchFlag("no-compress", "don't compress on the wire");
const WATCH = switchFlag("watch", "stay, and sync again whenever either side changes");
const RETRY = valueFlag(
  "retry",
  "N",
  "how often to try again to reach the peer, or to regain it each time it is lost (default 5)",
  wholeNumber(0, 1_000_000),
);
const TIMEOUT = valueFlag(
  "timeout",
  "DURATION",
  "how long to try to reach the peer, or to regain it each time it is lost",
  parsePositiveDuration,
);

/** The command `sync`. */
export const syncSpec: CommandSpec<SyncCommand> = {
  name: "sync",
  summary: "bring a folder and a peer's share in step",
  description: "Syncs DIR with a peer's share, once and in the foreground: both ways, or one way " +
    "with --push or --pull. One-way, files that only the target has are kept unless --delete is " +
    "given. .landropicignore files in the folder are obeyed.",
  group: "Folders:",
  operands: [
    { name: "PEER[:SHARE]", help: `${PEER_HELP}; and which of its shares` },
    { name: "DIR", help: "the folder here (default: the current one)", completes: "directory" },
  ],
  flags: [
    ...[PUSH, PULL, DELETE, MAX_DELETE, REPLACE_ALL, FILL_DISK, DRY_RUN, ITEMIZE],
    ...[EXCLUDE, INCLUDE, EXCLUDE_FROM],
    ...[CHECKSUM, CONFLICT, VERSIONS, ADDRESS, ALL, WAIT, LOCK_WAIT, RETRY, TIMEOUT],
    ...[BWLIMIT, CONNECTIONS, NO_COMPRESS, WATCH, NO_DISCOVERY],
  ],
  examples: [
    ["landropic sync nas", "this folder with the share of nas, both ways"],
    ["landropic sync nas:photos ~/Photos --pull -n", "what would be fetched, changing nothing"],
    ["landropic sync nas ~/work --push --delete --max-delete 100", "an exact copy on nas"],
    ["landropic sync nas . --exclude '*.tmp' --include keep.tmp", "rules as in .gitignore"],
    ["landropic sync nas --json --wait 5m --lock-wait 1m", "from cron"],
  ],
  usesHome: true,
  build(input) {
    const { flags } = input;
    const chosen = flags.exclusive(PUSH, PULL);
    const direction = chosen === PUSH ? "push" : chosen === PULL ? "pull" : "both";
    checkDirection(direction, flags);
    const dryRun = flags.get(DRY_RUN) ?? false;
    if (dryRun) refuseTyped(flags, WATCH, "and --dry-run exclude each other");
    const rate = flags.get(BWLIMIT);
    return {
      command: "sync",
      ...readTarget(input),
      direction,
      address: flags.get(ADDRESS),
      deleteExtra: direction !== "both" && (flags.get(DELETE) ?? false),
      maxDelete: flags.get(MAX_DELETE) ?? DELETE_LIMIT_DEFAULT,
      replaceAll: flags.get(REPLACE_ALL) ?? false,
      fillDisk: flags.get(FILL_DISK) ?? false,
      dryRun,
      itemize: dryRun || (flags.get(ITEMIZE) ?? false),
      filters: readFilters(input),
      waitMs: flags.get(WAIT) ?? 0,
      lockWaitMs: flags.get(LOCK_WAIT) ?? 0,
      checksum: flags.get(CHECKSUM) ?? false,
      versions: flags.get(VERSIONS),
      conflict: flags.get(CONFLICT) ?? "keep-both",
      rateLimit: rate === 0 ? undefined : rate,
      connections: flags.get(CONNECTIONS),
      compress: !(flags.get(NO_COMPRESS) ?? false),
      watch: !dryRun && flags.get(ALL) !== true && (flags.get(WATCH) ?? false),
      retries: flags.get(RETRY) ?? RETRIES_DEFAULT,
      timeoutMs: flags.get(TIMEOUT),
      discovery: !(flags.get(NO_DISCOVERY) ?? false),
    };
  },
};

function readTarget(
  { operands, parse, flags, cwd }: CommandInput,
): Pick<SyncCommand, "target" | "dir"> {
  if (flags.get(ALL) === true) {
    if (operands.length > 1) {
      throw new UsageError("--all takes the place of PEER", "landropic sync --all [DIR]");
    }
    refuseTyped(flags, ADDRESS, "is the address of one peer, and --all means every peer");
    refuseTyped(flags, WATCH, "stays with one peer, and --all means every peer");
    return { target: { kind: "all" }, dir: absoluteDir(operands[0] ?? ".", cwd) };
  }
  if (operands.length === 0) {
    throw new UsageError("missing argument PEER[:SHARE]", "`landropic peers` lists the peers");
  }
  return {
    target: { kind: "peer", ...parse(0, parsePeerShare) },
    dir: absoluteDir(operands[1] ?? ".", cwd),
  };
}

function checkDirection(direction: SyncCommand["direction"], flags: FlagValues): void {
  if (direction === "both") {
    refuseTyped(
      flags,
      DELETE,
      "needs --push or --pull; a sync both ways carries deletes over by itself",
    );
  } else {
    refuseTyped(
      flags,
      REPLACE_ALL,
      `is for a sync both ways; --${direction} replaces what differs`,
    );
    refuseTyped(flags, CONFLICT, `is for a sync both ways; with --${direction} one side wins`);
  }
}

function readFilters({ flags, cwd }: CommandInput): readonly FilterRule[] {
  return flags.inOrder(EXCLUDE_FROM, EXCLUDE, INCLUDE).map((rule) => {
    if (rule.kind !== "exclude-from" || rule.file === "-") return rule;
    if (rule.file === "") throw new UsageError("the file of --exclude-from is the empty text");
    return { ...rule, file: resolve(cwd, rule.file) };
  });
}

const RETRIES_DEFAULT = 5;
