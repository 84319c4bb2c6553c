import type { DeleteLimit } from "../../sync/mod.ts";
import { BadValue } from "./bad_value.ts";

/** The limit where none is given: half of the files, for folders of more than 20. */
export const DELETE_LIMIT_DEFAULT: DeleteLimit = {
  kind: "percent",
  percent: 50,
  appliesAboveFiles: 20,
};

/**
 * Parses `--max-delete`: a count (`100`) or a share of the files (`25%`).
 *
 * @throws {BadValue} on negative numbers, fractions of a file and more than 100%.
 */
export function parseDeleteLimit(text: string): DeleteLimit {
  if (/^\d{1,12}$/.test(text)) return { kind: "count", count: Number(text) };
  const percent = /^(\d{1,3}(?:\.\d{1,6})?)%$/.exec(text);
  if (percent === null || Number(percent[1]) > 100) {
    throw new BadValue("expected a number of files (100) or a percentage up to 100%");
  }
  return { kind: "percent", percent: Number(percent[1]), appliesAboveFiles: 0 };
}
