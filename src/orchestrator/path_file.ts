import { parseIpAddress } from "../base/ip_address.ts";
import { messageOf } from "../base/errors.ts";
import type { Logger } from "../base/log.ts";
import { join } from "../base/system_path.ts";
import type { PathEvidence, PathMemory } from "../quic/mod.ts";

/** In the folder of the index. */
export const PATHS_FILE = "paths.json";
const VERSION = 1;
/** A longer one is not ours. */
const BYTES_MAX = 64 << 10;

/**
 * What the last commands learnt of network paths, by the numeric address at their other end. Only how fast
 * the next ones are depends on it: without the file, or with a bad one, nothing is known.
 */
export function readPaths(folder: string, logger: Logger): [host: string, path: PathEvidence][] {
  const file = join(folder, PATHS_FILE);
  try {
    if (Deno.statSync(file).size > BYTES_MAX) throw new RangeError(`over ${BYTES_MAX} bytes`);
    return parsePaths(Deno.readTextFileSync(file));
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) {
      logger.log("debug", "what was known of paths can't be read", { error: messageOf(error) });
    }
    return [];
  }
}

/** Keeps what is known for the next command, if it is more than before. Never throws. */
export function writePaths(folder: string, memory: PathMemory, logger: Logger): void {
  if (!memory.isChanged) return;
  const temporary = join(folder, `.${PATHS_FILE}.${Deno.pid}.tmp`);
  try {
    Deno.writeTextFileSync(temporary, formatPaths(memory.entries()), { mode: 0o600 });
    Deno.renameSync(temporary, join(folder, PATHS_FILE));
  } catch (error) {
    logger.log("debug", "what is known of paths can't be kept", { error: messageOf(error) });
  }
}

function formatPaths(paths: Iterable<readonly [string, PathEvidence]>): string {
  return JSON.stringify({ version: VERSION, paths: Object.fromEntries(paths) }) + "\n";
}

/** @throws {Error} on anything else than {@linkcode formatPaths} makes. */
function parsePaths(text: string): [string, PathEvidence][] {
  const { version, paths } = JSON.parse(text);
  if (version !== VERSION) throw new RangeError(`version ${version}`);
  return Object.entries<Partial<PathEvidence>>(paths).map(([host, { rttMs, packets, lost }]) => {
    if (!parseIpAddress(host)) throw new SyntaxError("not an address");
    if (!isCount(rttMs) || !isCount(packets) || !isCount(lost) || lost > packets) {
      throw new RangeError("not what is seen of a path");
    }
    return [host, { rttMs, packets, lost }];
  });
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value) && value >= 0;
}
