import type { ReadFile, StagedFile } from "./root.ts";
import { StoreError } from "./store_error.ts";

const BUFFER_BYTES = 256 * 1024;

/**
 * Copies a range between files by reading and writing.
 *
 * @throws {StoreError} `changed` if the source ends before the range does.
 */
export function copyThroughBuffer(
  target: StagedFile,
  source: ReadFile,
  range: { sourceOffset: number; offset: number; length: number },
): void {
  const buffer = new Uint8Array(Math.min(range.length, BUFFER_BYTES));
  for (let done = 0; done < range.length;) {
    const part = buffer.subarray(0, Math.min(buffer.length, range.length - done));
    const count = source.readAt(part, range.sourceOffset + done);
    target.writeAt(part.subarray(0, count), range.offset + done);
    if (count < part.length) {
      throw new StoreError("changed", "Cannot copy from a file", {
        detail: "it is shorter than it was",
      });
    }
    done += count;
  }
}
