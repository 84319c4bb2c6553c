import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import * as fs from "node:fs";
import { join } from "node:path";

/** A tree as a plain object: text for a file, a nested object for a directory. */
export interface TreeSpec {
  [name: string]: string | Uint8Array | TreeSpec | Link;
}

/** A symbolic link in a {@linkcode TreeSpec}. */
export class Link {
  constructor(readonly target: string) {}
}

/** Creates what the specification says, with times in the past so that no scan finds them racy. */
export function writeTree(root: string, spec: TreeSpec, mtimeMs = 1_700_000_000_123): void {
  fs.mkdirSync(root, { recursive: true });
  for (const [name, value] of Object.entries(spec)) {
    const path = join(root, name);
    if (value instanceof Link) fs.symlinkSync(value.target, path);
    else if (typeof value === "string" || value instanceof Uint8Array) {
      fs.writeFileSync(path, value);
      fs.utimesSync(path, mtimeMs / 1000, mtimeMs / 1000);
    } else writeTree(path, value, mtimeMs);
  }
}

/** Everything about a tree that a sync must carry over, one line an entry, own folder left out. */
export function describeTree(root: string, dir = ""): string[] {
  const lines: string[] = [];
  for (const name of fs.readdirSync(join(root, dir)).sort()) {
    if (dir === "" && name === ".landropic") continue;
    const path = dir === "" ? name : `${dir}/${name}`;
    const stat = fs.lstatSync(join(root, path));
    const mode = (stat.mode & 0o777).toString(8);
    const mtime = Math.floor(stat.mtimeMs);
    if (stat.isDirectory()) lines.push(`${path}/ ${mode}`, ...describeTree(root, path));
    else if (stat.isSymbolicLink()) lines.push(`${path} -> ${fs.readlinkSync(join(root, path))}`);
    else if (stat.isFile()) {
      const digest = createHash("sha256").update(fs.readFileSync(join(root, path))).digest("hex");
      lines.push(`${path} ${mode} ${mtime} ${stat.size} ${digest.slice(0, 16)}`);
    } else lines.push(`${path} special`);
  }
  return lines;
}

/** Fails with the first difference if two trees differ in anything a sync must carry over. */
export function assertSameTree(actual: string, expected: string): void {
  assert.deepEqual(describeTree(actual), describeTree(expected));
}

/**
 * A temporary folder that is removed with everything in it.
 *
 * @param dir Where it lies, if not where temporary files do.
 */
export function temporaryFolder(dir?: string): { path: string } & Disposable {
  const path = Deno.makeTempDirSync({ prefix: "landropic-test-", ...(dir && { dir }) });
  return {
    path,
    [Symbol.dispose]() {
      Deno.removeSync(path, { recursive: true });
    },
  };
}
