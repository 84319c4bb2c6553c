import { LandropicError } from "../base/errors.ts";

/**
 * Why an operation on the file system failed, told apart as far as somebody can act on it.
 *
 * - `closed`: the root or file was disposed before.
 * - `changed`: what is there is not what the caller expected; nothing was done.
 * - `symlink`: a name in the path is a symbolic link, which is never followed.
 * - `unsupported`: the file system or the platform can't do it.
 */
export type StoreReason =
  | "not_found"
  | "denied"
  | "read_only"
  | "no_space"
  | "not_a_directory"
  | "is_a_directory"
  | "exists"
  | "not_empty"
  | "symlink"
  | "not_regular"
  | "other_filesystem"
  | "name_too_long"
  | "invalid_name"
  | "file_too_large"
  | "too_many_open_files"
  | "busy"
  | "closed"
  | "changed"
  | "locked"
  | "unsupported"
  | "io";

/** A failure of the file system beneath a share, or of something in landropic's own folder. */
export class StoreError extends LandropicError {
  override readonly name = "StoreError";

  /**
   * @param reason What went wrong; decides the hint.
   * @param action What was tried, with the path: `Cannot write "photos/a.jpg"`.
   * @param options.detail Replaces the standard words for the reason.
   * @param options.systemCode The system's own name of the error, `ENOSPC`.
   */
  constructor(
    readonly reason: StoreReason,
    action: string,
    options: { detail?: string; hint?: string; systemCode?: string; cause?: unknown } = {},
  ) {
    const system = options.systemCode === undefined ? "" : ` (${options.systemCode})`;
    super(
      reason === "locked" ? "locked" : "storage",
      `${action}: ${options.detail ?? WORDS[reason]}${system}`,
      options.hint ?? HINTS[reason],
      options.cause,
    );
  }
}

/** The action of an error message: `Cannot read "photos/a.jpg"`. */
export function actionOn(verb: string, path: string): string {
  return `Cannot ${verb} ${path === "" ? "the root" : JSON.stringify(path)}`;
}

/** Maps the system's name for an error to a reason; what is not in the table is `io`. */
export function reasonOfCode(systemCode: string | undefined): StoreReason {
  return REASON_OF_CODE[systemCode ?? ""] ?? "io";
}

/** The reason of a failure, `undefined` for what is not a {@linkcode StoreError}. */
export function reasonOf(error: unknown): StoreReason | undefined {
  return error instanceof StoreError ? error.reason : undefined;
}

/** Turns an error of `node:fs` or of Deno into a {@linkcode StoreError}; keeps one that is. */
export function asStoreError(error: unknown, action: string): StoreError {
  if (error instanceof StoreError) return error;
  const code = codeOf(error);
  return new StoreError(reasonOfCode(code), action, {
    ...(code === undefined ? {} : { systemCode: code }),
    cause: error,
  });
}

function codeOf(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  const code = (error as { code?: unknown }).code;
  if (typeof code === "string") return code;
  return CODE_OF_DENO_ERROR[error.name];
}

const CODE_OF_DENO_ERROR: Record<string, string> = {
  NotFound: "ENOENT",
  PermissionDenied: "EACCES",
  AlreadyExists: "EEXIST",
  NotADirectory: "ENOTDIR",
  IsADirectory: "EISDIR",
  FilesystemLoop: "ELOOP",
  NotSupported: "ENOTSUP",
};

const REASON_OF_CODE: Record<string, StoreReason> = {
  ENOENT: "not_found",
  EACCES: "denied",
  EPERM: "denied",
  EROFS: "read_only",
  ENOSPC: "no_space",
  EDQUOT: "no_space",
  ENOTDIR: "not_a_directory",
  EISDIR: "is_a_directory",
  EEXIST: "exists",
  ENOTEMPTY: "not_empty",
  ELOOP: "symlink",
  EXDEV: "other_filesystem",
  ENAMETOOLONG: "name_too_long",
  EINVAL: "invalid_name",
  EILSEQ: "invalid_name",
  EFBIG: "file_too_large",
  EMFILE: "too_many_open_files",
  ENFILE: "too_many_open_files",
  EBADF: "closed",
  EBUSY: "busy",
  // Opening without waiting a file that another program holds a lease on.
  EAGAIN: "busy",
  ETXTBSY: "busy",
  ENOSYS: "unsupported",
  EOPNOTSUPP: "unsupported",
  ENOTSUP: "unsupported",
  ENXIO: "not_regular",
};

const WORDS: Record<StoreReason, string> = {
  not_found: "it does not exist",
  denied: "permission denied",
  read_only: "the file system is read-only",
  no_space: "no space left on the disk",
  not_a_directory: "a name in the path is not a directory",
  is_a_directory: "it is a directory",
  exists: "it exists already",
  not_empty: "the directory is not empty",
  symlink: "a name in the path is a symbolic link",
  not_regular: "it is not a regular file",
  other_filesystem: "it lies on another file system",
  name_too_long: "the name or path is too long",
  invalid_name: "the file system refuses the name",
  file_too_large: "the file is too large for the file system",
  too_many_open_files: "too many open files",
  busy: "it is in use",
  closed: "it was closed already",
  changed: "it changed in the meantime",
  locked: "it is locked",
  unsupported: "the file system can't do this",
  io: "input/output error",
};

const HINTS: { readonly [reason in StoreReason]?: string } = {
  denied: "Check who owns the folder and its permissions.",
  read_only: "Mount the file system writable, or share another folder.",
  no_space: "Free space on the disk that holds the folder, then sync again: what arrived is kept.",
  too_many_open_files: "Raise the limit of open files (ulimit -n).",
  changed: "Sync again: the new state is then taken into account.",
  not_empty: "The directory holds files that are not synced; move them, then sync again.",
};
