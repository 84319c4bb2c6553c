import { openSystemLibrary } from "../../base/system_library.ts";
import { actionOn, reasonOfCode, StoreError } from "../store_error.ts";

const SYMBOLS = {
  __errno_location: { parameters: [], result: "pointer" },
  syscall: {
    parameters: ["i64", "i64", "buffer", "buffer", "i64"],
    result: "i32",
  },
  fchmodat2: {
    name: "syscall",
    parameters: ["i64", "i64", "buffer", "i64", "i64"],
    result: "i32",
  },
  openat: { parameters: ["i32", "buffer", "i32", "u32"], result: "i32" },
  close: { parameters: ["i32"], result: "i32" },
  getdents64: { parameters: ["i32", "buffer", "u32"], result: "i32" },
  statx: { parameters: ["i32", "buffer", "i32", "u32", "buffer"], result: "i32" },
  // The same for a name among others in a buffer: a view of each would cost as much as the call.
  statxAt: {
    name: "statx",
    parameters: ["i32", "u64", "i32", "u32", "buffer"],
    result: "i32",
  },
  readlinkat: { parameters: ["i32", "buffer", "buffer", "u32"], result: "i32" },
  pread: { parameters: ["i32", "buffer", "u32", "i64"], result: "i32" },
  pwrite: { parameters: ["i32", "buffer", "u32", "i64"], result: "i32" },
  ftruncate: { parameters: ["i32", "i64"], result: "i32" },
  fchmod: { parameters: ["i32", "u32"], result: "i32" },
  chmod: { parameters: ["buffer", "u32"], result: "i32" },
  futimens: { parameters: ["i32", "buffer"], result: "i32" },
  utimensat: { parameters: ["i32", "buffer", "buffer", "i32"], result: "i32" },
  mkdirat: { parameters: ["i32", "buffer", "u32"], result: "i32" },
  unlinkat: { parameters: ["i32", "buffer", "i32"], result: "i32" },
  symlinkat: { parameters: ["buffer", "i32", "buffer"], result: "i32" },
  linkat: { parameters: ["i32", "buffer", "i32", "buffer", "i32"], result: "i32" },
  renameat2: { parameters: ["i32", "buffer", "i32", "buffer", "u32"], result: "i32" },
  fstatfs: { parameters: ["i32", "buffer"], result: "i32" },
  inotify_init1: { parameters: ["i32"], result: "i32" },
  inotify_add_watch: { parameters: ["i32", "buffer", "u32"], result: "i32" },
  inotify_rm_watch: { parameters: ["i32", "i32"], result: "i32" },
  read: { parameters: ["i32", "buffer", "u32"], result: "i32" },
  // On a thread of its own, so that the event loop goes on.
  poll: { parameters: ["buffer", "u64", "i32"], result: "i32", nonblocking: true },
  copy_file_range: {
    parameters: ["i32", "buffer", "i32", "buffer", "usize", "u32"],
    result: "isize",
    nonblocking: true,
  },
  fcntl: { parameters: ["i32", "i32", "i32"], result: "i32" },
  ioctl: { parameters: ["i32", "u64", "i32"], result: "i32", nonblocking: true },
  fsync: { parameters: ["i32"], result: "i32", nonblocking: true },
  syncfs: { parameters: ["i32"], result: "i32", nonblocking: true },
} as const;

/** What a run that finds nothing changed calls. A library with `statx` (glibc 2.28) has all the others. */
const FOR_READING = [
  ...["__errno_location", "syscall", "openat", "close", "getdents64", "statx", "statxAt"],
  ...["pread", "fstatfs"],
] as const;

type Declared = Deno.DynamicLibrary<typeof SYMBOLS>["symbols"];

/** 64-bit arguments may be numbers too, which are faster and exact for all sizes a file can have. */
type Loose<Call> = Call extends (...given: infer Given) => infer Result ? (
    ...given: { [I in keyof Given]: Given[I] extends bigint ? number | bigint : Given[I] }
  ) => Result
  : never;

type Symbols = { readonly [Name in keyof Declared]: Loose<Declared[Name]> };

const arm = Deno.build.arch === "aarch64";

