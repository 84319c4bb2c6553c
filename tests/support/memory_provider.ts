import { crc32 } from "node:zlib";
import {
  BlockWriter,
  type ByteRange,
  type Request,
  STATUS,
  type WriteBytes,
  writeFileEnd,
  writeFileHead,
} from "../../src/protocol/mod.ts";

/** A file that exists in memory only. */
export interface MemoryFile {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly mtimeMs: number;
}

/** Answers requests for bytes as a provider does, out of memory, in blocks of any size. */
export async function answerFrom(
  files: ReadonlyMap<string, MemoryFile>,
  request: Request,
  { write, blockBytes = 1000 }: { readonly write: WriteBytes; readonly blockBytes?: number },
): Promise<void> {
  const out = new BlockWriter(write, { compress: false });
  const send = async (file: MemoryFile | undefined, ranges: readonly ByteRange[]) => {
    if (file === undefined) return await writeFileHead(out, STATUS.denied);
    await writeFileHead(out, { size: file.bytes.length, mtimeMs: file.mtimeMs });
    let crc = 0;
    for (const { offset, length } of ranges) {
      for (let at = offset; at < offset + length; at += blockBytes) {
        const piece = file.bytes.subarray(at, Math.min(at + blockBytes, offset + length));
        crc = crc32(piece, crc);
        await out.write(piece);
        await out.flush();
      }
    }
    await writeFileEnd(out, STATUS.ok, crc);
  };
  if (request.kind === "get-files") {
    for (const { path, offset } of request.files) {
      const file = files.get(path);
      const length = (file?.bytes.length ?? 0) - offset;
      await send(file, [{ offset, length }]);
    }
  } else if (request.kind === "get-ranges") await send(files.get(request.path), request.ranges);
  else throw new Error(`${request.kind} is not for bytes`);
  await out.finish();
}
