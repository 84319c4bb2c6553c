import { LandropicError } from "../../base/errors.ts";

/** A recipe, a group list or a chunk list that is not in its one valid form, or not the one named. */
export class RecipeError extends LandropicError {
  override readonly name = "RecipeError";
  constructor(message: string, cause?: unknown) {
    super("protocol", `Recipe refused: ${message}`, undefined, cause);
  }
}

/** The bytes read don't add up to the size that was announced: the file changed under the reader. */
export class FileChangedError extends LandropicError {
  override readonly name = "FileChangedError";
  /**
   * @param announcedBytes The size before reading began.
   * @param seenBytes How far reading got: less if the file shrank, more if it grew.
   */
  constructor(readonly announcedBytes: number, readonly seenBytes: number) {
    super(
      "storage",
      `Cannot hash file: it had ${announcedBytes} bytes and now has ${
        seenBytes < announcedBytes ? seenBytes : `more`
      }`,
      "the file changes while it is read; the next sync takes it",
    );
  }
}

/** A file has more bytes than a recipe can describe ({@linkcode FILE_BYTES_MAX}). */
export class FileTooLargeError extends LandropicError {
  override readonly name = "FileTooLargeError";
  constructor(readonly sizeBytes: number, readonly limitBytes: number) {
    super("storage", `Cannot chunk file: ${sizeBytes} bytes are over the limit of ${limitBytes}`);
  }
}
