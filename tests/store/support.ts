import assert from "node:assert/strict";
import type { RelPath } from "../../src/base/paths.ts";
import {
  openRoot,
  type Root,
  type RootImplementation,
  type StagedFile,
  StoreError,
  type StoreReason,
} from "../../src/store/mod.ts";

/** The implementations this machine can run; the plain one stands in for old kernels. */
export const IMPLEMENTATIONS: RootImplementation[] = Deno.build.os === "linux"
  ? ["linux", "linux-plain", "portable"]
  : ["portable"];

/** Defines one test for each implementation, with an empty root. */
export function testEach(
  name: string,
  run: (root: Root, path: string) => void | Promise<void>,
  options: { only?: RootImplementation[]; ignore?: boolean } = {},
): void {
  for (const implementation of options.only ?? IMPLEMENTATIONS) {
    if (!IMPLEMENTATIONS.includes(implementation)) continue;
    Deno.test({
      name: `${name} [${implementation}]`,
      ignore: options.ignore ?? false,
      fn: async () => {
        const path = Deno.makeTempDirSync({ prefix: "landropic-store-" });
        try {
          using root = openRoot(path, { implementation });
          await run(root, path);
        } finally {
          Deno.removeSync(path, { recursive: true });
        }
      },
    });
  }
}

/** Brands a path that the test knows to be good. */
export function at(path: string): RelPath {
  return path as RelPath;
}

/** The bytes of a text, over a plain buffer. */
export function bytes(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}

/** A finished staged file. */
export function staged(
  root: Root,
  text: string,
  attributes: { mode?: number; mtimeMs?: number } = {},
): StagedFile {
  const file = root.stage();
  if (text !== "") file.writeAt(bytes(text), 0);
  file.finish({ mode: 0o644, mtimeMs: 1_700_000_000_123, ...attributes });
  return file;
}

/** Asserts that an attempt ends in a {@linkcode StoreError} of one of these reasons. */
export function refuses(reasons: StoreReason[], attempt: () => void): void {
  assert.throws(attempt, (error: unknown) => {
    assert.ok(error instanceof StoreError, String(error));
    assert.ok(reasons.includes(error.reason), `${error.reason}: ${error.message}`);
    return true;
  });
}

/** Names of everything below a directory, landropic's own folder excepted, sorted. */
export function tree(path: string, below = ""): string[] {
  const names: string[] = [];
  for (const entry of Deno.readDirSync(`${path}/${below}`)) {
    const name = below === "" ? entry.name : `${below}/${entry.name}`;
    if (name === ".landropic") continue;
    names.push(name);
    if (entry.isDirectory) names.push(...tree(path, name));
  }
  return names.sort();
}
