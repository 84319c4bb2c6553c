import { LandropicError } from "../../base/errors.ts";
import { StoreError } from "../store_error.ts";

/** A recipe, a group list or a chunk list that is not in its one valid form, or not the one named. */
export class RecipeError extends LandropicError {
  override readonly name = "RecipeError";
  constructor(message: string, cause?: unknown) {
    super("protocol", `Recipe refused: ${message}`, undefined, cause);
  }
}

/** The bytes of a file don't add up to its size: it changed while it was read. */
export function fileChanged(size: number, seen: number): StoreError {
  const now = seen < size ? `only ${seen}` : "more";
  return new StoreError("changed", "Cannot hash file", {
    detail: `it had ${size} bytes and now has ${now}`,
  });
}

/** A file has more bytes than a recipe can describe. */
export function fileTooLarge(size: number, limit: number): StoreError {
  return new StoreError("file_too_large", "Cannot chunk file", {
    detail: `${size} bytes are over the limit of ${limit}`,
  });
}
