import { type ErrorCode, LandropicError, messageOf } from "../base/errors.ts";

/** Every way in which the index fails, by what it means to the user. */
const CODE_OF_REASON = {
  /** The file is damaged. It is set aside when the index is next opened, and a fresh one is made. */
  corrupt: "storage",
  /** A later landropic wrote it; this one must not touch it. */
  newer: "storage",
  /** Another process held it for longer than the busy timeout. */
  busy: "locked",
  /** No space left, or over a quota. */
  full: "storage",
  /** Not readable, not writable, or the disk failed. */
  unusable: "storage",
  /** What was remembered of the root was thrown away while this process worked with it. */
  root_void: "failed",
} as const satisfies Record<string, ErrorCode>;

/** Exactly why the index failed. */
export type IndexReason = keyof typeof CODE_OF_REASON;

const HINT_OF_REASON: { readonly [reason in IndexReason]?: string } = {
  corrupt:
    "Run the command again: the index is made anew. Nothing is deleted anywhere for want of it.",
  newer: "Use the newer landropic, or move the file away to start with an empty index.",
  busy: "Wait for the other landropic on this device to finish.",
  full: "Free space on the disk that holds landropic's state folder.",
  // Where there is no room for its shared memory, SQLite speaks of an I/O error.
  unusable:
    "See that the disk of landropic's state folder has room and works, and its permissions.",
  root_void: "Run the command again.",
};

/** A failure of the index; `reason` is the machine form, `code` follows from it. */
export class IndexError extends LandropicError {
  override readonly name = "IndexError";
  constructor(readonly reason: IndexReason, message: string, cause?: unknown) {
    super(CODE_OF_REASON[reason], message, HINT_OF_REASON[reason], cause);
  }
}

/**
 * Turns what SQLite threw into an {@linkcode IndexError} where the cause lies outside this program;
 * anything else (a wrong statement, a constraint) is a bug of ours and is returned as it is.
 */
export function asIndexError(error: unknown, path: string): unknown {
  if (error instanceof IndexError) return error;
  const reason = reasonOfSqlite(error);
  if (reason === undefined) return error;
  return new IndexError(reason, `Cannot use index ${path}: ${messageOf(error)}`, error);
}

function reasonOfSqlite(error: unknown): IndexReason | undefined {
  if (!(error instanceof Error) || (error as { code?: unknown }).code !== "ERR_SQLITE_ERROR") {
    return undefined;
  }
  const { errcode } = error as { errcode?: unknown };
  // The upper bits of an extended result code only refine the lower eight.
  if (typeof errcode === "number") return REASON_OF_RESULT[errcode & 0xff];
  return REASON_OF_TEXT.find(([text]) => error.message.includes(text))?.[1];
}

/** Primary result codes of SQLite (sqlite.org/rescode.html). */
const REASON_OF_RESULT: { readonly [code: number]: IndexReason } = {
  3: "unusable", // SQLITE_PERM
  5: "busy",
  6: "busy", // SQLITE_LOCKED
  8: "unusable", // SQLITE_READONLY
  10: "unusable", // SQLITE_IOERR
  11: "corrupt",
  13: "full",
  14: "unusable", // SQLITE_CANTOPEN
  15: "busy", // SQLITE_PROTOCOL: lost the race for the WAL too often
  22: "unusable", // SQLITE_NOLFS
  23: "unusable", // SQLITE_AUTH
  26: "corrupt", // SQLITE_NOTADB
};

/** Opening a database, unlike using one, throws without a result code. */
const REASON_OF_TEXT: readonly (readonly [string, IndexReason])[] = [
  ["not a database", "corrupt"],
  ["malformed", "corrupt"],
  ["is locked", "busy"],
  ["is full", "full"],
  ["unable to open", "unusable"],
  ["readonly", "unusable"],
  ["disk I/O error", "unusable"],
];
