/**
 * `#native` of a packed build: the addon lies beside the bundles (scripts/compile.ts puts it there and
 * this module in place of native_npm.ts). Nothing is looked up in node_modules or in parent folders.
 */
import { messageOf } from "../base/errors.ts";
import { join } from "../base/system_path.ts";
import { loadAddon } from "./addon.ts";
import type { QuicBinding } from "./binding.ts";
import { QuicError } from "./errors.ts";

export default load();

function load(): QuicBinding {
  try {
    // This module is inlined in a bundle, so the folder is the bundle's.
    return loadAddon(join(import.meta.dirname!, "quic.node"));
  } catch (error) {
    const isOldLibc = /GLIBC_[\d.]+' not found/.test(messageOf(error));
    throw new QuicError(
      "failed",
      `Cannot load the QUIC library: ${messageOf(error)}`,
      isOldLibc ? "this system's C library is too old: glibc 2.34 or later is needed" : undefined,
      error,
    );
  }
}
