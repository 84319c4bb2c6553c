/**
 * `#native` of a packed build: the addon lies beside the bundles (scripts/compile.ts puts it there and
 * this module in place of native_npm.ts). Nothing is looked up in node_modules or in parent folders.
 */
import { createRequire } from "node:module";
import { messageOf } from "../base/errors.ts";
import type { QuicBinding } from "./binding.ts";
import { QuicError } from "./errors.ts";

export default loadAddon();

function loadAddon(): QuicBinding {
  try {
    // This module is inlined in a bundle, so the URL is the bundle's.
    return createRequire(import.meta.url)("./quic.node");
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
