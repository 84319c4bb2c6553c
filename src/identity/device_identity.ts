import type { Clock } from "../base/clock.ts";
import { messageOf } from "../base/errors.ts";
import { type Logger, silentLogger } from "../base/log.ts";
import { join } from "../base/system_path.ts";
import { CLOCK_SLACK_MS } from "./certificate_verifier.ts";
import { IdentityError } from "./identity_error.ts";
import {
  type DeviceIdentity,
  encodeIdentity,
  IDENTITY_BYTES_MAX,
  issueIdentity,
  parseIdentity,
} from "./identity_file.ts";
import {
  createPrivateFile,
  movePrivateFile,
  preparePrivateFolder,
  readPrivateFile,
  replacePrivateFile,
  withFolderLock,
} from "./private_folder.ts";
import { ROTATION_SWITCH_MS } from "./rotation.ts";

/** File in the identity folder with key and certificate, PEM, mode 0600. */
export const IDENTITY_FILE = "device.pem";
/** File with the key that a running rotation leads to; there only while one runs. */
export const NEXT_IDENTITY_FILE = "device-next.pem";

/** Share of its lifetime after which a certificate is issued anew. */
const REISSUE_AT = 0.8;
/** A clock before this is wrong: there was no landropic. A board without a battery starts in 1970. */
const EARLIEST_NOW_MS = Date.UTC(2026, 0, 1);

/** Where an identity lives and what time it is. */
export interface IdentityOptions {
  /** The state folder; created with mode 0700. */
  readonly folder: string;
  readonly clock: Pick<Clock, "wallMs">;
  /** Hears of re-issued certificates and of permissions that had to be tightened. */
  readonly logger?: Logger;
}

/** The key a device is moving to. */
export interface NextIdentity {
  readonly identity: DeviceIdentity;
  /** When the device starts to use it, milliseconds since the Unix epoch; a long run reloads then. */
  readonly switchAtMs: number;
}

/**
 * Loads this device's identity; makes it on the first start. The usual start only reads: under 10 ms, and the
 * X.509 library stays unloaded. Of two first starts at once one makes the identity and both get it.
 *
 * A certificate past 80 % of its life is issued anew with the same key, so the id stays; where that
 * can't be written, the old one serves on. A rotation begun {@linkcode ROTATION_SWITCH_MS} ago ends
 * here: the next key becomes the key.
 *
 * @throws {IdentityError} `folder_unusable`, `file_unusable`, `identity_broken`, `identity_mismatch`,
 * `locked`. A damaged identity is never replaced by a new one.
 */
export async function loadOrCreateIdentity(options: IdentityOptions): Promise<DeviceIdentity> {
  await preparePrivateFolder(options.folder);
  const found = await readIdentity(options, IDENTITY_FILE);
  if (found === undefined) return await withFolderLock(options.folder, () => create(options));
  try {
    return await upkeep(options, found);
  } catch (error) {
    // Nothing here is urgent: the next start tries again.
    logger(options).log("warn", "cannot renew the device certificate", { error: messageOf(error) });
    return found;
  }
}

/**
 * Begins to move this device to a new key, or returns the rotation that already runs. The old key
 * stays in use for {@linkcode ROTATION_SWITCH_MS}; in that time every session tells its peer with
 * {@linkcode createRotation}. Peers not met by then have to pair again.
 *
 * @throws {IdentityError} as {@linkcode loadOrCreateIdentity}.
 */
export async function beginRotation(options: IdentityOptions): Promise<NextIdentity> {
  await loadOrCreateIdentity(options);
  const running = await loadNextIdentity(options);
  if (running !== undefined) return running;
  return await withFolderLock(options.folder, async () => {
    const next = await issueIdentity(plausibleNowMs(options));
    await createPrivateFile(join(options.folder, NEXT_IDENTITY_FILE), encodeIdentity(next));
    return (await loadNextIdentity(options))!;
  });
}

/** The key that a running rotation leads to, or `undefined` where none runs. Reads one small file. */
export async function loadNextIdentity(
  options: IdentityOptions,
): Promise<NextIdentity | undefined> {
  const identity = await readIdentity(options, NEXT_IDENTITY_FILE);
  if (identity === undefined) return undefined;
  // The rotation began when this certificate was made.
  return { identity, switchAtMs: identity.notBeforeMs + ROTATION_SWITCH_MS };
}

/** Runs under the folder's lock. */
async function create(options: IdentityOptions): Promise<DeviceIdentity> {
  const first = await readIdentity(options, IDENTITY_FILE);
  if (first !== undefined) return first;
  const path = join(options.folder, IDENTITY_FILE);
  const made = await issueIdentity(plausibleNowMs(options));
  if (await createPrivateFile(path, encodeIdentity(made))) return made;
  const winner = await readIdentity(options, IDENTITY_FILE);
  if (winner !== undefined) return winner;
  throw new IdentityError("file_unusable", `Cannot use the file ${path}: it leads nowhere`, {
    hint: `remove the broken link ${path}`,
  });
}

/** Ends a rotation that is due and renews a certificate that is; under the lock only if one is. */
async function upkeep(options: IdentityOptions, found: DeviceIdentity): Promise<DeviceIdentity> {
  const isDue = isReissueDue(options, found) || await isSwitchDue(options);
  if (!isDue) return found;
  return await withFolderLock(options.folder, async () => {
    const path = join(options.folder, IDENTITY_FILE);
    if (await isSwitchDue(options)) {
      await movePrivateFile(join(options.folder, NEXT_IDENTITY_FILE), path);
      logger(options).log("info", "the rotation is over: this device has its new id");
    }
    const current = await readIdentity(options, IDENTITY_FILE) ?? found;
    if (!isReissueDue(options, current)) return current;
    const renewed = await current.reissue(plausibleNowMs(options));
    await replacePrivateFile(path, encodeIdentity(renewed));
    logger(options).log("info", "issued the device certificate anew", { id: renewed.id });
    return renewed;
  });
}

async function isSwitchDue(options: IdentityOptions): Promise<boolean> {
  const next = await loadNextIdentity(options);
  return next !== undefined && options.clock.wallMs() >= next.switchAtMs;
}

/** Also true for a certificate from a clock that ran far ahead: peers refuse it as not yet valid. */
function isReissueDue(options: IdentityOptions, identity: DeviceIdentity): boolean {
  const nowMs = plausibleNowMs(options);
  const { notBeforeMs, notAfterMs } = identity;
  const dueMs = notBeforeMs + (notAfterMs - notBeforeMs) * REISSUE_AT;
  return nowMs >= dueMs || nowMs < notBeforeMs - CLOCK_SLACK_MS;
}

async function readIdentity(
  options: IdentityOptions,
  name: string,
): Promise<DeviceIdentity | undefined> {
  const path = join(options.folder, name);
  const bytes = await readPrivateFile(path, {
    bytesMax: IDENTITY_BYTES_MAX,
    logger: logger(options),
  });
  return bytes === undefined ? undefined : parseIdentity(bytes, path);
}

function plausibleNowMs({ clock }: IdentityOptions): number {
  return Math.max(clock.wallMs(), EARLIEST_NOW_MS);
}

function logger(options: IdentityOptions): Logger {
  return options.logger ?? silentLogger;
}
