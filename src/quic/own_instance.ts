import { loadAddon } from "./addon.ts";
import type { QuicBinding } from "./binding.ts";
import { QuicError } from "./errors.ts";
import { loadLibc, MFD_CLOEXEC } from "./linux_libc.ts";

/**
 * Loads the native core again, as an instance of its own for the calling thread. On Linux, where another
 * thread of the process has loaded it already.
 *
 * The addon's glue (napi-rs 2.10) has one queue for the whole process, the last thread's that loaded it, to
 * let go of the buffers that calls were given: two threads that share an instance release each other's,
 * and within seconds the heap is corrupt. The loader takes a copy in memory for another library, with
 * variables of its own.
 *
 * @throws {QuicError} if the system can't.
 */
export function loadOwnInstance(): QuicBinding {
  const bytes = Deno.readFileSync(pathOfAddon());
  const name = new TextEncoder().encode("quic\0");
  const descriptor = loadLibc().memfd_create(name, MFD_CLOEXEC);
  if (descriptor < 0) throw new QuicError("failed", "Cannot load the QUIC library once more");
  // Never closed: the loader knows libraries by name, and another one must not get this one's.
  const path = `/proc/self/fd/${descriptor}`;
  Deno.writeFileSync(path, bytes);
  return loadAddon(path);
}

/** Wherever the program has it from: npm's cache or beside the executable's modules. */
function pathOfAddon(): string {
  const maps = Deno.readTextFileSync("/proc/self/maps");
  const [path] = /\/\S[^\n]*quic[^\n]*\.node$/m.exec(maps) ?? [];
  if (path === undefined) throw new QuicError("failed", "The QUIC library was not loaded before");
  return path;
}
