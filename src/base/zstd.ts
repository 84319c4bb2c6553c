import { builtin } from "./builtin.ts";
import { Libzstd } from "./libzstd.ts";
import { ZlibZstd } from "./zlib_zstd.ts";
import type { Zstd } from "./zstd_codec.ts";

export type { ZstdTable } from "./zstd_codec.ts";

let chosen: Zstd | undefined;

/** The one of this thread. */
export const zstd: Zstd = {
  compress: (raw, into, table) => (chosen ??= choose()).compress(raw, into, table),
  decompress: (frame, into) => (chosen ??= choose()).decompress(frame, into),
};

function choose(): Zstd {
  const isMainThread = !("WorkerGlobalScope" in globalThis);
  return (isMainThread ? Libzstd.open() : undefined) ?? new ZlibZstd(builtin("node:zlib"));
}
