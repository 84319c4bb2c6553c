/** Writes tar archives that depend on nothing but the files in them. */
import { Buffer } from "node:buffer";

/** A regular file in an archive. */
export interface TarFile {
  /** At most 100 bytes of ASCII. */
  readonly name: string;
  /** Permission bits. */
  readonly mode: number;
  readonly bytes: Uint8Array;
}

/** A POSIX ustar archive: owner root, all times zero, files in the order given. */
export function tarArchive(files: readonly TarFile[]): Uint8Array {
  const blocks: Uint8Array[] = [];
  for (const file of files) {
    const padding = (BLOCK_BYTES - file.bytes.length % BLOCK_BYTES) % BLOCK_BYTES;
    blocks.push(header(file), file.bytes, new Uint8Array(padding));
  }
  blocks.push(new Uint8Array(2 * BLOCK_BYTES));
  return Buffer.concat(blocks);
}

function header({ name, mode, bytes }: TarFile): Uint8Array {
  // deno-lint-ignore no-control-regex
  if (!/^[\x00-\x7f]{1,100}$/.test(name)) throw new RangeError(`Cannot archive the name ${name}`);
  const block = Buffer.alloc(BLOCK_BYTES);
  const octal = (value: number, at: number, length: number) =>
    block.write(value.toString(8).padStart(length - 1, "0"), at);
  block.write(name, 0);
  octal(mode, 100, 8);
  octal(0, 108, 8); // user
  octal(0, 116, 8); // group
  octal(bytes.length, 124, 12);
  octal(0, 136, 12); // modification time
  block.write(" ".repeat(8), 148); // the checksum counts itself as spaces
  block.write("0", 156); // a regular file
  block.write("ustar\x0000", 257);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
  return block;
}

const BLOCK_BYTES = 512;