/** `open` flags; three of them differ between processors. */
export const O = {
  RDONLY: 0,
  WRONLY: 1,
  RDWR: 2,
  CREAT: 0o100,
  EXCL: 0o200,
  NONBLOCK: 0o4000,
  CLOEXEC: 0o2000000,
  PATH: 0o10000000,
  DIRECTORY: arm ? 0o40000 : 0o200000,
  NOFOLLOW: arm ? 0o100000 : 0o400000,
  TMPFILE: 0o20000000 | (arm ? 0o40000 : 0o200000),
} as const;

/** Directory descriptor of the working directory, and flags of the `*at` calls. */
export const AT = {
  FDCWD: -100,
  SYMLINK_NOFOLLOW: 0x100,
  REMOVEDIR: 0x200,
  SYMLINK_FOLLOW: 0x400,
  NO_AUTOMOUNT: 0x800,
  EMPTY_PATH: 0x1000,
} as const;

/** Flags of `renameat2`. */
export const RENAME = { NOREPLACE: 1, EXCHANGE: 2 } as const;

/** System calls without a wrapper in the C library; the same numbers on x86-64 and ARM64. */
export const SYS = { openat2: 437, fchmodat2: 452 } as const;

/** Error numbers that are handled; the same on x86-64 and ARM64. */
export const E = {
  PERM: 1,
  NOENT: 2,
  INTR: 4,
  NOMEM: 12,
  EXIST: 17,
  INVAL: 22,
  ISDIR: 21,
  NOTDIR: 20,
  ROFS: 30,
  NOSPC: 28,
  LOOP: 40,
  NOSYS: 38,
  XDEV: 18,
  OPNOTSUPP: 95,
} as const;

/** The C library, loaded once a thread. */
export interface Libc {
  readonly call: Symbols;
  /**
   * The error number of the last failed synchronous call on this thread. Of a call that ran beside
   * the event loop there is none: it was set on another thread.
   */
  errno(): number;
}

let loaded: Libc | undefined | null;

/**
 * Loads the C library; `undefined` where that is not possible: another system, an old C library, or
 * no permission.
 */
export function loadLibc(): Libc | undefined {
  if (loaded === undefined) loaded = tryLoad() ?? null;
  return loaded ?? undefined;
}

function tryLoad(): Libc | undefined {
  // The layouts of the structures in this folder are those of 64-bit little-endian Linux.
  if (Deno.build.os !== "linux") return undefined;
  try {
    const call = openSystemLibrary("libc.so.6", SYMBOLS, FOR_READING);
    const location = call.__errno_location();
    if (location === null) return undefined;
    // The place is fixed for the life of the thread, so reading it costs no call that could
    // overwrite it.
    const errno = new Int32Array(Deno.UnsafePointerView.getArrayBuffer(location, 4));
    return { call: call as Symbols, errno: () => errno[0]! };
  } catch {
    return undefined;
  }
}

/**
 * The failure of the call just made.
 *
 * @param verb What was tried: `read`.
 * @param path Relative to the root.
 */
export function failure(libc: Libc, verb: string, path: string): StoreError {
  const code = nameOfErrno(libc.errno());
  return new StoreError(reasonOfCode(code), actionOn(verb, path), { systemCode: code });
}

/** `ENOENT` for 2, and so on; a number for the rare ones. */
export function nameOfErrno(errno: number): string {
  return ERRNO_NAMES[errno] ?? `errno ${errno}`;
}

const ERRNO_NAMES: Record<number, string> = {
  1: "EPERM",
  2: "ENOENT",
  4: "EINTR",
  5: "EIO",
  6: "ENXIO",
  9: "EBADF",
  11: "EAGAIN",
  12: "ENOMEM",
  13: "EACCES",
  16: "EBUSY",
  17: "EEXIST",
  18: "EXDEV",
  20: "ENOTDIR",
  21: "EISDIR",
  22: "EINVAL",
  23: "ENFILE",
  24: "EMFILE",
  26: "ETXTBSY",
  27: "EFBIG",
  28: "ENOSPC",
  30: "EROFS",
  31: "EMLINK",
  36: "ENAMETOOLONG",
  38: "ENOSYS",
  39: "ENOTEMPTY",
  40: "ELOOP",
  75: "EOVERFLOW",
  84: "EILSEQ",
  95: "EOPNOTSUPP",
  116: "ESTALE",
  122: "EDQUOT",
};
