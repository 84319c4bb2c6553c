import assert from "node:assert/strict";
import type { RelPath } from "../../src/base/paths.ts";
import { glimpseNames, openRoot, type Root } from "../../src/store/mod.ts";
import { temporaryFolder, writeTree } from "../support/tree.ts";

/** A root whose file system takes upper and lower case for the same, and has entries of these names alone. */
function folding(root: Root): Root {
  const names = root.list("").entries.map(({ name }) => name!);
  return new Proxy(root, {
    get(target, name) {
      const value = Reflect.get(target, name, target);
      if (name !== "lstat") return typeof value === "function" ? value.bind(target) : value;
      return (path: RelPath) =>
        target.lstat(
          (names.find((each) => each.toLowerCase() === path.toLowerCase()) ??
            path) as RelPath,
        );
    },
  });
}

for (const tree of [{ ".landropic": {} }, { "1": "", Readme: "r" }]) {
  Deno.test(`glimpseNames() sees by ${Object.keys(tree)} whether case counts, and writes nothing`, () => {
    using folder = temporaryFolder();
    writeTree(folder.path, tree);
    using root = openRoot(folder.path);
    const isSensitive = !Deno.build.os.match(/darwin|windows/);
    assert.equal(glimpseNames(root).caseSensitive, isSensitive);
    assert.deepEqual(glimpseNames(folding(root)), {
      caseSensitive: false,
      keepsNormalForm: false,
    });
    assert.deepEqual(
      [...Deno.readDirSync(folder.path)].map(({ name }) => name).sort(),
      [
        ...Object.keys(tree),
      ].sort(),
    );
  });
}

Deno.test("glimpseNames() takes two spellings that are both there for two names", () => {
  using folder = temporaryFolder();
  writeTree(folder.path, { readme: "1" });
  if (Deno.build.os !== "linux") return;
  Deno.linkSync(`${folder.path}/readme`, `${folder.path}/README`);
  using root = openRoot(folder.path);
  assert.equal(glimpseNames(root).caseSensitive, true);
});
