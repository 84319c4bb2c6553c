import { Buffer } from "node:buffer";
import * as fs from "node:fs";
import { join } from "node:path";

const BUFFER_BYTES = 1 << 20;
const buffers = [new Uint8Array(BUFFER_BYTES), new Uint8Array(BUFFER_BYTES)] as const;

/** The first difference in names, kinds, sizes, times or bytes; landropic's own folder aside. */
export function findDifference(a: string, b: string, dir = ""): string | undefined {
  const [names, others] = [a, b].map((root) =>
    fs.readdirSync(join(root, dir)).filter((name) => dir !== "" || name !== ".landropic").sort()
  ) as [string[], string[]];
  const odd = names.find((name, i) => name !== others[i]) ?? others[names.length];
  if (odd !== undefined) return join(dir, odd);
  for (const name of names) {
    const path = join(dir, name);
    const [left, right] = [a, b].map((root) => fs.lstatSync(join(root, path))) as [
      fs.Stats,
      fs.Stats,
    ];
    if (left.isDirectory() && right.isDirectory()) {
      const found = findDifference(a, b, path);
      if (found !== undefined) return found;
    } else if (left.isSymbolicLink() && right.isSymbolicLink()) {
      if (fs.readlinkSync(join(a, path)) !== fs.readlinkSync(join(b, path))) return path;
    } else if (
      !left.isFile() || !right.isFile() || left.size !== right.size ||
      Math.floor(left.mtimeMs) !== Math.floor(right.mtimeMs) ||
      !sameBytes(join(a, path), join(b, path), left.size)
    ) return path;
  }
  return undefined;
}

function sameBytes(a: string, b: string, size: number): boolean {
  const files = [a, b].map((path) => fs.openSync(path, "r")) as [number, number];
  try {
    for (let at = 0; at < size;) {
      const [count, other] = files.map((file, i) => fs.readSync(file, buffers[i]!)) as [
        number,
        number,
      ];
      if (count !== other || count === 0) return false;
      if (Buffer.compare(buffers[0].subarray(0, count), buffers[1].subarray(0, count)) !== 0) {
        return false;
      }
      at += count;
    }
    return true;
  } finally {
    for (const file of files) fs.closeSync(file);
  }
}
