import { builtin } from "../../base/builtin.ts";
import { StoreError } from "../store_error.ts";

const fs = builtin("node:fs");

/** Makes an open file durable, beside the event loop. */
export async function flushDescriptor(fd: number, what: string): Promise<void> {
  try {
    await builtin("node:util").promisify(fs.fsync)(fd);
  } catch (error) {
    const code = (error as { code?: string }).code;
    throw new StoreError(code === "ENOSPC" ? "no_space" : "io", `Cannot flush ${what}`, {
      ...(code === undefined ? {} : { systemCode: code }),
      cause: error,
    });
  }
}

/**
 * Makes names durable, and files whose mode or time was changed. Windows has no such thing for
 * directories. What is gone by now is skipped, and so is what may not be read.
 */
export async function flushPaths(paths: readonly string[]): Promise<void> {
  if (Deno.build.os === "windows") return;
  for (const path of paths) {
    let fd: number;
    try {
      fd = fs.openSync(path, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK);
    } catch (error) {
      const systemCode = (error as { code?: string }).code ?? "";
      if (systemCode === "ENOENT" || systemCode === "EACCES") continue;
      throw new StoreError("io", `Cannot flush ${JSON.stringify(path)}`, {
        systemCode,
        cause: error,
      });
    }
    try {
      await flushDescriptor(fd, JSON.stringify(path));
    } finally {
      fs.closeSync(fd);
    }
  }
}
