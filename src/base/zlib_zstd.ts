import { parametersOf, WRONG_LENGTH, type Zstd, type ZstdTable } from "./zstd_codec.ts";

/** `ZSTD_d_windowLogMax`, of the decompressor's parameters. */
const WINDOW_LOG_LIMIT = 100;
/** `ZSTD_e_end`: what is given is the rest of the frame. */
const END_OF_FRAME = 2;
/** Bounds the memory a frame may ask for: a window of 8 MiB (RFC 8878 section 3.1.1.1.2). */
const WINDOW_LOG_MAX = 23;

/**
 * What stands behind the streams of `node:zlib`. Not part of their contract, but what they have been made of
 * since Node had them. Where it is missing, `zstdCompressSync()` and its like do the same work.
 */
interface Engine {
  readonly _handle: {
    reset(): void;
    writeSync(
      flush: number,
      input: Uint8Array,
      inputOffset: number,
      inputLength: number,
      output: Uint8Array,
      outputOffset: number,
      outputLength: number,
    ): void;
  };
  /** After a call: bytes left of the output, and of the input. */
  readonly _writeState: Uint32Array;
}

type Zlib = Pick<
  typeof import("node:zlib"),
  "createZstdCompress" | "createZstdDecompress" | "zstdCompressSync" | "zstdDecompressSync"
>;

/**
 * Zstandard by what `node:zlib` is made of. Its calls take new memory for each result and for their state, and
 * whoever touches new memory first pays for it.
 */
export class ZlibZstd implements Zstd {
  readonly #zlib: Zlib;
  readonly #compressors: { [table in ZstdTable]?: Engine | null } = {};
  #decompressor: Engine | null | undefined;

  constructor(zlib: Zlib) {
    this.#zlib = zlib;
  }

  compress(raw: Uint8Array, into: Uint8Array, table: ZstdTable = "usual"): number | undefined {
    let engine = this.#compressors[table];
    if (engine === undefined) {
      engine = engineOf(this.#zlib.createZstdCompress({ params: paramsFor(table) }));
      this.#compressors[table] = engine;
    }
    if (engine === null) {
      const frame = this.#zlib.zstdCompressSync(raw, { params: paramsFor(table) });
      if (frame.length > into.length) return undefined;
      into.set(frame);
      return frame.length;
    }
    const { outputLeft, inputLeft } = run(engine, raw, into);
    if (outputLeft > 0 && inputLeft === 0) return into.length - outputLeft;
    // The frame may not be over: what comes next would be part of it.
    engine._handle.reset();
    return undefined;
  }

  decompress(frame: Uint8Array, into: Uint8Array): number {
    const params = { [WINDOW_LOG_LIMIT]: WINDOW_LOG_MAX };
    this.#decompressor ??= engineOf(this.#zlib.createZstdDecompress({ params }));
    if (this.#decompressor === null) {
      const maxOutputLength = into.length;
      const raw = this.#zlib.zstdDecompressSync(frame, { maxOutputLength, params });
      if (raw.length === into.length) throw new RangeError(WRONG_LENGTH);
      into.set(raw);
      return raw.length;
    }
    // The last frame may have been bad, or somebody else's, and not over.
    this.#decompressor._handle.reset();
    const { outputLeft } = run(this.#decompressor, frame, into);
    if (outputLeft === 0) throw new RangeError(WRONG_LENGTH);
    return into.length - outputLeft;
  }
}

function paramsFor(table: ZstdTable): Record<number, number> {
  return Object.fromEntries(parametersOf(table));
}

function run(
  { _handle, _writeState }: Engine,
  input: Uint8Array,
  output: Uint8Array,
): { readonly outputLeft: number; readonly inputLeft: number } {
  _handle.writeSync(END_OF_FRAME, input, 0, input.length, output, 0, output.length);
  return { outputLeft: _writeState[0]!, inputLeft: _writeState[1]! };
}

function engineOf(stream: object): Engine | null {
  const { _handle, _writeState } = stream as Partial<Engine>;
  const isKnown = typeof _handle?.writeSync === "function" &&
    typeof _handle.reset === "function" && _writeState?.length === 2;
  // The stream itself is kept: it may close the rest when it goes.
  return isKnown ? stream as Engine : null;
}
