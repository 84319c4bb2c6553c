import type { FileKind, FileStat, ListedEntry } from "../file_stat.ts";
import { scratch } from "./scratch.ts";

/** Size of `struct statx`, which is the same on all processors, unlike `struct stat`. */
export const STATX_BYTES = 256;
/** Everything `stat` has, and the mount. */
export const STATX_MASK = 0x7ff;

/** The buffer that `statx` fills; read it with the functions below before the next call. */
export const statxBuffer = scratch(STATX_BYTES);

const u16 = new Uint16Array(statxBuffer.buffer);
const u32 = new Uint32Array(statxBuffer.buffer);
const i32 = new Int32Array(statxBuffer.buffer);

const TWO_32 = 0x1_0000_0000;
const ATTRIBUTE_MOUNT_ROOT = 0x2000;

const KIND_OF_FORMAT: FileKind[] = [];
for (let format = 0; format < 16; format++) KIND_OF_FORMAT[format] = "other";
KIND_OF_FORMAT[0o10] = "file";
KIND_OF_FORMAT[0o04] = "dir";
KIND_OF_FORMAT[0o12] = "link";

/** The state in the buffer. */
export function readStatx(): FileStat {
  return new Stat();
}

/** The state in the buffer, with a name. */
export function readListedStatx(
  name: string | undefined,
  rawName: Uint8Array | undefined,
): ListedEntry {
  return new Listed(name, rawName);
}

/** What is in the buffer at the moment of asking, for who looks at it and keeps nothing. */
class StatxView implements FileStat {
  get kind(): FileKind {
    return KIND_OF_FORMAT[u16[14]! >> 12]!;
  }
  get mode(): number {
    return u16[14]! & 0o7777;
  }
  get nlink(): number {
    return u32[4]!;
  }
  get ino(): number {
    // Wider numbers exist (network and overlay file systems); folding keeps them telling apart.
    return u32[8]! + ((u32[9]! & 0x1f_ffff) ^ (u32[9]! >>> 21)) * TWO_32;
  }
  get size(): number {
    return u32[10]! + u32[11]! * TWO_32;
  }
  get blocks(): number {
    return u32[12]! + u32[13]! * TWO_32;
  }
  get ctimeMs(): number {
    return milliseconds(24);
  }
  get ctimeNs(): number {
    return u32[26]! % 1_000_000;
  }
  get mtimeMs(): number {
    return milliseconds(28);
  }
  get mtimeNs(): number {
    return u32[30]! % 1_000_000;
  }
  get dev(): number {
    return u32[34]! * 0x10_0000 + u32[35]!;
  }
  get mountPoint(): boolean {
    return (u32[2]! & ATTRIBUTE_MOUNT_ROOT) !== 0;
  }
}

/** The state in the buffer, without a copy: it changes with the next call. */
export const statxView: FileStat = new StatxView();

// Classes rather than literals: all fields are set in one place and every object has one shape.
class Stat implements FileStat {
  readonly kind: FileKind = statxView.kind;
  readonly mode: number = statxView.mode;
  readonly nlink: number = statxView.nlink;
  readonly ino: number = statxView.ino;
  readonly size: number = statxView.size;
  readonly blocks: number = statxView.blocks;
  readonly ctimeMs: number = statxView.ctimeMs;
  readonly ctimeNs: number = statxView.ctimeNs;
  readonly mtimeMs: number = statxView.mtimeMs;
  readonly mtimeNs: number = statxView.mtimeNs;
  readonly dev: number = statxView.dev;
  readonly mountPoint: boolean = statxView.mountPoint;
}

class Listed extends Stat implements ListedEntry {
  constructor(
    readonly name: string | undefined,
    readonly rawName: Uint8Array | undefined,
  ) {
    super();
  }
}

/** Reads `{i64 seconds, u32 nanoseconds}`; the nanoseconds count upwards also before 1970. */
function milliseconds(at: number): number {
  return (u32[at]! + i32[at + 1]! * TWO_32) * 1000 + Math.floor(u32[at + 2]! / 1_000_000);
}

/** Two `struct timespec`: of the last access, and of the modification. */
export class TimeBuffer {
  readonly bytes = scratch(32);
  readonly #u32 = new Uint32Array(this.bytes.buffer);

  /**
   * The time of the last access is set too, to now: many file systems in user space (libfuse 2) do nothing
   * where one of both is left out.
   *
   * @param mtimeMs Whole milliseconds since the Unix epoch; may be negative.
   */
  set(mtimeMs: number): void {
    const nowMs = Date.now();
    this.#u32[0] = Math.floor(nowMs / 1000);
    this.#u32[2] = nowMs % 1000 * 1_000_000;
    const seconds = Math.floor(mtimeMs / 1000);
    // Cheaper than a bigint; the high word carries the sign.
    this.#u32[4] = seconds >>> 0;
    this.#u32[5] = Math.floor(seconds / TWO_32);
    this.#u32[6] = (mtimeMs - seconds * 1000) * 1_000_000;
  }
}
