import type { Clock } from "../../src/base/clock.ts";
import type { Digest } from "../../src/base/digest.ts";
import { sha256 } from "../../src/base/digest.ts";
import type { DeviceId } from "../../src/base/ids.ts";
import { utf8 } from "../../src/base/bytes.ts";
import type { LogFields, Logger, LogLevel } from "../../src/base/log.ts";
import {
  type EntryRecord,
  type Index,
  type IndexOptions,
  openIndex,
  type PeerFolder,
} from "../../src/index/mod.ts";

export const DEVICE = "DEVICE-ONE" as DeviceId;
export const PEER: PeerFolder = {
  peer: "DEVICE-TWO" as DeviceId,
  share: "photos",
  folderId: "their-folder",
  epoch: "their-epoch",
};
export const ROOT = { path: "/home/me/photos", folderId: "my-folder" };

/** A logger that keeps what it was told. */
export class MemoryLogger implements Logger {
  readonly lines: { level: LogLevel; message: string; fields: LogFields }[] = [];
  log(level: LogLevel, message: string, fields: LogFields = {}): void {
    this.lines.push({ level, message, fields });
  }
}

/** A clock that is set by hand. */
export class FakeClock implements Clock {
  constructor(public ms = 1_700_000_000_000) {}
  nowMs(): number {
    return this.ms;
  }
  wallMs(): number {
    return this.ms;
  }
}

/** A folder of its own for one test, with the index in it. */
export class TempIndex implements Disposable {
  readonly folder = Deno.makeTempDirSync({ prefix: "landropic-index-" });
  readonly path = `${this.folder}/index.db`;
  readonly logger = new MemoryLogger();
  readonly clock = new FakeClock();

  open(options: Partial<IndexOptions> = {}): Promise<Index> {
    return openIndex({
      path: this.path,
      deviceId: DEVICE,
      logger: this.logger,
      clock: this.clock,
      ...options,
    });
  }

  /** Names of the files in the folder, sorted. */
  files(): string[] {
    return [...Deno.readDirSync(this.folder)].map((entry) => entry.name).sort();
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.folder, { recursive: true });
  }
}

/** A file in a record, as a scan would note it. */
export function fileRecord(name: string, changes: Partial<EntryRecord> = {}): EntryRecord {
  return {
    name,
    kind: "file",
    mode: 0o644,
    size: 8,
    mtimeMs: 1_700_000_000_000,
    mtimeNs: 0,
    ctimeMs: 1_700_000_000_000,
    ctimeNs: 0,
    ino: 1,
    racy: false,
    digest: undefined,
    target: undefined,
    vector: undefined,
    ...changes,
  };
}

/** A record with these entries. */
export function dirRecord(...entries: EntryRecord[]) {
  return { scannedAtMs: 1_700_000_000_000, shape: undefined, entries, tombstones: [] };
}

/** Some digest, the same for the same text. */
export function digestOf(text: string | number): Digest {
  return sha256(utf8(String(text)));
}
