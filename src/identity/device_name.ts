import { decodeUtf8, utf8 } from "../base/bytes.ts";
import type { Logger } from "../base/log.ts";
import { join } from "../base/system_path.ts";
import { IdentityError } from "./identity_error.ts";
import { checkPeerName, cleanPeerName } from "./peer_name.ts";
import {
  preparePrivateFolder,
  readPrivateFile,
  replacePrivateFile,
  withFolderLock,
} from "./private_folder.ts";

/**
 * File in the identity folder with this device's name. Not config.json: there `name` is the default of
 * the flag `--name`, which names a peer, and only the user writes it.
 */
export const DEVICE_NAME_FILE = "device.json";

/** Larger files are refused unread. */
const FILE_BYTES_MAX = 64 * 1024;
/** What a device without any usable hostname is called. */
const FALLBACK_NAME = "device";

/** Where this device's name is kept. */
export interface DeviceNameOptions {
  readonly folder: string;
  /** The system's name, taken where none was stored yet. Default: this machine's. */
  readonly hostname?: string;
  readonly logger?: Logger;
}

/**
 * What this device calls itself to peers, after authentication: the `name` in device.json, else the
 * hostname's first label, which is then stored so that the name stays when the hostname changes.
 *
 * @throws {IdentityError} `device_name_broken`, `folder_unusable`, `file_unusable`, `locked`.
 */
export async function loadDeviceName(options: DeviceNameOptions): Promise<string> {
  await preparePrivateFolder(options.folder);
  const stored = nameIn(await readFields(options));
  if (stored !== "") return stored;
  return await withFolderLock(options.folder, async () => {
    const fields = await readFields(options);
    const name = nameIn(fields) || hostLabel(options.hostname ?? Deno.hostname());
    await writeFields(options, { ...fields, name });
    return name;
  });
}

/**
 * Names this device. Other fields of the file stay as they are.
 *
 * @throws {IdentityError} `name_invalid`, and as {@linkcode loadDeviceName}.
 */
export async function storeDeviceName(options: DeviceNameOptions, name: string): Promise<string> {
  const checked = checkPeerName(name);
  await preparePrivateFolder(options.folder);
  await withFolderLock(options.folder, async () => {
    await writeFields(options, { ...await readFields(options), name: checked });
  });
  return checked;
}

type Fields = Readonly<Record<string, unknown>>;

async function readFields({ folder, logger }: DeviceNameOptions): Promise<Fields> {
  const path = join(folder, DEVICE_NAME_FILE);
  const options = { bytesMax: FILE_BYTES_MAX, ...(logger && { logger }) };
  const bytes = await readPrivateFile(path, options);
  if (bytes === undefined) return {};
  let fields: unknown;
  try {
    fields = JSON.parse(decodeUtf8(bytes) ?? "");
  } catch (cause) {
    throw brokenFile(path, "it is no JSON", cause);
  }
  if (typeof fields !== "object" || fields === null || Array.isArray(fields)) {
    throw brokenFile(path, "it is no JSON object");
  }
  return fields as Fields;
}

async function writeFields({ folder }: DeviceNameOptions, config: Fields): Promise<void> {
  const text = JSON.stringify(config, undefined, 2) + "\n";
  await replacePrivateFile(join(folder, DEVICE_NAME_FILE), utf8(text));
}

/** The stored name, cleaned: the file may have been edited by hand. */
function nameIn({ name }: Fields): string {
  return typeof name === "string" ? cleanPeerName(name) : "";
}

function hostLabel(hostname: string): string {
  return cleanPeerName(hostname.split(".")[0]!) || FALLBACK_NAME;
}

function brokenFile(path: string, why: string, cause?: unknown): IdentityError {
  return new IdentityError(
    "device_name_broken",
    `Cannot read this device's name in ${path}: ${why}`,
    {
      hint: `correct ${path}, or move it away`,
      cause,
    },
  );
}
