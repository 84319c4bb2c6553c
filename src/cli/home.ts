/** Where this device keeps its state. */
import { LandropicError, messageOf } from "../base/errors.ts";
import { join, resolve } from "../base/system_path.ts";
import type { Environment } from "./flag_values.ts";

/** The folders of one device; the same one twice where `LANDROPIC_HOME` names it. */
export interface HomePaths {
  /** Identity, trusted peers and config. Absolute. */
  readonly configDir: string;
  /** The index. Absolute. */
  readonly stateDir: string;
}

/**
 * Finds the state folders: `LANDROPIC_HOME`, else `landropic` in the XDG config and state folders,
 * else in `~/.config` and `~/.local/state` (on Windows, in the application data folders).
 *
 * A function of its arguments alone; nothing is created. Relative XDG variables are ignored, as the
 * XDG base directory specification asks.
 *
 * @param cwd Absolute; a relative `LANDROPIC_HOME` starts here.
 * @throws {LandropicError} `storage` where the environment names no home at all.
 */
export function findHome(environment: Environment, cwd: string, isWindows: boolean): HomePaths {
  const own = environment["LANDROPIC_HOME"];
  if (own) return { configDir: resolve(cwd, own), stateDir: resolve(cwd, own) };
  const roots = isWindows ? windowsRoots(environment) : unixRoots(environment);
  const folder = (root: string | undefined) => {
    if (root !== undefined) return join(root, "landropic");
    throw new LandropicError(
      "storage",
      "Cannot find this user's home folder",
      "set LANDROPIC_HOME to a folder for landropic's state",
    );
  };
  return { configDir: folder(roots.config), stateDir: folder(roots.state) };
}

/**
 * Creates the state folders that are missing, for this user alone (0700). An empty one that others
 * may enter is closed to them. Does nothing about permissions on Windows.
 *
 * @throws {LandropicError} `storage` where a folder cannot be made, is a file, or holds files while
 * others may write to it, which would let them change whom this device trusts.
 */
export function createHome({ configDir, stateDir }: HomePaths, isWindows: boolean): void {
  for (const folder of new Set([configDir, stateDir])) createPrivateFolder(folder, isWindows);
}

interface Roots {
  readonly config: string | undefined;
  readonly state: string | undefined;
}

function unixRoots(environment: Environment): Roots {
  const home = absolute(environment["HOME"]);
  const below = (...parts: string[]) => home === undefined ? undefined : join(home, ...parts);
  return {
    config: absolute(environment["XDG_CONFIG_HOME"]) ?? below(".config"),
    state: absolute(environment["XDG_STATE_HOME"]) ?? below(".local", "state"),
  };
}

function windowsRoots(environment: Environment): Roots {
  return {
    config: environment["APPDATA"] || undefined,
    state: environment["LOCALAPPDATA"] || environment["APPDATA"] || undefined,
  };
}

function absolute(path: string | undefined): string | undefined {
  return path?.startsWith("/") ? path : undefined;
}

function createPrivateFolder(folder: string, isWindows: boolean): void {
  try {
    Deno.mkdirSync(folder, { recursive: true, mode: PRIVATE_MODE });
    const mode = Deno.statSync(folder).mode ?? 0;
    if (isWindows || (mode & 0o077) === 0) return;
    if (isEmpty(folder)) Deno.chmodSync(folder, PRIVATE_MODE);
    else if ((mode & 0o022) !== 0) throw openFolder(folder);
  } catch (error) {
    if (error instanceof LandropicError) throw error;
    throw new LandropicError(
      "storage",
      `Cannot use ${folder} for landropic's state: ${messageOf(error)}`,
      "set LANDROPIC_HOME to a folder this user can write to",
      error,
    );
  }
}

function isEmpty(folder: string): boolean {
  for (const _ of Deno.readDirSync(folder)) return false;
  return true;
}

function openFolder(folder: string): LandropicError {
  return new LandropicError(
    "storage",
    `Cannot use ${folder} for landropic's state: others may write to it`,
    `chmod 700 ${folder}, or set LANDROPIC_HOME to another folder`,
  );
}

const PRIVATE_MODE = 0o700;
