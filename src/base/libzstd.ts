/** Compression by the system's libzstd, where there is one. */
import type { Bytes } from "./bytes.ts";
import { openSystemLibrary } from "./system_library.ts";
import { parametersOf, WRONG_LENGTH, type Zstd, type ZstdTable } from "./zstd_codec.ts";

const NAME = "libzstd.so.1";
/** Since 1.4 none of these has changed. */
const VERSION_MIN = 10_400;

/** Lengths are below 2^31 here, so that the lower half of a `size_t` tells them from errors, which are negative. */
const SYMBOLS = {
  ZSTD_versionNumber: { parameters: [], result: "u32" },
  ZSTD_createCCtx: { parameters: [], result: "pointer" },
  ZSTD_CCtx_setParameter: { parameters: ["pointer", "i32", "i32"], result: "i32" },
  ZSTD_compress2: {
    parameters: ["pointer", "buffer", "u32", "buffer", "u32"],
    result: "i32",
  },
  ZSTD_createDCtx: { parameters: [], result: "pointer" },
  ZSTD_findFrameCompressedSize: { parameters: ["buffer", "u32"], result: "i32" },
  ZSTD_decompressDCtx: {
    parameters: ["pointer", "buffer", "u32", "buffer", "u32"],
    result: "i32",
  },
} as const;

/** What a run that finds nothing changed calls. */
const FOR_READING = [
  "ZSTD_versionNumber",
  "ZSTD_createDCtx",
  "ZSTD_findFrameCompressedSize",
  "ZSTD_decompressDCtx",
] as const;

/**
 * Compresses and decompresses as `node:zlib` does, which takes a start 10 ms to load by itself and 50 with what
 * it needs, and this one 3. What it takes it keeps until the process ends: for the main thread only.
 */
export class Libzstd implements Zstd {
  readonly #call: ReturnType<typeof openSystemLibrary<typeof SYMBOLS>>;
  readonly #compressors: { [table in ZstdTable]?: Deno.PointerValue } = {};
  #decompressor: Deno.PointerValue = null;

  private constructor(call: ReturnType<typeof openSystemLibrary<typeof SYMBOLS>>) {
    this.#call = call;
  }

  /** @returns `undefined` where there is none, or an old one. */
  static open(name = NAME): Libzstd | undefined {
    if (Deno.build.os !== "linux") return undefined;
    try {
      const call = openSystemLibrary(name, SYMBOLS, FOR_READING);
      return call.ZSTD_versionNumber() < VERSION_MIN ? undefined : new Libzstd(call);
    } catch {
      return undefined;
    }
  }

  compress(raw: Uint8Array, into: Uint8Array, table: ZstdTable = "usual"): number | undefined {
    const compressor = this.#compressors[table] ??= this.#newCompressor(table);
    const length = this.#call.ZSTD_compress2(
      compressor,
      into as Bytes,
      into.length,
      raw as Bytes,
      raw.length,
    );
    return length < 0 ? undefined : length;
  }

  decompress(frame: Uint8Array, into: Uint8Array): number {
    if (this.#decompressor === null) this.#decompressor = made(this.#call.ZSTD_createDCtx());
    const frameLength = this.#call.ZSTD_findFrameCompressedSize(frame as Bytes, frame.length);
    if (frameLength < 0) throw new Error("this is no frame of zstd");
    const length = this.#call.ZSTD_decompressDCtx(
      this.#decompressor,
      into as Bytes,
      into.length,
      frame as Bytes,
      frameLength,
    );
    if (length < 0) throw new Error("the frame of zstd is damaged, or too long");
    if (length === into.length) throw new RangeError(WRONG_LENGTH);
    return length;
  }

  #newCompressor(table: ZstdTable): Deno.PointerValue {
    const { ZSTD_createCCtx, ZSTD_CCtx_setParameter } = this.#call;
    const compressor = made(ZSTD_createCCtx());
    for (const [parameter, value] of parametersOf(table)) {
      ZSTD_CCtx_setParameter(compressor, parameter, value);
    }
    return compressor;
  }
}

function made(context: Deno.PointerValue): Deno.PointerValue {
  if (context === null) throw new Error("there is no memory for zstd");
  return context;
}
